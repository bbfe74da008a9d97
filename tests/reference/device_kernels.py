"""The device kernels in plain NumPy: slow, obvious, and the reference of the kernels' tests."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Index = NDArray[np.int64]

LIST_LENGTH = 24
_BUCKETS = 32
_BUCKETS_BELOW = 13


def column_minima(costs: NDArray[Any], blocks: int, *, maximize: bool = False) -> Floats:
    """(blocks, m): the least cost, as minimised, of each column in each block of rows; NaN passed over."""
    signed = _signed(costs, maximize)
    edges = [len(signed) * block // blocks for block in range(blocks + 1)]
    minima = np.full((blocks, signed.shape[1]), np.inf)
    for block in range(blocks):
        for row in signed[edges[block] : edges[block + 1]]:
            minima[block] = np.fmin(minima[block], row)
    return minima


def list_candidates(
    costs: NDArray[Any], duals: Floats, *, maximize: bool = False
) -> tuple[NDArray[Any], NDArray[np.int32], Floats]:
    """(costs (n, 24), columns (n, 24), bounds (n,)): about 17 smallest ``cost - duals`` a row, ascending.

    Rows are read cyclically from a column of their own and dealt to 32 buckets; what is at or below the 13th
    smallest of the buckets' minima is listed, up to 24. The bound is the least that is not.
    """
    signed = _signed(costs, maximize)
    n, m = signed.shape
    listed = np.full((n, LIST_LENGTH), np.inf, costs.dtype)
    columns = np.zeros((n, LIST_LENGTH), np.int32)
    bounds = np.full(n, np.inf)
    for i in range(n):
        order = (i * 40503 % m + np.arange(m)) % m
        reduced = signed[i, order] - duals[order]
        threshold = np.inf
        if m > LIST_LENGTH:
            minima = [reduced[b::_BUCKETS].min() if b < m else np.inf for b in range(_BUCKETS)]
            threshold = np.sort(minima)[_BUCKETS_BELOW - 1]
        wanted = np.flatnonzero((reduced <= threshold) & (reduced < np.inf))[:LIST_LENGTH]
        unlisted = np.delete(reduced, wanted)
        bounds[i] = unlisted.min() if unlisted.size else np.inf
        ranked = wanted[np.argsort(reduced[wanted], kind="stable")]
        columns[i, : len(ranked)] = order[ranked]
        listed[i, : len(ranked)] = signed[i, order[ranked]]
    return listed, columns, bounds


def certify(
    costs: NDArray[Any], duals: Floats, columns: Index, *, maximize: bool = False
) -> tuple[Floats, Floats, Floats]:
    """(row_duals, slacks, matched costs) of an assignment; duals and slacks bound the real numbers."""
    signed = _signed(costs, maximize)
    rows = np.arange(len(signed))
    reduced = signed - duals
    least = reduced.min(axis=1)
    below = ((reduced == least[:, None]) & (_error(signed, duals, reduced) < 0)).any(axis=1)
    row_duals = np.where(below, np.nextafter(least, -np.inf), least)
    matched = signed[rows, columns]
    rounded = matched - duals[columns]
    slack = _sum_up(_sum_up(rounded, -row_duals), _error(matched, duals[columns], rounded))
    return row_duals, np.maximum(slack, 0.0), matched


def _error(a: Floats, b: Floats, rounded: Floats) -> Floats:
    """``a - b`` less its rounded value, exactly (Knuth)."""
    with np.errstate(invalid="ignore"):
        b_virtual = a - rounded
        a_virtual = rounded + b_virtual
        return (a - a_virtual) + (b_virtual - b)


def _sum_up(a: Floats, b: Floats) -> Floats:
    total = a + b
    return np.where(_error(a, -b, total) > 0, np.nextafter(total, np.inf), total)


def _signed(costs: NDArray[Any], maximize: bool) -> Floats:
    wide = costs.astype(np.float64)
    return -wide if maximize else wide


def solve_batch(
    costs: NDArray[Any], *, maximize: bool = False, start: tuple[Floats, Floats] | None = None
) -> tuple[Index, Floats, Floats, Floats, Floats, NDArray[np.int32]]:
    """(columns, row_duals, column_duals, objectives, gaps, statuses) of (k, n, m) problems; ``start`` changes nothing.

    Dijkstra's shortest augmenting paths, a row at a time, on dense rows; the kernel's answer is as good, and equal
    where the optimum is unique.
    """
    del start
    k, n, m = costs.shape
    columns = np.full((k, n), -1, np.int64)
    row_duals, column_duals = np.full((k, n), np.nan), np.full((k, m), np.nan)
    objectives, gaps = np.full(k, np.nan), np.full(k, np.nan)
    statuses = np.zeros(k, np.int32)
    for p in range(k):
        signed = _signed(costs[p], maximize)
        turned = n > m
        problem = signed.T if turned else signed
        statuses[p] = _status(problem)
        found = None if statuses[p] else _shortest_paths(problem)
        if found is None:
            statuses[p] = statuses[p] or 2
            continue
        u, slacks, matched = certify(problem, found[1], found[0])
        sign = -1.0 if maximize else 1.0
        if turned:
            columns[p, found[0]] = np.arange(m)
        else:
            columns[p] = found[0]
        row_duals[p], column_duals[p] = (sign * d for d in ((found[1], u) if turned else (u, found[1])))
        objectives[p], gaps[p] = sign * matched.sum(), slacks.sum()
    return columns, row_duals, column_duals, objectives, gaps, statuses


def _status(signed: Floats) -> int:
    if np.isnan(signed).any() or (signed == -np.inf).any():
        return 1
    return 0 if np.isfinite(signed).any() else 2


def _shortest_paths(costs: Floats) -> tuple[Index, Floats] | None:
    """Columns and column duals of an optimum of n <= m; None where every assignment is forbidden."""
    n, m = costs.shape
    finite = costs[np.isfinite(costs)]
    if finite.size == costs.size and (finite == finite[0]).all():
        return np.arange(n), np.zeros(m)
    v, row_of, column_of = np.zeros(m), np.full(m, -1), np.full(n, -1)
    for root in range(n):
        distance, source = costs[root] - v, np.full(m, root)
        closed = np.zeros(m, bool)
        while True:
            column = int(np.argmin(np.where(closed, np.inf, distance)))
            if closed[column] or not distance[column] < np.inf:
                return None
            if row_of[column] < 0:
                break
            closed[column] = True
            row = row_of[column]
            offset = distance[column] - (costs[row, column] - v[column])
            through = offset + (costs[row] - v)
            nearer = ~closed & (through < distance)
            distance[nearer], source[nearer] = through[nearer], row
        v[closed] += distance[closed] - distance[column]
        while True:
            row = source[column]
            row_of[column], column_of[row], column = row, column, column_of[row]
            if row == root:
                break
    return column_of, v
