"""Assignment solvers behind one interface; those that are not installed are skipped, and said.

Each solver is a function of a C-contiguous cost matrix to be minimised; whatever it does to its input (casting
to float64, copying) is part of its time, as it is of its users'. Rectangles and forbidden edges (infinite
costs) are passed as they are to those that take them.

The rivals are other people's work under licences of their own, some of them copyleft. They are only run and
measured here: nothing of them is part of the package, which depends on none of them. To measure them all:

    python -m venv rivals && . rivals/bin/activate
    pip install ".[rivals]" py-lap-solver lapjv
    pip install --no-deps --target lap_original lap        # shares its module's name with lapx
    export REBASIN_BENCH_LAP=$PWD/lap_original

OR-Tools solves integers, so floats are scaled to 40 bits for it; py-lap-solver runs its serial path.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

Solver = Callable[[np.ndarray], Any]
# Those that were the best on some matrices of the comparison of all; what runs for a minute asks only them.
FAST = ("lapx.lapjvh", "lapx.lapjvr", "laprust", "lapcpp", "py-lap-solver 1015", "py-lap-solver 1015 plain")


@dataclass(frozen=True)
class Rival:
    """One solver, and which matrices it takes."""

    name: str
    version: str
    solve: Solver
    square_only: bool = False
    takes_infinity: bool = True
    may_hang: bool = False
    general: bool = False  # a solver of flows, far behind on assignments

    def refuses(self, cost: np.ndarray) -> str:
        """Return why the solver is not asked, or an empty string."""
        if self.square_only and cost.shape[0] != cost.shape[1]:
            return "squares only"
        if not self.takes_infinity and cost.dtype.kind == "f" and not np.isfinite(cost).all():
            return "no forbidden edges"
        return ""


def pairs_of(answer: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns of an answer: a pair of arrays, or a column for each row (-1: none)."""
    if isinstance(answer, tuple):
        return np.asarray(answer[0], np.int64), np.asarray(answer[1], np.int64)
    columns = np.asarray(answer, np.int64)
    rows = np.flatnonzero(columns >= 0)
    return rows, columns[rows]


def _version(name: str) -> str:
    return importlib.metadata.version(name)


def _rebasin_fast() -> list[Rival]:
    rf: Any = importlib.import_module("rebasin_fast")
    return [Rival("rebasin_fast", rf.__version__, rf.linear_sum_assignment)]


def _scipy() -> list[Rival]:
    optimize: Any = importlib.import_module("scipy.optimize")
    return [Rival("scipy", _version("scipy"), optimize.linear_sum_assignment)]


