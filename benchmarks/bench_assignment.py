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

import argparse
import itertools
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from assignment.rivals import Rival, load, pairs_of
from assignment.weights import FAMILIES, Matrix, trained

import rebasin_fast as rf
import rebasin_fast._core as core

RESULTS = Path(__file__).parent / "results"
DEFAULT_SIZES = [64, 256, 512, 1024, 2048]


def machine() -> dict[str, str]:
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line
        ]
        model = f"{names[0]}, {len(names)} threads" if names else model
    return {
        "cpu": model,
        "load_average": f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "simd": core.simd_level(),
    }


Clock = Callable[[], float]


def timed(rival: Rival, cost: Matrix, clock: Clock) -> tuple[float, object]:
    start = clock()
    answer = rival.solve(cost)
    return clock() - start, answer


def measure(
    rivals: list[Rival], instances: list[Matrix], budget: float, limit: float, clock: Clock
) -> dict[str, dict[str, float]]:
    """Interleave runs of each solver until `budget` seconds are spent on it; slower than `limit`: one run.

    Every round is another instance, the same for all solvers; all are solved by all. Each round begins with
    another solver, since the first one fetches the matrix for the others.
    """
    cost = instances[0]
    able = [rival for rival in rivals if not rival.refuses(cost) and not rival.general]
    times: dict[str, list[float]] = {rival.name: [] for rival in able}
    totals: dict[str, float] = {}
    for round_ in range(200):
        cost = instances[round_ % len(instances)]
        first = round_ % len(able)
        for rival in able[first:] + able[:first]:
            spent = sum(times[rival.name])
            if round_ >= len(instances) and (spent > budget or times[rival.name][0] > limit):
                continue
            seconds, answer = timed(rival, cost, clock)
            times[rival.name].append(seconds)
            if round_ > 0:
                continue
            totals[rival.name] = float(cost[pairs_of(answer)].astype(np.float64).sum())
        if round_ + 1 >= len(instances) and all(sum(t) > budget or t[0] > limit for t in times.values()):
            break
    return {
        name: {
            "median_ms": 1e3 * statistics.median(t),
            "least_ms": 1e3 * min(t),
            "most_ms": 1e3 * max(t),
            "runs": len(t),
            "total": totals[name],
        }
        for name, t in times.items()
    }


def summarise(family: str, cost: Matrix, found: dict[str, dict[str, float]]) -> dict[str, object]:
    result = rf.solve_assignment(cost)
    counters = core.assignment_counters(cost, False)
    ours = found["rebasin_fast"]["median_ms"]
    others = {k: v["median_ms"] for k, v in found.items() if k not in ("rebasin_fast", "scipy")}
    best = min(others, key=lambda name: others[name]) if others else None
    worse = [
        name
        for name, v in found.items()
        if abs(v["total"] - result.objective) > 1e-9 * max(1.0, abs(result.objective))
    ]
    return {
        "family": family,
        "n": cost.shape[0],
        "m": cost.shape[1],
        "ours_ms": ours,
        "scipy_ms": found["scipy"]["median_ms"],
        "against_scipy": found["scipy"]["median_ms"] / ours,
        "best_rival": best,
        "best_rival_ms": others[best] if best else None,
        "against_best_rival": others[best] / ours if best else None,
        "gap": result.gap,
        "other_totals": worse,
        "reads": counters.entries_read / cost.size,
        "counters": dict(zip(counters.__match_args__, counters, strict=True)),
        "solvers": found,
    }


def show(row: dict[str, object]) -> str:
    rival = (
        f"{row['best_rival']:>14} {row['best_rival_ms']:9.3f}  x{row['against_best_rival']:6.1f}"
        if row["best_rival"]
        else f"{'-':>14} {'':9}  {'':7}"
    )
    return (
        f"{row['family']:>16} {row['n']:5d}x{row['m']:<5d} {row['ours_ms']:9.3f} ms"
        f" | scipy {row['scipy_ms']:9.3f}  x{row['against_scipy']:6.1f} | {rival}"
        f" | gap {row['gap']:.0e} | {row['reads']:6.1f} reads"
        + (f" | other totals: {row['other_totals']}" if row["other_totals"] else "")
    )


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


def write(path: Path, report: dict[str, object]) -> None:
    """Write what is known so far, so that a stopped run loses nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n")


def extras() -> list[dict[str, object]]:
    """Batches, second solves, and calls on tiny matrices."""
    from assignment.extras import batch, second_solves, tiny_calls

    return [*tiny_calls(), *batch(), *second_solves()]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
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
    rivals, missing = load()
    for line in missing:
        print("skipped", line)
    if options.solvers:
        wanted = {"rebasin_fast", "scipy", *options.solvers.split(",")}
        rivals = [rival for rival in rivals if rival.name in wanted]
    report: dict[str, object] = {
        "machine": machine(),
        "versions": {rival.name: rival.version for rival in rivals},
        "missing": missing,
    }
    print(json.dumps(report, indent=1))
    rows: list[dict[str, Any]] = []
    if options.merge and options.output.exists():
        earlier = json.loads(options.output.read_text())
        rows = earlier.get("rows", [])
        report |= {key: earlier[key] for key in ("extras",) if key in earlier}
    report["rows"] = rows
    sizes = [int(n) for n in options.sizes.split(",")]
    clock = time.thread_time if options.processor_time else time.perf_counter
    chosen = [problems(options.families.split(","), sizes, options.instances)]
    for item in filter(None, options.large.split(",")):
        family, n = item.rsplit(":", 1)
        chosen.append(problems([family], [int(n)], options.instances))
    for family, instances in itertools.chain(*chosen):
        cost = instances[0]
        row = summarise(family, cost, measure(rivals, instances, options.budget, options.limit, clock))
        rows = [old for old in rows if (old["family"], old["n"], old["m"]) != (family, *cost.shape)]
        rows.append(row)
        print(show(row), flush=True)
        report["rows"] = rows
        write(options.output, report)  # what a stopped run has measured so far
    if options.extras:
        report["extras"] = extras()
        for line in report["extras"]:  # type: ignore[attr-defined]
            print(json.dumps(line), flush=True)
    write(options.output, report)
    if options.plots:
        from assignment.plots import draw

        for path in draw(sorted(rows, key=lambda row: row["n"]), options.output.parent):
            print("drew", path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
