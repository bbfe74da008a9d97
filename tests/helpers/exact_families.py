"""Matrices on which float64 arithmetic alone goes wrong: markers, offsets, wide integers, mixed magnitudes."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np

Draw = Callable[[np.random.Generator, int, int], np.ndarray]

LARGEST = {np.float32: float(np.finfo(np.float32).max), np.float64: float(np.finfo(np.float64).max)}


def _ordinary(rng: np.random.Generator, n: int, m: int) -> np.ndarray:
    """Costs of everyday size."""
    kind = rng.integers(4)
    if kind == 0:
        return rng.random((n, m))
    if kind == 1:
        return 1 + 1e-4 * rng.random((n, m))
    if kind == 2:
        return rng.integers(0, 100, (n, m)).astype(np.float64)
    return rng.standard_normal((n, m))


def _pattern(rng: np.random.Generator, n: int, m: int) -> np.ndarray:
    """Where a marker stands: nowhere that matters, where it may matter, or where some must be used."""
    far = rng.random((n, m)) < rng.uniform(0.2, 0.8)
    kind = rng.integers(3)
    short = min(n, m)
    if kind == 0:
        far[rng.permutation(n)[:short], rng.permutation(m)[:short]] = False
    elif kind == 1:
        far[rng.permutation(n)[: 1 + n // 8]] = True
    return far


def markers(rng: np.random.Generator, n: int, m: int) -> np.ndarray:
    """A large finite number where a pair is unwanted."""
    dtype = [np.float64, np.float64, np.float32][rng.integers(3)]
    marker = min(
        [10.0 ** rng.integers(3, 30), 10.0 ** rng.uniform(3, 308), float(sys.maxsize), 1e20, np.inf][
            rng.integers(5)
        ],
        LARGEST[dtype],
    )
    return np.where(_pattern(rng, n, m), marker, _ordinary(rng, n, m)).astype(dtype)


def two_markers(rng: np.random.Generator, n: int, m: int) -> np.ndarray:
    """Unwanted pairs of two kinds."""
    first, second = 10.0 ** rng.uniform(3, 200, 2)
    return np.where(_pattern(rng, n, m), first, np.where(_pattern(rng, n, m), second, _ordinary(rng, n, m)))


def integer_markers(rng: np.random.Generator, n: int, m: int) -> np.ndarray:
    """sys.maxsize, or another large integer, among small ones."""
    small = rng.integers(0, 10 ** int(rng.integers(1, 6)), (n, m))
    marker = [sys.maxsize, 2 ** int(rng.integers(10, 63)), 10 ** int(rng.integers(3, 19))][rng.integers(3)]
    return np.where(_pattern(rng, n, m), np.int64(marker), small)


def forbidden_and_marked(rng: np.random.Generator, n: int, m: int) -> np.ndarray:
    """Some pairs infinite, some marked."""
    cost = np.where(_pattern(rng, n, m), 10.0 ** rng.uniform(3, 308), _ordinary(rng, n, m))
    return np.where(rng.random((n, m)) < 0.2, np.inf, cost)


def offsets(rng: np.random.Generator, n: int, m: int) -> np.ndarray:
    """A common offset."""
    kind = rng.integers(4)
    small = rng.integers(0, 10 ** int(rng.integers(1, 5)), (n, m))
    offset = 2 ** int(rng.integers(30, 63))
    if kind == 0:
        return small + np.int64(offset if rng.random() < 0.5 else -offset)
    if kind == 1:
        return small.astype(np.uint64) + np.uint64(2 * offset)
    if kind == 2:
        return small + float(offset)
    return _ordinary(rng, n, m) + [1e12, 1e13, 1.7e15, 1e9][rng.integers(4)]


def line_offsets(rng: np.random.Generator, n: int, m: int) -> np.ndarray:
    """Each row and each column has an offset of its own."""
    if rng.random() < 0.5:
        rows, columns = rng.integers(-(2**61), 2**61, n), rng.integers(-(2**61), 2**61, m)
        return rng.integers(0, 1000, (n, m)) + rows[:, None] + columns
    size = 10.0 ** rng.uniform(3, 16)
    return rng.random((n, m)) + size * rng.random((n, 1)) + size * rng.random(m)


def wide_integers(rng: np.random.Generator, n: int, m: int) -> np.ndarray:
    """Integers that float64 does not hold."""
    if rng.random() < 0.3:
        return rng.integers(0, 2**64 - 1, (n, m), dtype=np.uint64)
    spread = 2 ** int(rng.integers(2, 62))
    return np.int64(2 ** int(rng.integers(54, 62))) + rng.integers(-spread, spread, (n, m))


def mixed_magnitudes(rng: np.random.Generator, n: int, m: int) -> np.ndarray:
    """Numbers of every size that float64 has."""
    low, high = [(-958, 1000), (-1074, 1023), (-30, 30), (-500, 500)][rng.integers(4)]
    exponents = rng.choice([low, high], (n, m)) if rng.random() < 0.3 else rng.integers(low, high, (n, m))
    return np.ldexp(rng.uniform(-1, 1, (n, m)), exponents)


def subnormals(rng: np.random.Generator, n: int, m: int) -> np.ndarray:
    """Numbers below the normal range, some beside ordinary ones."""
    cost = np.ldexp(rng.random((n, m)), -1040 if rng.random() < 0.5 else -1022)
    return np.where(rng.random((n, m)) < 0.1, _ordinary(rng, n, m), cost) if rng.random() < 0.5 else cost


FAMILIES: dict[str, Draw] = {
    draw.__name__.replace("_", " "): draw
    for draw in (
        markers,
        two_markers,
        integer_markers,
        forbidden_and_marked,
        offsets,
        line_offsets,
        wide_integers,
        mixed_magnitudes,
        subnormals,
    )
}


def draw_shape(rng: np.random.Generator, largest: int) -> tuple[int, int]:
    """Squares mostly; 1 to any, one more, twice and ten times as many columns; either way round."""
    n = int(rng.integers(2, largest + 1))
    kind = rng.integers(8)
    n, m = {4: (1, n), 5: (n, n + 1), 6: (max(n // 2, 1), n), 7: (max(n // 10, 1), n)}.get(int(kind), (n, n))
    return (m, n) if rng.random() < 0.5 else (n, m)


def draw_problem(rng: np.random.Generator, family: str, largest: int) -> tuple[np.ndarray, bool]:
    """A matrix of the family, at times negated to be maximised, at times in another order of memory."""
    cost = FAMILIES[family](rng, *draw_shape(rng, largest))
    maximize = bool(rng.random() < 0.3) and cost.dtype.kind != "u"
    if maximize:
        cost = -cost
    order = rng.integers(4)
    return (np.asfortranarray(cost) if order == 0 else cost[::-1, ::-1] if order == 1 else cost), maximize
