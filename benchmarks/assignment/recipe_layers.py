"""Structures laid over cost matrices by `recipes`: gates, markers, ties, offsets, blocks, prices.

Each layer is a function ``(cost, amount, rng) -> cost``; `amount` lies between 0 and 1. The costs passed in
may be changed in place.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Costs = NDArray[np.float64]
Generator = np.random.Generator
MARKERS = (10.0, 100.0, 1e3, 1e5, 1e6, 1e9, 1e12)


def unit(cost: Costs) -> Costs:
    """Return finite costs scaled to a spread of about one; infinite ones stay."""
    finite = cost[np.isfinite(cost)]
    if not finite.size:
        return cost
    low, high = np.quantile(finite, [0.05, 0.95])
    spread = high - low if high > low else max(abs(float(high)), 1.0)
    return (cost - low) / spread


def mask_of(rows: int, columns: int, share: float, by: str, rng: Generator) -> NDArray[np.bool_]:
    if by == "rows":
        return np.broadcast_to(rng.random((rows, 1)) < share, (rows, columns))
    if by == "columns":
        return np.broadcast_to(rng.random(columns) < share, (rows, columns))
    if by == "blocks":
        coarse = rng.random((rows // 8 + 1, columns // 8 + 1)) < share
        return np.repeat(np.repeat(coarse, 8, 0), 8, 1)[:rows, :columns]
    return rng.random((rows, columns)) < share


def _gate(cost: Costs, amount: float, rng: Generator) -> Costs:
    """Set all costs above a quantile to one value just above it."""
    limit = float(np.quantile(cost[np.isfinite(cost)], max(0.002, 1 - amount)))
    cost[cost > limit] = limit + 1e-5
    return cost


def _mark(cost: Costs, amount: float, rng: Generator) -> Costs:
    """Set a random share of the entries to a marker."""
    cost[rng.random(cost.shape) < amount] = MARKERS[rng.integers(len(MARKERS))]
    return cost


def _mark_far(cost: Costs, amount: float, rng: Generator) -> Costs:
    """Set all but a few of the least in each row to a marker."""
    keep = max(1, int((1 - amount) * 8))
    limit = np.partition(cost, min(keep, cost.shape[1] - 1), axis=1)[:, [min(keep, cost.shape[1] - 1)]]
    cost[cost > limit] = MARKERS[rng.integers(len(MARKERS))]
    return cost


def _lost_rows(cost: Costs, amount: float, rng: Generator) -> Costs:
    """Rows that fit no column."""
    cost[rng.random(len(cost)) < amount] = float(cost[np.isfinite(cost)].max(initial=1.0))
    return cost


def _ties(cost: Costs, amount: float, rng: Generator) -> Costs:
    """Round to few levels."""
    levels = 2 ** max(1, round(12 * (1 - amount)))
    return np.where(np.isfinite(cost), np.rint(unit(cost) * levels), cost)


def _rows_again(cost: Costs, amount: float, rng: Generator) -> Costs:
    """Duplicate rows."""
    return cost[np.sort(rng.integers(0, max(1, int(len(cost) * (1 - amount))), len(cost)))]


def _blocks(cost: Costs, amount: float, rng: Generator) -> Costs:
    """Ten more outside of groups of 2 to 64."""
    size = 2 ** (1 + int(5 * amount))
    same = (np.arange(cost.shape[0]) // size)[:, None] == (np.arange(cost.shape[1]) // size)[None]
    return cost + np.where(same, 0.0, 10.0)


def _band(cost: Costs, amount: float, rng: Generator) -> Costs:
    rows, columns = cost.shape
    away = np.abs(np.arange(rows)[:, None] / rows - np.arange(columns)[None] / columns)
    return np.where(away <= max(1.5 / columns, 0.3 * amount**2), cost, 1e3)


def _slope(cost: Costs, amount: float, rng: Generator) -> Costs:
    """Add a multiple of (i - j)^2 or i j, so that many searches find long paths."""
    i = np.arange(cost.shape[0])[:, None] / cost.shape[0]
    j = np.arange(cost.shape[1])[None] / cost.shape[1]
    return unit(cost) + 10.0 ** (4 * amount - 1) * (i * j if rng.random() < 0.5 else (i - j) ** 2)


def _extension(cost: Costs, amount: float, rng: Generator) -> Costs:
    """Put half of the matrix into [[C, L / 2], [L / 2, 0]]."""
    rows, columns = cost.shape[0] // 2, cost.shape[1] // 2
    if rows == 0 or columns == 0:
        return cost
    price = float(np.quantile(cost[np.isfinite(cost)], amount))
    cost[rows:, :] = price
    cost[:, columns:] = price
    cost[rows:, columns:] = min(0.0, price)
    return cost


def _linking(cost: Costs, amount: float, rng: Generator) -> Costs:
    """Put half of a square into [[C, d I], [d I, 0]] with a marker elsewhere."""
    half = min(cost.shape) // 2
    if half == 0:
        return cost
    price, marker = (
        float(np.quantile(cost[np.isfinite(cost)], amount)),
        MARKERS[rng.integers(1, len(MARKERS))],
    )
    links = cost[:half, :half].copy()
    links[links > price] = marker
    cost[:] = marker
    cost[:half, :half] = links
    steps = np.arange(half)
    cost[steps, cost.shape[1] - half + steps] = price
    cost[cost.shape[0] - half + steps, steps] = price
    cost[half:, half:] = 0.0
    return cost


def _scale(amount: float) -> float:
    return 10.0 ** (12 * amount - 3)


LAYERS: dict[str, Callable[[Costs, float, Generator], Costs]] = {
    "gate": _gate,
    "marks": _mark,
    "far marked": _mark_far,
    "lost rows": _lost_rows,
    "lost columns": lambda cost, amount, rng: _lost_rows(cost.T, amount, rng).T,
    "ties": _ties,
    "row offsets": lambda cost, amount, rng: cost + _scale(amount) * rng.random((len(cost), 1)),
    "column offsets": lambda cost, amount, rng: cost + _scale(amount) * rng.random(cost.shape[1]),
    "offset": lambda cost, amount, rng: cost + 10.0 ** (12 * amount),
    "rows again": _rows_again,
    "columns again": lambda cost, amount, rng: _rows_again(cost.T, amount, rng).T,
    "blocks": _blocks,
    "band": _band,
    "slope": _slope,
    "ranks": lambda cost, amount, rng: np.argsort(np.argsort(cost, axis=1), axis=1).astype(np.float64),
    "cubes": lambda cost, amount, rng: np.clip(unit(cost), -1e3, 1e3) ** 3,
    "shuffled": lambda cost, amount, rng: cost[rng.permutation(cost.shape[0])][
        :, rng.permutation(cost.shape[1])
    ],
    "prices": _extension,
    "linking": _linking,
}
