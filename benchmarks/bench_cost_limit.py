"""Assignments where a pair dearer than a limit is better left unmatched, beside the extended matrix and the rivals.

    python benchmarks/bench_cost_limit.py              # half a minute

A row and a column may stay unmatched at half of the limit each. Ours is `solve_assignment(cost,
cost_limit=limit)`; SciPy and ours again solve the extended matrix [[C, L/2], [L/2, 0]], the forming of which
is part of their time; lap and lapx have the limit of their own. All must reach the same total. The numbers
are medians of the thread's processor time over instances, interleaved. Ratios below 1 are rows that we lose.
Writes `results/cost_limit.json` and `results/cost_limit.md`.
"""

from __future__ import annotations

import argparse
import importlib
import math
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from assignment.cases import Case
from assignment.report import ratio
from assignment.rivals import pairs_of
from environment import RESULTS, environment_line, markdown_table, write_results
from scipy.optimize import linear_sum_assignment as scipy_solve

import rebasin_fast as rf

Solver = Callable[[np.ndarray, float], Any]
# (family, limit)
PROBLEMS = [
    ("IoU, lost tracks", 0.8),
    ("IoU, crowd", 0.8),
    ("IoU, all lost", 0.8),
    ("embeddings", 0.4),
    ("particles", 1.0),
    ("uniform", 0.1),
]


def extended(cost: np.ndarray, limit: float) -> np.ndarray:
    n, m = cost.shape
    whole = np.full((n + m, n + m), limit / 2, cost.dtype)
    whole[:n, :m] = cost
    whole[n:, m:] = 0
    return whole


def real_pairs(cost: np.ndarray, answer: Any) -> Any:
    """Return the pairs of an extended answer that lie in the matrix."""
    rows, columns = answer
    inside = (rows < cost.shape[0]) & (columns < cost.shape[1])
    return rows[inside], columns[inside]


def solvers() -> dict[str, Solver]:
    found: dict[str, Solver] = {
        "ours": lambda c, limit: np.asarray(rf.solve_assignment(c, cost_limit=limit).columns),
        "ours, extended": lambda c, limit: real_pairs(c, rf.linear_sum_assignment(extended(c, limit))),
        "scipy, extended": lambda c, limit: real_pairs(c, scipy_solve(extended(c, limit))),
    }
    try:
        lap: Any = importlib.import_module("lap")
    except ImportError:
        print("skipped lapx")
        return found
    found["lapx.lapjv"] = lambda c, limit: lap.lapjv(
        c, extend_cost=True, cost_limit=limit, return_cost=False
    )[0]
    for name in ("lapjvr", "lapjvh"):
        solve = getattr(lap, name, None)
        if solve is not None:
            found[f"lapx.{name}"] = _limited(solve)
    return found


def _limited(solve: Callable[..., Any]) -> Solver:
    return lambda c, limit: solve(c, cost_limit=limit, return_cost=False)


def total(cost: np.ndarray, limit: float, answer: Any) -> float:
    """Return the pairs' costs and half of the limit for every row and column without one."""
    rows, columns = pairs_of(answer)
    unmatched = sum(cost.shape) - 2 * len(rows)
    return math.fsum([*cost[rows, columns].tolist(), unmatched * limit / 2])


def measure(costs: list[np.ndarray], limit: float, repeats: int) -> tuple[dict[str, float], list[str]]:
    """Return medians in seconds, and the names of solvers whose total is not the least."""
    times: dict[str, list[float]] = {}
    totals: dict[str, list[float]] = {}
    entries = solvers()
    names = list(entries)
    for round_ in range(repeats * len(costs)):
        cost = costs[round_ % len(costs)]
        first = round_ % len(names)
        for name in names[first:] + names[:first]:
            start = time.thread_time()
            answer = entries[name](cost, limit)
            times.setdefault(name, []).append(time.thread_time() - start)
            if round_ < len(costs):
                totals.setdefault(name, []).append(total(cost, limit, answer))
    least = [min(values) for values in zip(*totals.values(), strict=True)]
    wrong = [
        name
        for name, values in totals.items()
        if any(value > low + 1e-6 * max(1.0, abs(low)) for value, low in zip(values, least, strict=True))
    ]
    # The first round of each instance is not counted: it fetches code and memory for the others.
    return {name: statistics.median(spent[len(costs) :]) for name, spent in times.items()}, wrong


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="40,100,300,600")
    parser.add_argument("--repeats", type=int, default=4)
    parser.add_argument("--folder", type=Path, default=RESULTS)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for family, limit in PROBLEMS:
        for n in map(int, options.sizes.split(",")):
            costs = [Case(family, n, n + n // 10).instance(seed) for seed in range(3)]
            seconds, wrong = measure(costs, limit, options.repeats)
            ours = seconds["ours"]
            rivals = {k: s for k, s in seconds.items() if k.startswith("lap") and k not in wrong}
            best = min(rivals, key=lambda name: rivals[name]) if rivals else None
            row = {
                "problem": f"{family} {n}x{n + n // 10} {costs[0].dtype}, limit {limit}",
                "ours_ms": 1e3 * ours,
                "ours_extended": seconds["ours, extended"] / ours,
                "scipy_extended": seconds["scipy, extended"] / ours,
                "best_rival": best,
                "rival": rivals[best] / ours if best else None,
                "wrong": wrong,
                "seconds": seconds,
            }
            rows.append(row)
            print({key: value for key, value in row.items() if key != "seconds"}, flush=True)
    header = [
        "problem",
        "ours, ms",
        "ours, extended",
        "SciPy, extended",
        "rival / ours",
        "best rival",
        "not optimal",
    ]
    table = [
        [
            row["problem"],
            f"{row['ours_ms']:.3g}",
            *(ratio(row[key]) for key in ("ours_extended", "scipy_extended", "rival")),
            row["best_rival"] or "–",
            ", ".join(row["wrong"]) or "–",
        ]
        for row in rows
    ]
    text = "\n".join([environment_line(), "", markdown_table(header, table)])
    write_results("cost_limit", {"rows": rows}, text, options.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
