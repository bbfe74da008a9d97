"""Many small assignment problems in one call, beside loops over single calls and the rivals' batches.

    python benchmarks/bench_batches.py                 # half a minute

A tracker, a detector's training and a bootstrap solve thousands of small problems. Each batch is solved by
one call of ours, by loops of single calls of ours and SciPy's, and by the rivals' batch functions, on one
thread; the numbers are medians of the process's processor time, interleaved. Ratios below 1 are rows that
we lose. Writes `results/batches.json` and `results/batches.md`.
"""

from __future__ import annotations

import argparse
import importlib
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from assignment.cases import ALL
from assignment.report import ratio
from bench_everybody import ONE_THREAD
from environment import RESULTS, environment_line, markdown_table, write_results
from scipy.optimize import linear_sum_assignment as scipy_solve

import rebasin_fast as rf

Batch = np.ndarray
Solver = Callable[[Batch], Any]
# (family, problems, rows, columns)
BATCHES = [
    ("uniform", 2000, 8, 8),
    ("uniform", 2000, 20, 25),
    ("IoU, lost tracks", 2000, 8, 8),
    ("IoU, lost tracks", 2000, 20, 25),
    ("detections", 100, 300, 12),
    ("gram", 200, 64, 64),
    ("IoU, lost tracks", 100, 100, 100),
]


def ours() -> dict[str, Solver]:
    return {
        "batch": lambda costs: rf.solve_assignment(costs, threads=1),
        "our loop": lambda costs: [rf.linear_sum_assignment(cost) for cost in costs],
        "our loop, duals": lambda costs: [rf.solve_assignment(cost) for cost in costs],
        "scipy loop": lambda costs: [scipy_solve(cost) for cost in costs],
    }


def rivals() -> dict[str, Solver]:
    """Return the batch functions of those that are installed."""
    found: dict[str, Solver] = {}

    def module(name: str) -> Any:
        try:
            return importlib.import_module(name)
        except ImportError:
            print("skipped", name)
            return None

    if lap := module("lap"):
        for name in ("lapjvr_batch", "lapjvh_batch", "lapjvx_batch", "lapjvs_batch"):
            if batch := getattr(lap, name, None):
                found[f"lapx.{name}"] = _with_threads(batch, extend_cost=True, return_cost=False)
    for name in ("laprust", "lapcpp"):
        if sibling := module(name):
            found[name] = _with_threads(sibling.lapjv_batch, extend_cost=True, return_cost=False)
    if fastlap := module("fastlap"):
        found["fastlap"] = lambda costs: fastlap.lapjvx_batch(costs, n_threads=1)
    if solvers := module("py_lap_solver.solvers"):
        serial = solvers.BatchedScipySolver(use_openmp=False)
        found["py-lap-solver"] = serial.batch_solve
    return found


def _with_threads(batch: Callable[..., Any], **options: Any) -> Solver:
    return lambda costs: batch(costs, n_threads=1, **options)


def measure(costs: Batch, solvers: dict[str, Solver], repeats: int) -> dict[str, float]:
    """Return medians in seconds; solvers that refuse the batch are left out, slow ones timed once."""
    times: dict[str, list[float]] = {}
    for name, solve in solvers.items():
        try:
            solve(costs[:2])
            times[name] = []
        except Exception as error:
            print(f"  {name} refuses: {error}"[:120])
    names = list(times)
    for round_ in range(repeats):
        if round_ == 1:
            best = min(spent[0] for name, spent in times.items() if name not in ours())
            names = [name for name in names if name in ours() or times[name][0] < 4 * best]
        first = round_ % len(names)
        for name in names[first:] + names[:first]:
            start = time.process_time()
            solvers[name](costs)
            times[name].append(time.process_time() - start)
    return {name: statistics.median(spent) for name, spent in times.items()}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--folder", type=Path, default=RESULTS)
    options = parser.parse_args()
    for name in ONE_THREAD:
        os.environ.setdefault(name, "1")
    others = rivals()
    rows: list[dict[str, Any]] = []
    for family, count, n, m in BATCHES:
        rng = np.random.default_rng((n, m))
        costs = np.stack([np.ascontiguousarray(ALL[family](n, m, rng)) for _ in range(count)])
        seconds = measure(costs, {**ours(), **others}, options.repeats)
        batch = seconds["batch"]
        theirs = {name: spent for name, spent in seconds.items() if name in others}
        best = min(theirs, key=lambda name: theirs[name]) if theirs else None
        rows.append(
            {
                "batch": f"{count} of {family} {n}x{m} {costs.dtype}",
                "ours_us_each": 1e6 * batch / count,
                "our_loop": seconds["our loop"] / batch,
                "our_loop_duals": seconds["our loop, duals"] / batch,
                "scipy_loop": seconds["scipy loop"] / batch,
                "best_rival": best,
                "rival": theirs[best] / batch if best else None,
                "seconds": seconds,
            }
        )
        print({key: value for key, value in rows[-1].items() if key != "seconds"}, flush=True)
    header = [
        "batch",
        "ours, µs each",
        "our loop",
        "our loop with duals",
        "SciPy's loop",
        "best rival",
        "rival",
    ]
    keys = ("our_loop", "our_loop_duals", "scipy_loop", "rival")
    table = [
        [
            row["batch"],
            f"{row['ours_us_each']:.2f}",
            *(ratio(row[key]) for key in keys),
            row["best_rival"] or "–",
        ]
        for row in rows
    ]
    text = "\n".join([environment_line(), "", markdown_table(header, table)])
    write_results("batches", {"rows": rows}, text, options.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
