"""Time assignment solvers against one another.

    python benchmarks/bench_assignment.py                      # the whole table
    python benchmarks/bench_assignment.py --families gram --sizes 64,256,1024

Each solver is timed on the same float32 matrices in one process (eight up to n = 256, else one), its runs
interleaved with the others', and every solver's total is compared with ours. Writes `results/assignment.json`
and, with --plots, a picture. `--extras` times batches, second solves and small calls too.

In pieces, where a machine is quiet for a minute at a time:

    python benchmarks/bench_assignment.py --merge --large "" --families gram,uniform
    python benchmarks/bench_assignment.py --merge --large "" --families "" --extras --plots
"""

from __future__ import annotations

import itertools
import json
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from assignment.report import Row, counters_of, measured, show
from assignment.rival import Rival
from assignment.rivals import OURS, load
from assignment.totals import surplus_of
from assignment.weights import FAMILIES, Matrix, trained
from common.command import command_line
from common.environment import RESULTS, environment
from common.timing import Rules, compare

import rebasin_fast as rf
import rebasin_fast._core as core

DEFAULT_SIZES = [64, 256, 512, 1024, 2048]


def measure(family: str, instances: list[Matrix], solvers: list[Rival], rules: Rules) -> Row:
    cost = instances[0]
    able = [solver for solver in solvers if not solver.general]
    n, m = cost.shape
    return {
        "case": f"{family} {n}x{m}",
        "family": family,
        "n": n,
        "m": m,
        "dtype": str(cost.dtype),
        "gap": rf.solve_assignment(cost).gap,
        "counters": counters_of([cost]),
        **measured(compare(able, instances, rules)),
    }


def problems(families: list[str], sizes: list[int], instances: int) -> Iterator[tuple[str, list[Matrix]]]:
    """Eight instances of a small problem, since single ones differ by a factor of two, else `instances`."""
    if "trained" in families:
        for (name, n), cost in trained().items():
            if n in sizes:
                yield name, [np.ascontiguousarray(cost)]
    for family in families:
        for n in sizes if family in FAMILIES else []:
            count = 8 if n <= 256 else instances
            generators = [np.random.default_rng((n, k)) for k in range(count)]
            yield family, [np.ascontiguousarray(FAMILIES[family](n, rng)) for rng in generators]


def write(path: Path, report: dict[str, Any]) -> None:
    """Write the rows so far, so that a stopped run loses nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n")


def main() -> None:
    parser = command_line(__doc__)
    parser.add_argument("--families", default=",".join(["trained", *FAMILIES]))
    parser.add_argument("--sizes", default=",".join(map(str, DEFAULT_SIZES)))
    parser.add_argument("--budget", type=float, default=0.5, help="seconds per solver and matrix")
    parser.add_argument("--limit", type=float, default=0.5, help="a solver slower than this runs once")
    parser.add_argument(
        "--large", default="gram:4096,gram:8192,uniform:4096,low rank:4096", help="family:n,..."
    )
    parser.add_argument("--solvers", default="", help="names to measure, comma-separated; default: all")
    parser.add_argument("--instances", type=int, default=1, help="of each problem beyond n = 256")
    parser.add_argument(
        "--processor-time", action="store_true", help="time of the thread, for a machine with other work"
    )
    parser.add_argument("--merge", action="store_true", help="keep the output's rows of other problems")
    parser.add_argument("--plots", action="store_true")
    parser.add_argument("--extras", action="store_true")
    parser.add_argument("--output", type=Path, default=RESULTS / "assignment.json")
    options = parser.parse_args()
    solvers, missing = load()
    if options.solvers:
        wanted = {*OURS, *options.solvers.split(",")}
        solvers = [solver for solver in solvers if solver.name in wanted]
    report: dict[str, Any] = {
        "environment": {**environment(), "load": os.getloadavg()[0], "simd": core.simd_level()},
        "versions": {solver.name: solver.version for solver in solvers},
        "missing": missing,
    }
    print(json.dumps(report, indent=1))
    earlier = json.loads(options.output.read_text()) if options.merge and options.output.exists() else {}
    rows: list[Row] = earlier.get("rows", [])
    report |= {"rows": rows, **{key: earlier[key] for key in ("extras",) if key in earlier}}
    clock = time.thread_time if options.processor_time else time.perf_counter
    rules = Rules(options.budget, surplus_of, keep=math.inf, limit=options.limit, clock=clock)
    sizes = [int(n) for n in options.sizes.split(",")]
    chosen = [problems(options.families.split(","), sizes, options.instances)]
    for item in filter(None, options.large.split(",")):
        family, n = item.rsplit(":", 1)
        chosen.append(problems([family], [int(n)], options.instances))
    for family, instances in itertools.chain(*chosen):
        row = measure(family, instances, solvers, rules)
        report["rows"] = rows = [*(old for old in rows if old["case"] != row["case"]), row]
        print(show(row), flush=True)
        write(options.output, report)
    if options.extras:
        from assignment.extras import batch, second_solves, tiny_calls

        report["extras"] = [*tiny_calls(), *batch(), *second_solves()]
        for line in report["extras"]:
            print(json.dumps(line), flush=True)
    write(options.output, report)
    if options.plots:
        from assignment.plots import draw

        for path in draw(sorted(rows, key=lambda row: row["n"]), options.output.parent):
            print("drew", path)


if __name__ == "__main__":
    main()
