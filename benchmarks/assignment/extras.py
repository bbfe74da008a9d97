"""Timings of the assignment solver that fit no table of matrices: tiny calls, batches, second solves."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from common.timing import medians

import rebasin_fast as rf
import rebasin_fast._core as core
from assignment.rivals import load
from assignment.weights import gram, trained


def beside(times: dict[str, float], ours: str, count: int = 1) -> dict[str, object]:
    """Return our time and how many times longer SciPy and the fastest rival take."""
    rivals = {name: t for name, t in times.items() if name != "scipy" and not name.startswith("rebasin_fast")}
    best = min(rivals, key=lambda name: rivals[name]) if rivals else None
    return {
        "ours_us": 1e6 * times[ours] / count,
        "against_scipy": times["scipy"] / times[ours],
        "best_rival": best,
        "against_best_rival": rivals[best] / times[ours] if best else None,
    }


def tiny_calls() -> list[dict[str, object]]:
    """Single calls on matrices so small that the call itself counts."""
    rows = []
    for n in (4, 8, 16, 32):
        cost = gram(n, np.random.default_rng(n))
        programs = {rival.name: (lambda solve=rival.solve, c=cost: solve(c)) for rival in load()[0]}
        times = medians(programs, 3000, clock=time.perf_counter)
        rows.append({"question": "one call", "n": n, **beside(times, "rebasin_fast")})
    return rows


def batch() -> list[dict[str, object]]:
    """208 problems in one call, against the other solvers called one after the other."""
    costs = np.stack([gram(300, np.random.default_rng(k)) for k in range(208)])
    ours: dict[str, Callable[[], object]] = {
        f"rebasin_fast {threads}": lambda threads=threads: rf.solve_assignment(costs, threads=threads)
        for threads in (1, 2)
    }
    loops = {
        rival.name: (lambda solve=rival.solve: [solve(cost) for cost in costs])
        for rival in load()[0]
        if rival.name != "rebasin_fast"
    }
    times = medians({**ours, **loops}, 3, clock=time.perf_counter)
    return [
        {"question": "208 of 300x300", "threads": threads, **beside(times, f"rebasin_fast {threads}", 208)}
        for threads in (1, 2)
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
            programs: dict[str, Callable[[], object]] = {
                "cold": lambda c=changed: rf.solve_assignment(c),
                "warm": lambda c=changed, s=start: rf.solve_assignment(c, warm_start=s),
            }
            cold, warm = medians(programs, 15, clock=time.perf_counter).values()
            counters = core.assignment_counters(changed, False, (start.row_duals, start.column_duals))
            rows.append(
                {
                    "question": "second solve",
                    "matrix": name,
                    "change": change,
                    "cold_ms": 1e3 * cold,
                    "warm_ms": 1e3 * warm,
                    "gain": cold / warm,
                    "reads": counters.entries_read / changed.size,
                }
            )
    return rows
