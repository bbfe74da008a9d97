"""Assignments that leave rows and columns unmatched, by the definitions: the extended matrices, solved by SciPy."""

from fractions import Fraction
from itertools import permutations

import numpy as np
import scipy.optimize


def extended(cost, cost_limit):
    """[[C, L/2], [L/2, 0]] of shape (n + m, n + m)."""
    n, m = cost.shape
    matrix = np.full((n + m, n + m), cost_limit / 2)
    matrix[:n, :m] = cost
    matrix[n:, m:] = 0.0
    return matrix


def with_limit(cost, cost_limit, *, maximize=False):
    """(columns, total of the matched pairs, total with prices) of the extended matrix."""
    n, m = cost.shape
    matrix = extended(cost.astype(np.float64), cost_limit)
    rows, found = scipy.optimize.linear_sum_assignment(matrix, maximize)
    columns = np.where(found[:n] < m, found[:n], -1)
    matched = columns >= 0
    return columns, cost[matched, columns[matched]].astype(np.float64).sum(), matrix[rows, found].sum()


def most_pairs_at_least_cost(cost, *, maximize=False):
    """(number of pairs, exact total) by enumeration; pairs of infinite cost are forbidden."""
    sign = -1 if maximize else 1
    rows = (cost if cost.shape[0] <= cost.shape[1] else cost.T).tolist()
    best = None
    for choice in permutations(range(len(rows[0])), len(rows)):
        entries = [rows[i][j] for i, j in enumerate(choice) if np.isfinite(rows[i][j])]
        total = sum((sign * Fraction(entry) for entry in entries), Fraction(0))
        if best is None or (-len(entries), total) < best:
            best = (-len(entries), total)
    return -best[0], sign * best[1]
