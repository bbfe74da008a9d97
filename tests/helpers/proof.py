"""Proofs of optimality recomputed in rational arithmetic; shared by the tests of the solver."""

import math
from fractions import Fraction
from itertools import permutations

import numpy as np

from reference.exact_assignment import excess, rounded_total


def exact_entry(cost, i, j):
    """The entry as it was passed: a 64-bit integer is not a float64."""
    return Fraction(int(cost[i, j])) if cost.dtype.kind in "iu" else Fraction(float(cost[i, j]))


def exact_objective(cost, columns):
    return sum((exact_entry(cost, i, j) for i, j in enumerate(columns) if j >= 0), Fraction(0))


def check_assignment(cost, result, *, maximize=False):
    """Assert a complete assignment whose duals prove ``result.gap`` in exact arithmetic.

    A gap of zero that they do not prove was proven with integers: the duals are then those of that proof rounded
    down (up when maximising), so they fall short by less than the last bit of each, and the assignment must be
    the optimum of the exact reference.
    """
    cost = np.asarray(cost)
    n, m = cost.shape
    columns = np.asarray(result.columns)
    assert columns.shape == (n,)
    assert columns.dtype == np.int64
    used = columns[columns >= 0]
    assert len(used) == min(n, m) == len(set(used.tolist()))
    assert np.all(used < m)
    assert result.gap >= 0
    sign = -1 if maximize else 1
    u = [sign * Fraction(float(x)) for x in result.row_duals]
    v = [sign * Fraction(float(x)) for x in result.column_duals]
    for i, j in nearly_tight(sign * cost.astype(np.float64), u, v):
        assert u[i] + v[j] <= sign * exact_entry(cost, i, j)
    if n < m:
        assert all(dual <= 0 for dual in v)
    if n > m:
        assert all(dual <= 0 for dual in u)
    primal = sign * exact_objective(cost, columns)
    distance = primal - sum(u) - sum(v)
    assert distance >= 0
    if result.gap > 0:
        assert distance <= Fraction(result.gap)
    elif distance > 0 and distance >= spacing_of_totals(cost):
        assert distance <= 4 * (last_bits(result.row_duals) + last_bits(result.column_duals))
        assert excess(cost, columns, maximize=maximize) == 0
    assert result.objective == rounded_total(cost, columns)


def last_bits(duals):
    """The largest loss of the sum of the duals by rounding each down."""
    return sum((Fraction(math.ulp(x)) for x in duals), Fraction(0))


def nearly_tight(cost, u, v):
    """Pairs whose dual constraint floating-point arithmetic cannot decide, or finds broken."""
    u, v = np.array([float(x) for x in u]), np.array([float(x) for x in v])
    with np.errstate(over="ignore", invalid="ignore"):
        scale = 1 + np.abs(cost) + np.abs(u)[:, None] + np.abs(v)
        surely_met = cost - u[:, None] - v > 1e-14 * scale
    return np.argwhere(~surely_met & (cost < np.inf)).tolist()


def spacing_of_totals(cost):
    """Greatest power of two that divides every finite cost."""
    exact = int if cost.dtype.kind in "iu" else float
    entries = [Fraction(exact(x)) for x in np.ravel(cost) if np.isfinite(x) and x != 0]
    denominator = max((x.denominator for x in entries), default=1)
    integers = [int(x * denominator) for x in entries]
    return Fraction(min((x & -x for x in integers), default=1), denominator)


def brute_force(cost, *, maximize=False):
    """Best exact objective by enumeration; None when every assignment uses a forbidden entry."""
    cost = np.asarray(cost, dtype=np.float64)
    if cost.shape[0] > cost.shape[1]:
        cost = cost.T
    n, m = cost.shape
    sign = -1 if maximize else 1
    exact = [[sign * Fraction(x) if np.isfinite(x) else None for x in row] for row in cost.tolist()]
    best = None
    for choice in permutations(range(m), n):
        entries = [exact[i][j] for i, j in enumerate(choice)]
        if None in entries:
            continue
        total = sum(entries, Fraction(0))
        best = total if best is None else min(best, total)
    return None if best is None else sign * best
