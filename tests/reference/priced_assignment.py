"""Assignments that leave rows and columns unmatched, by the definitions: the extended matrices, solved by SciPy."""

from itertools import combinations, permutations

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
    """(number of pairs, total) by enumeration; pairs of infinite cost are forbidden."""
    n, m = cost.shape
    if n > m:
        return most_pairs_at_least_cost(cost.T, maximize=maximize)
    sign = -1.0 if maximize else 1.0
    for pairs in range(n, 0, -1):
        totals = [
            sum(sign * float(cost[i, j]) for i, j in zip(rows, columns, strict=True))
            for rows in combinations(range(n), pairs)
            for columns in permutations(range(m), pairs)
        ]
        if min(totals) < np.inf:
            return pairs, sign * min(totals)
    return 0, 0.0
