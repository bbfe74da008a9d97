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


def offset(by: float, whole: bool = False) -> Problem:
    """Return a family of uniform costs above a common offset."""

    def family(rows: int, columns: int, rng: Generator) -> Matrix:
        if whole:
            return int(by) + rng.integers(0, 1000, (rows, columns))
        return by + _random(rows, columns, rng)

    return family


def row_offsets(scale: float) -> Problem:
    def family(rows: int, columns: int, rng: Generator) -> Matrix:
        return _random(rows, columns, rng) + scale * rng.random((rows, 1))

    return family


def column_offsets(scale: float) -> Problem:
    def family(rows: int, columns: int, rng: Generator) -> Matrix:
        return _random(rows, columns, rng) + scale * rng.random(columns)

    return family


def both_offsets(rows: int, columns: int, rng: Generator) -> Matrix:
    return _random(rows, columns, rng) + 1e6 * rng.random((rows, 1)) + 1e6 * rng.random(columns)


def timestamps(rows: int, columns: int, rng: Generator) -> Matrix:
    """Microseconds since 1970 of pairs of events."""
    start = rng.integers(0, 3600 * 10**6, (rows, 1))
    return 1_700_000_000_000_000 + np.abs(start - rng.integers(0, 3600 * 10**6, columns))


def uniform(rows: int, columns: int, rng: Generator) -> Matrix:
    return _random(rows, columns, rng)


def uniform_small(rows: int, columns: int, rng: Generator) -> Matrix:
    """Integers below 10."""
    return rng.integers(0, 10, (rows, columns))


def uniform_hundred(rows: int, columns: int, rng: Generator) -> Matrix:
    """Integers below 100, as in textbooks and on bug trackers."""
    return rng.integers(0, 100, (rows, columns))


def uniform_large(rows: int, columns: int, rng: Generator) -> Matrix:
    return rng.integers(0, 10**6, (rows, columns))


def normal(rows: int, columns: int, rng: Generator) -> Matrix:
    return rng.standard_normal((rows, columns))


def exponential(rows: int, columns: int, rng: Generator) -> Matrix:
    return rng.exponential(size=(rows, columns))


def heavy(rows: int, columns: int, rng: Generator) -> Matrix:
    """Pareto-distributed costs."""
    return rng.pareto(0.7, (rows, columns))


def log_uniform(rows: int, columns: int, rng: Generator) -> Matrix:
    return 10.0 ** rng.uniform(-20, 20, (rows, columns))


def nearly_one(rows: int, columns: int, rng: Generator) -> Matrix:
    return 1 + 1e-4 * _random(rows, columns, rng)


def constant(rows: int, columns: int, rng: Generator) -> Matrix:
    return np.full((rows, columns), 2.5)


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
    "uniform": uniform,
    "integers < 10": uniform_small,
    "integers < 100": uniform_hundred,
    "integers < 1e6": uniform_large,
    "normal": normal,
    "exponential": exponential,
    "Pareto": heavy,
    "log-uniform": log_uniform,
    "1 + 1e-4 U": nearly_one,
    "constant": constant,
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
    "offset 1e6": offset(1e6),
    "offset 1e12": offset(1e12),
    "offset 2^52": offset(2**52, whole=True),
    "offset 2^62": offset(2**62, whole=True),
    "row offsets": row_offsets(1e6),
    "column offsets": column_offsets(1e6),
    "column offsets 10": column_offsets(10.0),
    "both offsets": both_offsets,
    "timestamps": timestamps,
}
