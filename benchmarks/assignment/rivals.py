"""Assignment solvers behind one interface; those that are not installed are skipped and named.

A solver of dense problems is a function of a C-contiguous cost matrix to be minimised, one of batches of a stack of
them, of priced problems (`cost_limit`) and of the k best of a pair (costs, limit or k), of sparse problems of a
`scipy.sparse` array. Conversions of the input (casting to float64, copying) are part of a solver's time, as they
are of its users'. Rectangles and forbidden edges (infinite costs) are passed as they are to those that take them.

The rivals are other people's work under licences of their own, some of them copyleft. They are only run and
measured here: nothing of them is part of the package, which depends on none of them. To measure them all:

    python -m venv rivals && . rivals/bin/activate
    pip install ".[rivals]" py-lap-solver lapjv
    pip install --no-deps --target lap_original lap        # shares its module's name with lapx
    export REBASIN_BENCH_LAP=$PWD/lap_original

OR-Tools solves integers, so floats are scaled to 40 bits for it; py-lap-solver runs its serial path.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from assignment import dense_solvers, other_solvers
from assignment.rival import Rival

OURS = ("rebasin_fast", "scipy", "old", "new")  # measured in every comparison; SciPy is no rival
# Those that were the best on some matrices of the comparison of all; short comparisons have only them.
FAST = ("lapx.lapjvh", "lapx.lapjvr", "laprust", "lapcpp", "py-lap-solver 1015", "py-lap-solver 1015 plain")


_LOADERS: dict[str, dict[str, Callable[[], list[Rival]]]] = {
    "dense": {
        "rebasin_fast": dense_solvers.rebasin_fast,
        "scipy": dense_solvers.scipy,
        "lap": dense_solvers.lap,
        "lapx": dense_solvers.lapx,
        "laprust": lambda: dense_solvers.siblings_of_lapx("laprust"),
        "lapcpp": lambda: dense_solvers.siblings_of_lapx("lapcpp"),
        "lapjv": dense_solvers.src_d,
        "fastlap": dense_solvers.fastlap,
        "minilsap": dense_solvers.minilsap,
        "py-lap-solver": dense_solvers.py_lap_solver,
        "ortools": dense_solvers.ortools,
        "POT": dense_solvers.pot,
    },
    "batches": {
        "rebasin_fast": other_solvers.our_batches,
        "lapx": lambda: other_solvers.batches_of(
            "lap", "lapx", "lapjvr_batch", "lapjvh_batch", "lapjvx_batch", "lapjvs_batch"
        ),
        "laprust": lambda: other_solvers.batches_of("laprust", "laprust", "lapjv_batch"),
        "lapcpp": lambda: other_solvers.batches_of("lapcpp", "lapcpp", "lapjv_batch"),
        "fastlap": lambda: other_solvers.batches_of("fastlap", "fastlap", "lapjvx_batch"),
        "py-lap-solver": other_solvers.py_lap_solver_batches,
    },
    "priced": {"rebasin_fast": other_solvers.our_priced, "lapx": other_solvers.lapx_priced},
    "k best": {"fastlap": other_solvers.k_best},
    "bottleneck": {"fastlap": other_solvers.bottleneck},
    "sparse": {"rebasin_fast": other_solvers.sparse, "lapx": other_solvers.lapmod},
}


def load(problems: str = "dense") -> tuple[list[Rival], list[str]]:
    """Return the solvers that are installed, ours first, and a line about each that is not.

    They import with one thread each, unless the environment has numbers of threads.
    """
    for name in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    found: list[Rival] = []
    missing: list[str] = []
    for name, loader in _LOADERS[problems].items():
        try:
            found += loader()
        except (ImportError, AttributeError) as error:
            missing.append(f"{name}: {error}")
            print("skipped", missing[-1])
    return found, missing
