"""The linear assignment problem in integers: slow, obvious, and exact for every finite matrix.

Any float64 or integer matrix is a matrix of integers times a power of two. The Hungarian method on Python's
integers rounds nothing, so what it finds is the optimum in real arithmetic.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations
from typing import Any

import numpy as np
import scipy.optimize


def to_integers(cost: np.ndarray) -> tuple[np.ndarray, int, np.ndarray]:
    """Integers (dtype object) and an exponent, cost = integers * 2**exponent, and a mask of forbidden entries."""
    cost = np.asarray(cost)
    if cost.dtype.kind in "iub":
        return cost.astype(object), 0, np.zeros(cost.shape, bool)
    wide = cost.astype(np.float64)
    forbidden = np.isinf(wide)
    fraction, exponent = np.frexp(np.where(forbidden, 0.0, wide))
    mantissa = np.ldexp(fraction, 53).astype(np.int64)
    exponent = exponent.astype(np.int64) - 53
    nonzero = mantissa != 0
    lowest = int(exponent[nonzero].min(initial=1024))
    shift = np.where(nonzero, exponent - lowest, 0)
    integers = np.left_shift(mantissa.astype(object), shift.astype(object))
    return integers, lowest, forbidden


def total_of(integers: np.ndarray, columns: np.ndarray) -> int:
    """Total of an assignment given as a column, or -1, per row."""
    return sum(int(integers[i, j]) for i, j in enumerate(np.asarray(columns).tolist()) if j >= 0)


def least_total(integers: np.ndarray, forbidden: np.ndarray) -> int | None:
    """The least total of a complete assignment; None when every one uses a forbidden entry."""
    if integers.shape[0] > integers.shape[1]:
        integers, forbidden = integers.T, forbidden.T
    n = len(integers)
    if n == 0:
        return 0
    low = min((int(x) for x in integers[~forbidden].tolist()), default=0)
    high = max((int(x) for x in integers[~forbidden].tolist()), default=0)
    shifted = integers - low
    beyond = (high - low + 1) * (n + 1)
    shifted[forbidden] = beyond
    largest = beyond if forbidden.any() else high - low
    narrow = largest * 4 * (n + 1) < 2**62
    columns = _hungarian(shifted.astype(np.int64) if narrow else shifted)
    if any(forbidden[i, j] for i, j in enumerate(columns)):
        return None
    return total_of(integers, columns)


def _hungarian(cost: np.ndarray) -> np.ndarray:
    """A column per row for n <= m, by shortest augmenting paths; cost of int64 or of Python's integers."""
    if cost.dtype == np.int64 and cost.max(initial=0) * (len(cost) + 1) < 2**52:
        # Every sum that SciPy forms is an integer below 2**53.
        return scipy.optimize.linear_sum_assignment(cost)[1]
    n, m = cost.shape
    u = np.zeros(n, cost.dtype)
    v = np.zeros(m, cost.dtype)
    row_of = np.full(m, -1)
    for start in range(n):
        row = start
        distance = cost[row] - v - u[row]
        previous = np.full(m, -1)
        scanned = np.zeros(m, bool)
        while True:
            open_columns = np.flatnonzero(~scanned)
            column = int(open_columns[np.argmin(distance[open_columns])])
            if row_of[column] < 0:
                break
            scanned[column] = True
            row = int(row_of[column])
            offered = distance[column] + (cost[row] - v - u[row])
            nearer = (offered < distance) & ~scanned
            distance[nearer] = offered[nearer]
            previous[nearer] = column
        reached = distance[column]
        u[start] += reached
        for k in np.flatnonzero(scanned).tolist():
            u[row_of[k]] += reached - distance[k]
            v[k] -= reached - distance[k]
        while previous[column] >= 0:
            row_of[column] = row_of[previous[column]]
            column = int(previous[column])
        row_of[column] = start
    columns = np.full(n, -1)
    for j in np.flatnonzero(row_of >= 0).tolist():
        columns[row_of[j]] = j
    return columns


def enumerate_least_total(integers: np.ndarray, forbidden: np.ndarray) -> int | None:
    """As least_total, by trying every assignment; for tiny matrices."""
    if integers.shape[0] > integers.shape[1]:
        integers, forbidden = integers.T, forbidden.T
    n, m = integers.shape
    totals = [
        total_of(integers, np.array(choice))
        for choice in permutations(range(m), n)
        if not any(forbidden[i, j] for i, j in enumerate(choice))
    ]
    return min(totals, default=None)


def best_total(cost: np.ndarray, *, maximize: bool = False) -> Fraction | None:
    """The optimum in real arithmetic; None when there is no assignment."""
    integers, exponent, forbidden = to_integers(cost)
    best = least_total(-integers if maximize else integers, forbidden)
    return None if best is None else Fraction(-best if maximize else best) * Fraction(2) ** exponent


def excess(cost: np.ndarray, columns: Any, *, maximize: bool = False) -> Fraction:
    """How far an assignment is from the optimum in real arithmetic; 0 for an optimum."""
    integers, exponent, forbidden = to_integers(cost)
    integers = -integers if maximize else integers
    best = least_total(integers, forbidden)
    assert best is not None
    return Fraction(total_of(integers, columns) - best) * Fraction(2) ** exponent


def rounded_total(cost: np.ndarray, columns: Any) -> float:
    """The total in real arithmetic, rounded once to float64."""
    integers, exponent, _ = to_integers(cost)
    total = Fraction(total_of(integers, columns)) * Fraction(2) ** exponent
    try:
        return float(total)
    except OverflowError:
        return float("inf") if total > 0 else float("-inf")
