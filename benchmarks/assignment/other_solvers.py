"""Solvers of batches, priced problems, the k best, the bottleneck and sparse costs."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment as scipy_solve

import rebasin_fast as rf
from assignment.rival import Rival, Solver, version_of

# Batches of small problems: one call of ours, loops over single calls, and the rivals' batch functions, one thread.


def our_batches() -> list[Rival]:
    return [
        Rival("rebasin_fast", rf.__version__, lambda costs: rf.solve_assignment(costs, threads=1)),
        Rival("our loop", rf.__version__, lambda costs: [rf.linear_sum_assignment(c) for c in costs]),
        Rival("our loop, duals", rf.__version__, lambda costs: [rf.solve_assignment(c) for c in costs]),
        Rival("scipy", version_of("scipy"), lambda costs: [scipy_solve(c) for c in costs]),
    ]


def batches_of(module_name: str, label: str, *functions: str) -> list[Rival]:
    module: Any = importlib.import_module(module_name)
    options: dict[str, Any] = {"n_threads": 1}
    if module_name != "fastlap":
        options |= {"extend_cost": True, "return_cost": False}
    return [
        Rival(f"{label}.{name}", version_of(label), partial(getattr(module, name), **options))
        for name in functions
        if hasattr(module, name)
    ]


def py_lap_solver_batches() -> list[Rival]:
    solvers: Any = importlib.import_module("py_lap_solver.solvers")
    return [
        Rival(
            "py-lap-solver",
            version_of("py-lap-solver"),
            solvers.BatchedScipySolver(use_openmp=False).batch_solve,
        )
    ]


# Problems with a price for rows and columns that stay unmatched, half of the limit each.


def _extended(cost: np.ndarray, limit: float) -> np.ndarray:
    n, m = cost.shape
    whole = np.full((n + m, n + m), limit / 2, cost.dtype)
    whole[:n, :m] = cost
    whole[n:, m:] = 0
    return whole


def _by_extension(solve: Solver, problem: tuple[np.ndarray, float]) -> Any:
    """Return the pairs of the extended problem's answer that lie in the matrix."""
    cost, limit = problem
    rows, columns = solve(_extended(cost, limit))
    inside = (rows < cost.shape[0]) & (columns < cost.shape[1])
    return rows[inside], columns[inside]


def our_priced() -> list[Rival]:
    def solve(problem: tuple[np.ndarray, float]) -> np.ndarray:
        return np.asarray(rf.solve_assignment(problem[0], cost_limit=problem[1]).columns)

    return [
        Rival("rebasin_fast", rf.__version__, solve),
        Rival("ours, extended", rf.__version__, partial(_by_extension, rf.linear_sum_assignment)),
        Rival("scipy", version_of("scipy"), partial(_by_extension, scipy_solve)),
    ]


def lapx_priced() -> list[Rival]:
    lap: Any = importlib.import_module("lap")

    def lapjv(problem: Any) -> Any:
        return lap.lapjv(problem[0], extend_cost=True, cost_limit=problem[1], return_cost=False)[0]

    def limited(solve: Callable[..., Any]) -> Solver:
        return lambda problem: solve(problem[0], cost_limit=problem[1], return_cost=False)

    version = version_of("lapx")
    others = [
        Rival(f"lapx.{name}", version, limited(getattr(lap, name)))
        for name in ("lapjvr", "lapjvh")
        if hasattr(lap, name)
    ]
    return [Rival("lapx.lapjv", version, lapjv), *others]


# The k best assignments, the bottleneck assignment, and sparse costs: totals as answers.


def k_best() -> list[Rival]:
    fastlap: Any = importlib.import_module("fastlap")
    return [
        Rival("rebasin_fast", rf.__version__, lambda p: rf.k_best_assignments(*p).objectives),
        Rival(
            "fastlap",
            version_of("fastlap"),
            lambda p: [total for total, _, _ in fastlap.solve_lap_kbest(*p)],
        ),
    ]


def bottleneck() -> list[Rival]:
    fastlap: Any = importlib.import_module("fastlap")
    return [
        Rival("rebasin_fast", rf.__version__, lambda c: rf.bottleneck_assignment(c).bottleneck),
        Rival("fastlap", version_of("fastlap"), lambda c: fastlap.solve_lbap(c)[0]),
    ]


def sparse() -> list[Rival]:
    csgraph: Any = importlib.import_module("scipy.sparse.csgraph")

    def solve(cost: Any) -> float:
        rows, columns = csgraph.min_weight_full_bipartite_matching(cost)
        return float(cost[rows, columns].sum())

    return [
        Rival("rebasin_fast", rf.__version__, lambda c: float(rf.solve_assignment(c).objective)),
        Rival("scipy", version_of("scipy"), solve, may_hang=True),
    ]


def lapmod() -> list[Rival]:
    lap: Any = importlib.import_module("lap")

    def solve(cost: Any) -> float:
        return float(lap.lapmod(cost.shape[0], cost.data, cost.indptr, cost.indices)[0])

    return [Rival("lapmod", version_of("lapx"), solve, square_only=True, may_hang=True)]
