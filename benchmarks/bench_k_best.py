"""The k best and the bottleneck assignments beside fastlap: processor time, medians, interleaved, one thread.

    pip install fastlap==0.4.0
    python benchmarks/bench_k_best.py [--seconds 2]

Each row: the family, n x m, k, our time, fastlap's / ours, and whether the totals agree.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import fastlap
import numpy as np
from environment import markdown_table
from numpy.typing import NDArray

import rebasin_fast as rf

Costs = NDArray[np.float64]
Family = Callable[[np.random.Generator, int], Costs]


def uniform(rng: np.random.Generator, n: int) -> Costs:
    return rng.random((n, n))


def wide(rng: np.random.Generator, n: int) -> Costs:
    return rng.random((n, 2 * n))


def plane(rng: np.random.Generator, n: int) -> Costs:
    """Distances between points and noisy copies of them, as one scan after another."""
    points = rng.random((n, 2))
    moved = points + rng.normal(0, 0.3 / np.sqrt(n), (n, 2))
    return np.hypot(*(points[:, None] - moved[None]).transpose(2, 0, 1))


def gated(rng: np.random.Generator, n: int) -> Costs:
    """The same beyond a gate 1e6, which rivals without forbidden entries need; beside a miss block."""
    near = plane(rng, n)
    gate = 1.5 / np.sqrt(n)
    missed = np.where(np.eye(n, dtype=bool), gate, 1e6)
    return np.hstack([np.where(near > gate, 1e6, near), missed])


def integers(rng: np.random.Generator, n: int) -> Costs:
    return rng.integers(0, 100, (n, n)).astype(np.float64)


FAMILIES: dict[str, Family] = {f.__name__: f for f in (uniform, wide, plane, gated, integers)}
K_BEST = [(5, 10), (10, 10), (10, 100), (20, 100), (20, 1000), (50, 10), (50, 100), (100, 10), (100, 100)]
BOTTLENECK = [5, 20, 100, 500, 1000]


def medians(functions: list[Callable[[], object]], seconds: float) -> list[float]:
    """Median processor times of calls in turn, at least one round."""
    times: list[list[float]] = [[] for _ in functions]
    for function in functions[:1]:
        function()
    begin = time.process_time()
    while len(times[0]) < 51:
        for function, spent in zip(functions, times, strict=True):
            start = time.process_time()
            function()
            spent.append(time.process_time() - start)
        if time.process_time() - begin > seconds:
            break
    return [statistics.median(spent) for spent in times]


def k_best_rows(seconds: float) -> list[list[str]]:
    rows = []
    for name, family in FAMILIES.items():
        for n, k in K_BEST:
            cost = family(np.random.default_rng(n), n)
            ours, theirs = medians(
                [
                    lambda c=cost, k=k: rf.k_best_assignments(c, k),
                    lambda c=cost, k=k: fastlap.solve_lap_kbest(c, k),
                ],
                seconds,
            )
            totals = [total for total, _, _ in fastlap.solve_lap_kbest(cost, k)]
            found = rf.k_best_assignments(cost, k)
            assert found.certified
            agree = len(totals) == len(found) and np.allclose(totals, found.objectives, rtol=1e-9)
            shape = f"{cost.shape[0]} x {cost.shape[1]}"
            rows.append([name, shape, str(k), f"{1e3 * ours:.3f}", f"{theirs / ours:.1f}", str(agree)])
    return rows


def bottleneck_rows(seconds: float) -> list[list[str]]:
    rows = []
    for name, family in FAMILIES.items():
        for n in BOTTLENECK:
            cost = family(np.random.default_rng(n), n)
            ours, theirs = medians(
                [lambda c=cost: rf.bottleneck_assignment(c), lambda c=cost: fastlap.solve_lbap(c)], seconds
            )
            agree = fastlap.solve_lbap(cost)[0] == rf.bottleneck_assignment(cost).bottleneck
            shape = f"{cost.shape[0]} x {cost.shape[1]}"
            rows.append([name, shape, f"{1e3 * ours:.3f}", f"{theirs / ours:.1f}", str(agree)])
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="processor time a row")
    arguments = parser.parse_args()
    measured = ["ours, ms", "fastlap / ours"]
    print(f"k best, fastlap {fastlap.__version__}\n")
    print(markdown_table(["family", "shape", "k", *measured, "totals agree"], k_best_rows(arguments.seconds)))
    print("\nbottleneck\n")
    print(markdown_table(["family", "shape", *measured, "values agree"], bottleneck_rows(arguments.seconds)))
