"""Cost matrices whose numbers are the trouble: markers, offsets, few values, many magnitudes.

Each family is a function ``(rows, columns, rng) -> (rows, columns)`` cost matrix to be minimised.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.generic]
Generator = np.random.Generator
Problem = Callable[[int, int, Generator], Matrix]


def _random(rows: int, columns: int, rng: Generator) -> NDArray[np.float64]:
    return rng.random((rows, columns))


def _far(rows: int, columns: int, share: float, rng: Generator) -> NDArray[np.bool_]:
    """Return a mask of about `share` of the pairs that leaves one assignment free."""
    far = rng.random((rows, columns)) < share
    least = min(rows, columns)
    far[rng.permutation(rows)[:least], rng.permutation(columns)[:least]] = False
    return far


def marked(marker: float, share: float = 0.6, dtype: type[np.generic] = np.float64) -> Problem:
    """Return a family of uniform costs, `share` of the pairs at `marker`, an assignment free of it."""

    def family(rows: int, columns: int, rng: Generator) -> Matrix:
        cost = _random(rows, columns, rng)
        if np.issubdtype(dtype, np.integer):
            cost = np.floor(1000 * cost)
        result = cost.astype(dtype)
        result[_far(rows, columns, share, rng)] = dtype(marker)
        return result

    return family


def marked_unavoidably(marker: float, share: float) -> Problem:
    """Return a family where some rows find only `marker`."""

    def family(rows: int, columns: int, rng: Generator) -> Matrix:
        cost = _random(rows, columns, rng)
        cost[rng.random((rows, columns)) < share] = marker
        cost[rng.random(rows) < 0.05] = marker
        return cost

    return family


def drawn(cost: Callable[[Generator, tuple[int, int]], Matrix]) -> Problem:
    """Return the family of entries that are drawn independently."""
    return lambda rows, columns, rng: cost(rng, (rows, columns))


def offset(row: float = 0.0, column: float = 0.0) -> Problem:
    """Return a family of uniform costs with random offsets of rows and of columns."""

    def family(rows: int, columns: int, rng: Generator) -> Matrix:
        cost = _random(rows, columns, rng)
        if row:
            cost += row * rng.random((rows, 1))
        return cost + column * rng.random(columns) if column else cost

    return family


def timestamps(rows: int, columns: int, rng: Generator) -> Matrix:
    """Microseconds since 1970 of pairs of events."""
    start = rng.integers(0, 3600 * 10**6, (rows, 1))
    return 1_700_000_000_000_000 + np.abs(start - rng.integers(0, 3600 * 10**6, columns))


def nearly_constant(rows: int, columns: int, rng: Generator) -> Matrix:
    """Constant but for one entry in a hundred."""
    return np.where(rng.random((rows, columns)) < 0.01, _random(rows, columns, rng), 1.0)


def bimodal(rows: int, columns: int, rng: Generator) -> Matrix:
    cost = _random(rows, columns, rng)
    return np.where(rng.random((rows, columns)) < 0.5, cost, 100 + cost)


def row_scales(rows: int, columns: int, rng: Generator) -> Matrix:
    """Rows in different units."""
    return _random(rows, columns, rng) * 10.0 ** rng.uniform(-6, 6, (rows, 1))


def row_column_factors(rows: int, columns: int, rng: Generator) -> Matrix:
    """Effort of a task times speed of a machine, and noise."""
    effort, speed = rng.lognormal(size=(rows, 1)), rng.lognormal(size=columns)
    return effort * speed * rng.uniform(0.9, 1.1, (rows, columns))


NUMBERS: dict[str, Problem] = {
    "uniform": _random,
    "integers < 10": drawn(lambda rng, shape: rng.integers(0, 10, shape)),
    "integers < 100": drawn(
        lambda rng, shape: rng.integers(0, 100, shape)
    ),  # as in textbooks and on bug trackers
    "integers < 1e6": drawn(lambda rng, shape: rng.integers(0, 10**6, shape)),
    "normal": drawn(lambda rng, shape: rng.standard_normal(shape)),
    "exponential": drawn(lambda rng, shape: rng.exponential(size=shape)),
    "Pareto": drawn(lambda rng, shape: rng.pareto(0.7, shape)),
    "log-uniform": drawn(lambda rng, shape: 10.0 ** rng.uniform(-20, 20, shape)),
    "1 + 1e-4 U": drawn(lambda rng, shape: 1 + 1e-4 * rng.random(shape)),
    "constant": drawn(lambda rng, shape: np.full(shape, 2.5)),
    "nearly constant": nearly_constant,
    "bimodal": bimodal,
    "row scales": row_scales,
    "factors": row_column_factors,
    "marker 1e3": marked(1e3),
    "marker 1e6": marked(1e6),
    "marker 1e9": marked(1e9),
    "marker 1e15": marked(1e15),
    "marker maxsize": marked(sys.maxsize),
    "marker maxsize int64": marked(sys.maxsize, 0.6, np.int64),
    "marker finfo.max": marked(float(np.finfo(np.float64).max)),
    "marker 1e20 float32": marked(1e20, 0.6, np.float32),
    "marker 1e6, 95 %": marked(1e6, 0.95),
    "marker 1e6 in rows": marked_unavoidably(1e6, 0.6),
    "marker 100 in rows": marked_unavoidably(100.0, 0.97),
    "offset 1e6": drawn(lambda rng, shape: 1e6 + rng.random(shape)),
    "offset 1e12": drawn(lambda rng, shape: 1e12 + rng.random(shape)),
    "offset 2^52": drawn(lambda rng, shape: 2**52 + rng.integers(0, 1000, shape)),
    "offset 2^62": drawn(lambda rng, shape: 2**62 + rng.integers(0, 1000, shape)),
    "row offsets": offset(row=1e6),
    "column offsets": offset(column=1e6),
    "column offsets 10": offset(column=10.0),
    "both offsets": offset(row=1e6, column=1e6),
    "timestamps": timestamps,
}
