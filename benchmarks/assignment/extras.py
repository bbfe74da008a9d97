"""Timings of the assignment solver that fit no table of matrices: tiny calls, batches, second solves."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
from scipy.optimize import linear_sum_assignment as scipy_solve

import rebasin_fast as rf
import rebasin_fast._core as core
from assignment.rivals import load
from assignment.weights import gram, trained


def median_ms(functions: list[Callable[[], object]], repeats: int) -> list[float]:
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(repeats):
        for function, spent in zip(functions, times, strict=True):
            start = time.perf_counter()
            function()
            spent.append(time.perf_counter() - start)
    return [1e3 * statistics.median(spent) for spent in times]


def tiny_calls() -> list[dict[str, object]]:
    """Single calls on matrices so small that the call itself counts."""
    rows: list[dict[str, object]] = []
    others = [rival for rival in load()[0] if rival.name not in ("rebasin_fast", "scipy")]
    for n in (4, 8, 16, 32):
        cost = gram(n, np.random.default_rng(n))
        solvers: list[Callable[[], object]] = [
            lambda c=cost: rf.linear_sum_assignment(c),
            lambda c=cost: scipy_solve(c),
            *(lambda solve=rival.solve, c=cost: solve(c) for rival in others),
        ]
        ours, scipy, *rivals = median_ms(solvers, 3000)
        row: dict[str, object] = {
            "what": "one call",
            "n": n,
            "ours_us": 1e3 * ours,
            "against_scipy": scipy / ours,
        }
        if rivals:
            best = min(rivals)
            row |= {"best_rival": others[rivals.index(best)].name, "against_best_rival": best / ours}
        rows.append(row)
    return rows


def batch() -> list[dict[str, object]]:
    """208 problems in one call, against the other solvers called one after the other."""
    costs = np.stack([gram(300, np.random.default_rng(k)) for k in range(208)])
    names = ["1 thread", "2 threads"]
    solvers: list[Callable[[], object]] = [
        lambda: rf.solve_assignment(costs, threads=1),
        lambda: rf.solve_assignment(costs, threads=2),
    ]
    for rival in load()[0]:
        if rival.name == "rebasin_fast":
            continue
        names.append(rival.name)
        solvers.append(lambda solve=rival.solve: [solve(cost) for cost in costs])
    times = dict(zip(names, median_ms(solvers, 3), strict=True))
    rivals = {name: ms for name, ms in times.items() if name not in ("1 thread", "2 threads", "scipy")}
    best = min(rivals, key=lambda name: rivals[name]) if rivals else None
    return [
        {
            "what": "208 of 300x300",
            "threads": threads,
            "ours_ms": ours,
            "against_scipy_loop": times["scipy"] / ours,
            "best_rival": best,
            "against_best_rival_loop": rivals[best] / ours if best else None,
        }
        for threads, ours in ((1, times["1 thread"]), (2, times["2 threads"]))
    ]


def second_solves() -> list[dict[str, object]]:
    """Second solves from the first one's duals, after changes of the costs."""
    matrices = {
        "gram 512": gram(512, np.random.default_rng(0)),
        "gram 2048": gram(2048, np.random.default_rng(0)),
    }
    matrices |= {f"{name} {n}": np.ascontiguousarray(cost) for (name, n), cost in trained().items()}
    rows = []
    for name, cost in matrices.items():
        start = rf.solve_assignment(cost)
        rng = np.random.default_rng(1)
        noise = cost.std() * rng.standard_normal(cost.shape, dtype=np.float32)
        for change, changed in {
            "unchanged": cost,
            "noise 1e-3": cost + np.float32(1e-3) * noise,
            "noise 1e-2": cost + np.float32(1e-2) * noise,
            "noise 1e-1": cost + np.float32(1e-1) * noise,
        }.items():
            cold, warm = median_ms(
                [
                    lambda c=changed: rf.solve_assignment(c),
                    lambda c=changed, s=start: rf.solve_assignment(c, warm_start=s),
                ],
                15,
            )
            counters = core.assignment_counters(changed, False, (start.row_duals, start.column_duals))
            rows.append(
                {
                    "what": "second solve",
                    "matrix": name,
                    "change": change,
                    "cold_ms": cold,
                    "warm_ms": warm,
                    "gain": cold / warm,
                    "reads": counters.entries_read / changed.size,
                }
            )
    return rows
