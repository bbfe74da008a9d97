"""Our solver, SciPy's and the rivals' on everybody's matrices, by processor time.

    python benchmarks/bench_everybody.py --quick      # every family, about 90 s; without OR-Tools and POT
    python benchmarks/bench_everybody.py                             # every family, squares of 30, 100, 300, 1000
    python benchmarks/bench_everybody.py --families "(i-j)^2,Cauchy" --sizes 100,300 --shapes 1:1,1:2
    python benchmarks/bench_everybody.py --everything                # sizes, shapes, types, forbidden edges
    python benchmarks/bench_everybody.py --quick --old OLD_CORE.so   # this build beside an older one

All solvers run on the same matrices in one process, their runs interleaved; the numbers are medians over
instances of medians over repeats of the thread's processor time. A rival whose total is not optimal is
marked and does not count as the best. Ratios below 1 are rows that we lose. Writes `results/everybody.json`
and `results/everybody.md`; `assignment_rivals` says how the rivals are installed.

An older build beside this one needs other internals of pybind11, or the two would register the same types:

    git worktree add ../old REVISION
    cmake -S ../old -B ../old/build -DCMAKE_BUILD_TYPE=Release -DREBASIN_CUDA=OFF \\
        -DSKBUILD_PROJECT_VERSION=0 -DCMAKE_CXX_FLAGS=-DPYBIND11_INTERNALS_VERSION=90 \\
        -Dpybind11_DIR=$(python -m pybind11 --cmakedir)
    cmake --build ../old/build --target _core                        # the module is ../old/build/_core*.so

With `--old`, the solvers "old" and "new" are the two modules' `assignment_indices`, and `--solvers old,new`
measures nothing else.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from assignment_rivals import Rival, load
from environment import RESULTS, environment_line, markdown_table, write_results
from everybody_cases import ALL, SHAPES, Case, product, quick
from everybody_timing import Timing, compare

import rebasin_fast._core as core

ONE_THREAD = ("OMP_NUM_THREADS", "RAYON_NUM_THREADS")  # read when a rival is imported
NOT_RIVALS = ("rebasin_fast", "scipy", "old", "new")
Row = dict[str, Any]


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


def row_of(case: Case, cost: np.ndarray, timing: Timing) -> Row:
    """Return what the table says of one case; a ratio is None where a solver is missing."""
    seconds = timing.seconds
    ours = seconds.get("rebasin_fast", seconds.get("new"))
    rivals = {k: s for k, s in seconds.items() if k not in NOT_RIVALS and k not in timing.wrong}
    best = min(rivals, key=lambda name: rivals[name]) if rivals else None
    row: Row = {
        "case": case.label,
        "family": case.family,
        "rows": case.rows,
        "columns": case.columns,
        "dtype": str(cost.dtype),
        "forbidden": case.forbidden,
        "ours_ms": 1e3 * ours if ours else None,
        "scipy": seconds["scipy"] / ours if ours and "scipy" in seconds else None,
        "best_rival": best,
        "rival": rivals[best] / ours if ours and best else None,
        "old": seconds["old"] / seconds["new"] if "old" in seconds and "new" in seconds else None,
        "wrong": timing.wrong,
        "left_out": timing.left_out,
        "seconds": seconds,
    }
    return row


def counters_of(cost: np.ndarray) -> Row:
    try:
        counters: Row = dict(core.assignment_counters(cost, False))
    except ValueError as error:
        return {"error": str(error)}
    counters["reads"] = counters["entries_read"] / cost.size
    return counters


def ratio(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}" if value < 10 else f"{value:.0f}"


def work_of(counters: Row) -> str:
    """Return what the solver did, in reads of the matrix and in the other counters that are not zero."""
    others = {
        key: value for key, value in counters.items() if key not in ("reads", "entries_read", "list_bytes")
    }
    shown = [f"{key} {value}" for key, value in others.items() if value]
    return ", ".join(([f"reads {counters['reads']:.1f}"] if "reads" in counters else []) + shown)


def show(row: Row) -> str:
    wrong = {name: f"{surplus:.0e}" for name, surplus in row["wrong"].items()}
    work = work_of(row.get("counters", {}))
    return (
        f"{row['case']:<34} {row['dtype']:<8}{row['ours_ms'] or 0:10.4f} ms  scipy {ratio(row['scipy']):>6}"
        f"  rival {ratio(row['rival']):>6} {row['best_rival'] or '':<20}"
        + (f" old/new {ratio(row['old']):>5}" if row["old"] else "")
        + f"  {work}"
        + (f"  WRONG {wrong}" if "rebasin_fast" in wrong or "new" in wrong else "")
    )


def badness(row: Row) -> float:
    """Return how far the row is from its targets: 1 against SciPy, a half against the best rival."""
    return min(row["scipy"] or 99.0, 2 * (row["rival"] or 99.0), row["old"] or 99.0)


def summary(rows: list[Row]) -> list[str]:
    lines = []
    for name in ("scipy", "rival", "old"):
        values = sorted(row[name] for row in rows if row[name] is not None)
        if values:
            lost = sum(value < 1 for value in values)
            half = sum(value < 0.5 for value in values)
            lines.append(
                f"{name}/ours: median {statistics.median(values):.2f}, least {values[0]:.3g}, "
                f"{lost} of {len(values)} below 1, {half} below 0.5"
            )
    return lines


def report(rows: list[Row], versions: dict[str, str], missing: list[str]) -> str:
    header = ["matrices", "type", "ours, ms", "SciPy / ours", "best rival / ours", "best rival"]
    old = any(row["old"] for row in rows)
    table = [
        [
            row["case"],
            row["dtype"],
            f"{row['ours_ms']:.3g}" if row["ours_ms"] else "–",
            ratio(row["scipy"]),
            ratio(row["rival"]),
            row["best_rival"] or "–",
            *([ratio(row["old"])] if old else []),
        ]
        for row in sorted(rows, key=badness)
    ]
    solvers = ", ".join(f"{name} {version}" for name, version in versions.items())
    text = [environment_line(), "", f"Solvers: {solvers}.", *missing, "", *summary(rows), ""]
    return "\n".join([*text, markdown_table(header + ["old / new"] * old, table)])


def measure(cases: Iterable[Case], solvers: list[Rival], options: argparse.Namespace) -> list[Row]:
    rows: list[Row] = []
    for case in cases:
        if time.process_time() > options.seconds:
            print(f"stopped after {options.seconds:.0f} s of processor time at {case.label}")
            break
        small = case.rows * case.columns <= 40_000
        costs = [case.instance(seed) for seed in range(options.instances if small else 2)]
        row = row_of(case, costs[0], compare(solvers, costs, options.budget))
        if options.counters:
            row["counters"] = counters_of(costs[0])
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
    if options.quick:
        return (case for case in quick() if case.family in families)
    if options.everything:
        sizes, shapes = [2, 5, 10, 20, 40, 64, 65, 100, 200, 400, 1000, 2000], list(SHAPES)
        types = ["float32", "float64", "int64", "uint8"]
        return product(families, sizes, shapes, types, [0.0, 0.3])
    sizes = [int(n) for n in options.sizes.split(",")]
    shares = [float(share) for share in options.forbidden.split(",")]
    return product(families, sizes, options.shapes.split(","), options.dtypes.split(","), shares)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--everything", action="store_true", help="hours; stop it with --seconds")
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
    parser.add_argument("--counters", action="store_true", help="what our solver did, in the rows too")
    parser.add_argument("--output", default="everybody", help="name of the files in results/")
    parser.add_argument("--folder", type=Path, default=RESULTS)
    options = parser.parse_args()
    options.budget = options.budget or (0.01 if options.quick else 0.05)
    for name in ONE_THREAD:
        os.environ.setdefault(name, "1")
    solvers, missing = load()
    if options.quick and not options.solvers:
        solvers = [solver for solver in solvers if not solver.general]
    if options.old:
        solvers += old_and_new(options.old)
    if options.solvers:
        solvers = [solver for solver in solvers if solver.name in options.solvers.split(",")]
    for line in missing:
        print("skipped", line)
    versions = {solver.name: solver.version for solver in solvers}
    print(versions, "simd", core.simd_level())
    rows = measure(chosen(options), solvers, options)
    print("\nworst:")
    for row in sorted(rows, key=badness)[:40]:
        print(show(row))
    print("\n".join(summary(rows)))
    text = report(rows, versions, missing)
    write_results(
        options.output, {"versions": versions, "missing": missing, "rows": rows}, text, options.folder
    )
    print(f"{time.process_time():.0f} s of processor time")
    return 0


if __name__ == "__main__":
    sys.exit(main())