def _lap() -> list[Rival]:
    """Load the original lap, which shares its module name with lapx, from the folder REBASIN_BENCH_LAP."""
    folder = os.environ.get("REBASIN_BENCH_LAP")
    if folder is None:
        raise ImportError("set REBASIN_BENCH_LAP to the folder of `pip install --target FOLDER lap`")
    package = Path(folder) / "lap"
    spec = importlib.util.spec_from_file_location(
        "lap_original", package / "__init__.py", submodule_search_locations=[str(package)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"no lap in {folder}")
    module = importlib.util.module_from_spec(spec)
    sys.modules["lap_original"] = module
    spec.loader.exec_module(module)

    def solve(cost: np.ndarray) -> np.ndarray:
        return module.lapjv(cost, extend_cost=True, return_cost=False)[0]

    return [Rival("lap.lapjv", module.__version__, solve, may_hang=True)]


def _lapx() -> list[Rival]:
    version = _version("lapx")
    lap: Any = importlib.import_module("lap")
    return [
        Rival(
            "lapx.lapjv",
            version,
            lambda c: lap.lapjv(c, extend_cost=True, return_cost=False)[0],
            may_hang=True,
        ),
        Rival("lapx.lapjvs", version, lambda c: lap.lapjvs(_floating(c), return_cost=False), may_hang=True),
        Rival(
            "lapx.lapjvs64",
            version,
            lambda c: lap.lapjvs(_floating(c), return_cost=False, prefer_float32=False),
            may_hang=True,
        ),
        Rival("lapx.lapjvc", version, lambda c: lap.lapjvc(_wide(c), return_cost=False)),
        Rival("lapx.lapjvr", version, lambda c: lap.lapjvr(c, extend_cost=True, return_cost=False)),
        Rival("lapx.lapjvh", version, lambda c: lap.lapjvh(c, extend_cost=True, return_cost=False)),
    ]


def _floating(cost: np.ndarray) -> np.ndarray:
    return cost if cost.dtype.kind == "f" else cost.astype(np.float64)


def _wide(cost: np.ndarray) -> np.ndarray:
    return cost if cost.dtype.itemsize >= 4 else cost.astype(np.int32)


def _siblings_of_lapx(name: str) -> list[Rival]:
    module: ModuleType = importlib.import_module(name)
    return [Rival(name, _version(name), lambda c: module.lapjv(c, extend_cost=True, return_cost=False))]


def _src_d() -> list[Rival]:
    module: Any = importlib.import_module("lapjv")

    def solve(cost: np.ndarray) -> np.ndarray:
        return module.lapjv(cost, force_doubles=cost.dtype != np.float32)[0]

    return [Rival("lapjv (src-d)", _version("lapjv"), solve, square_only=True, may_hang=True)]


def _fastlap() -> list[Rival]:
    module: Any = importlib.import_module("fastlap")
    return [
        Rival("fastlap", _version("fastlap"), lambda c: module.linear_sum_assignment(c), takes_infinity=False)
    ]


def _minilsap() -> list[Rival]:
    module: Any = importlib.import_module("minilsap")
    return [Rival("minilsap", _version("minilsap"), lambda c: module.linear_sum_assignment(c))]


def _py_lap_solver() -> list[Rival]:
    """Return the serial ones: the threaded path returned assignments that are not optimal."""
    solvers: Any = importlib.import_module("py_lap_solver.solvers")
    version = _version("py-lap-solver")
    batched = solvers.BatchedScipySolver(use_openmp=False)
    lap1015 = solvers.Lap1015Solver(use_openmp=False)
    plain = solvers.Lap1015Solver(use_openmp=False, use_epsilon=False)
    return [
        Rival("py-lap-solver scipy", version, lambda c: batched.solve_single(c)),
        Rival(
            "py-lap-solver 1015", version, lambda c: lap1015.solve_single(c), False, takes_infinity=False, may_hang=True
        ),
        Rival("py-lap-solver 1015 plain", version, lambda c: plain.solve_single(c), False, False, True),
    ]  # fmt: skip


def _ortools() -> list[Rival]:
    module: Any = importlib.import_module("ortools.graph.python.linear_sum_assignment")

    def solve(cost: np.ndarray) -> np.ndarray:
        n = len(cost)
        if cost.dtype.kind == "f":
            whole = bool((cost == np.rint(cost)).all()) and float(np.abs(cost).max(initial=0)) < 2**40
            scale = 1.0 if whole else 2.0**40 / max(float(np.abs(cost).max()), 1e-300)
            cost = np.rint(cost * scale)
        solver = module.SimpleLinearSumAssignment()
        rows, columns = np.divmod(np.arange(n * n, dtype=np.int32), np.int32(n))
        solver.add_arcs_with_cost(rows, columns, cost.astype(np.int64).ravel())
        if solver.solve() != solver.OPTIMAL:
            raise ValueError("OR-Tools found no optimum")
        return np.array([solver.right_mate(k) for k in range(n)])

    return [Rival("ortools", _version("ortools"), solve, True, False, may_hang=True, general=True)]


def _pot() -> list[Rival]:
    module: Any = importlib.import_module("ot")

    def solve(cost: np.ndarray) -> np.ndarray:
        plan = module.emd([], [], _floating(cost), numItermax=10_000_000)
        return np.asarray(plan).argmax(1)

    return [Rival("POT", _version("POT"), solve, True, False, may_hang=True, general=True)]


_LOADERS: dict[str, Callable[[], list[Rival]]] = {
    "rebasin_fast": _rebasin_fast,
    "scipy": _scipy,
    "lap": _lap,
    "lapx": _lapx,
    "laprust": lambda: _siblings_of_lapx("laprust"),
    "lapcpp": lambda: _siblings_of_lapx("lapcpp"),
    "lapjv": _src_d,
    "fastlap": _fastlap,
    "minilsap": _minilsap,
    "py-lap-solver": _py_lap_solver,
    "ortools": _ortools,
    "POT": _pot,
}


def load() -> tuple[list[Rival], list[str]]:
    """Return the solvers that are installed, ours first, and a line about each that is not."""
    found: list[Rival] = []
    missing: list[str] = []
    for name, loader in _LOADERS.items():
        try:
            found += loader()
        except (ImportError, AttributeError) as error:
            missing.append(f"{name}: {error}")
    return found, missing
