"""Our solver, SciPy's and the rivals' on matrices from other programs, by processor time.

    python benchmarks/bench_everybody.py --quick      # every family, the fast rivals; a minute
    python benchmarks/bench_everybody.py                             # every family, squares of 30, 100, 300, 1000
    python benchmarks/bench_everybody.py --families "(i-j)^2,Cauchy" --sizes 100,300 --shapes 1:1,1:2
    python benchmarks/bench_everybody.py --everything --sample 500   # of all sizes, shapes, types, with and
                                                                     # without forbidden edges; 4 minutes
    python benchmarks/bench_everybody.py --won --old OLD_CORE.so     # this build beside an older one

All solvers run on the same matrices in one process, their runs interleaved; the numbers are medians over
instances of medians over repeats of the thread's processor time. A rival whose total is not optimal is
marked and does not count as the best. A ratio below 1: we lose. Writes `results/everybody.json`
and `results/everybody.md`; installation of the rivals: `assignment.rivals`.

An older build beside this one needs other internals of pybind11, or the two would register the same types:

    git worktree add ../old REVISION
    cmake -S ../old -B ../old/build -DCMAKE_BUILD_TYPE=Release -DREBASIN_CUDA=OFF \\
        -DSKBUILD_PROJECT_VERSION=0 -DCMAKE_CXX_FLAGS=-DPYBIND11_INTERNALS_VERSION=90 \\
        -Dpybind11_DIR=$(python -m pybind11 --cmakedir)
    cmake --build ../old/build --target _core                        # the module is ../old/build/_core*.so

With `--old`, the solvers "old" and "new" are the two modules' `assignment_indices`, and `--solvers old,new`
measures nothing else.
"""

import argparse
import importlib.util
import random
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from assignment.cases import ALL, SHAPES, Case, product, quick, won
from assignment.report import GROUPS, Row, badness, counters_of, groups, report, row_of, show, summary
from assignment.rival import Rival, surplus_of
from assignment.rivals import FAST, load
from common.command import command_line
from common.environment import RESULTS, write_results
from common.timing import Rules, compare

import rebasin_fast._core as core


def load_core(path: Path) -> Any:
    """Load another build of the extension beside the package's own."""
    spec = importlib.util.spec_from_file_location("rebasin_fast_old._core", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no extension module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def old_and_new(path: Path) -> list[Rival]:
    old = load_core(path)
    return [
        Rival("new", "this build", lambda c: core.assignment_indices(c, False)),
        Rival("old", str(path), lambda c: old.assignment_indices(c, False)),
    ]


def measure(cases: Iterable[Case], solvers: list[Rival], options: argparse.Namespace) -> list[Row]:
    rows: list[Row] = []
    for case in cases:
        if time.process_time() > options.seconds:
            print(f"stopped after {options.seconds:.0f} s of processor time at {case.label}")
            break
        small = case.rows * case.columns <= 40_000
        costs = [case.instance(seed) for seed in range(options.instances if small else 2)]
        row = row_of(case, costs[0], compare(solvers, costs, Rules(options.budget, surplus_of)))
        if options.counters:
            row["counters"] = counters_of(costs)
        rows.append(row)
        print(show(row), flush=True)
    return rows


def chosen(options: argparse.Namespace) -> Iterable[Case]:
    families = (
        options.families.split(";" if ";" in options.families else ",") if options.families else list(ALL)
    )
    unknown = [name for name in families if name not in ALL]
    if unknown:
        raise SystemExit(f"unknown families {unknown}; those with a comma need ';' between: {list(ALL)}")
    if options.won:
        return won()
    if options.quick:
        return (case for case in quick() if case.family in families)
    if options.everything:
        sizes, shapes = [2, 5, 10, 20, 40, 64, 65, 100, 200, 400, 1000, 2000], list(SHAPES)
        types = ["float32", "float64", "int64", "uint8"]
        cases = [
            case
            for case in product(families, sizes, shapes, types, [0.0, 0.3])
            if case.rows * case.columns <= options.largest
        ]
        if options.sample:
            cases = random.Random(options.seed).sample(cases, min(options.sample, len(cases)))
        return cases
    sizes = [int(n) for n in options.sizes.split(",")]
    shares = [float(share) for share in options.forbidden.split(",")]
    return product(families, sizes, options.shapes.split(","), options.dtypes.split(","), shares)


def main() -> None:
    parser = command_line(__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--won", action="store_true", help="trained, Gram, aligned, uniform, heavy-tailed")
    parser.add_argument("--everything", action="store_true", help="hours; stop it with --seconds")
    parser.add_argument("--sample", type=int, default=0, help="so many of everything, drawn at random")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--largest", type=int, default=4_000_000, help="entries, of everything")
    parser.add_argument("--families", default="", help="names, separated by commas, or by semicolons")
    parser.add_argument("--sizes", default="30,100,300,1000")
    parser.add_argument("--shapes", default="1:1", help=f"of {', '.join(SHAPES)}")
    parser.add_argument("--dtypes", default="", help="float32,float64,int64,uint8; default: the family's own")
    parser.add_argument("--forbidden", default="0", help="shares of infinite entries, such as 0,0.3")
    parser.add_argument("--solvers", default="", help="names; default: all")
    parser.add_argument("--old", type=Path, help="another build of the extension")
    parser.add_argument("--instances", type=int, default=4, help="of each problem of up to 200 x 200, else 2")
    parser.add_argument("--budget", type=float, default=0.0, help="seconds for each solver and case")
    parser.add_argument(
        "--seconds", type=float, default=1e9, help="processor time after which no case begins"
    )
    parser.add_argument("--counters", action="store_true", help="operations of our solver, in the rows too")
    parser.add_argument("--output", default="everybody", help="name of the files in results/")
    parser.add_argument("--folder", type=Path, default=RESULTS)
    options = parser.parse_args()
    options.budget = options.budget or (0.01 if options.quick else 0.05)
    solvers, missing = load()
    if options.quick and not options.solvers:
        solvers = [solver for solver in solvers if solver.name in ("rebasin_fast", "scipy", *FAST)]
    if options.old:
        solvers += old_and_new(options.old)
    if options.solvers:
        solvers = [solver for solver in solvers if solver.name in options.solvers.split(",")]
    versions = {solver.name: solver.version for solver in solvers}
    print(versions, "simd", core.simd_level())
    rows = measure(chosen(options), solvers, options)
    print("\nworst:")
    for row in sorted(rows, key=badness)[:40]:
        print(show(row))
    print("\n".join(summary(rows)))
    for line in [GROUPS, *groups(rows)]:
        print("  ".join(f"{cell:>17}" for cell in line))
    text = report(rows, versions, missing)
    write_results(
        options.output, {"versions": versions, "missing": missing, "rows": rows}, text, options.folder
    )
    print(f"{time.process_time():.0f} s of processor time")


if __name__ == "__main__":
    main()
