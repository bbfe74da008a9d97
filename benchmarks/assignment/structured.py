"""Cost matrices with a structure: formulas of the indices, lines, bands, blocks, orders, few values.

Each family is a function ``(rows, columns, rng) -> (rows, columns)`` cost matrix to be minimised.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.generic]
Generator = np.random.Generator
Problem = Callable[[int, int, Generator], Matrix]


def _indices(rows: int, columns: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.arange(rows, dtype=np.float64)[:, None], np.arange(columns, dtype=np.float64)[None]


def _of_indices(cost: Callable[[Any, Any], Any]) -> Problem:
    """Return the family of a formula of the indices."""
    return lambda rows, columns, rng: cost(*_indices(rows, columns))


def shuffled(family: Problem) -> Problem:
    """Return the family with its rows and columns in a random order."""

    def problem(rows: int, columns: int, rng: Generator) -> Matrix:
        return np.asarray(family(rows, columns, rng))[rng.permutation(rows)][:, rng.permutation(columns)]

    return problem


def negated(family: Problem) -> Problem:
    return lambda rows, columns, rng: -np.asarray(family(rows, columns, rng))


def _on_a_line(cost: Callable[[Any], Any], in_order: bool = False) -> Problem:
    """Return the family of a function of the distances of points on a line."""

    def problem(rows: int, columns: int, rng: Generator) -> Matrix:
        a, b = rng.random(rows), rng.random(columns)
        if in_order:
            a, b = np.sort(a), np.sort(b)
        return cost(np.abs(a[:, None] - b[None]))

    return problem


def cauchy(rows: int, columns: int, rng: Generator) -> Matrix:
    """1 / (x + y)."""
    return 1 / (rng.random(rows)[:, None] + rng.random(columns)[None] + 0.01)


def toeplitz(rows: int, columns: int, rng: Generator) -> Matrix:
    values = rng.random(rows + columns)
    return values[rows - 1 + np.arange(columns)[None] - np.arange(rows)[:, None]]


def hankel(rows: int, columns: int, rng: Generator) -> Matrix:
    return rng.random(rows + columns)[np.arange(rows)[:, None] + np.arange(columns)[None]]


def monge(rows: int, columns: int, rng: Generator) -> Matrix:
    """Sums of non-negative densities beyond (i, j): the identity is optimal."""
    density = rng.random((rows, columns)) * (rng.random((rows, columns)) < 0.2)
    return -density.cumsum(0).cumsum(1) / max(rows, columns)


def band(rows: int, columns: int, rng: Generator) -> Matrix:
    """Random near the diagonal, 1000 elsewhere."""
    i, j = _indices(rows, columns)
    near = np.abs(i / rows - j / columns) * max(rows, columns) <= 5
    return np.where(near, rng.random((rows, columns)), 1000.0)


def blocks(rows: int, columns: int, rng: Generator) -> Matrix:
    """Groups of eight: random within, 10 elsewhere."""
    same = (np.arange(rows) // 8)[:, None] == (np.arange(columns) // 8)[None]
    return np.where(same, rng.random((rows, columns)), 10.0)


def blocks_ragged(rows: int, columns: int, rng: Generator) -> Matrix:
    """Groups whose rows and columns differ in number, so that some must leave."""
    groups = max(1, rows // 8)
    same = rng.integers(0, groups, rows)[:, None] == rng.integers(0, groups, columns)[None]
    return np.where(same, rng.random((rows, columns)), 10.0)


def sparse_binary(rows: int, columns: int, rng: Generator) -> Matrix:
    """Zeros and ones, about five zeros a row."""
    return (rng.random((rows, columns)) > 5.0 / columns).astype(np.float64)


def permuted_identity(rows: int, columns: int, rng: Generator) -> Matrix:
    return 1.0 - np.eye(rows, columns)[rng.permutation(rows)][:, rng.permutation(columns)]


def permuted_identity_noise(rows: int, columns: int, rng: Generator) -> Matrix:
    return np.asarray(permuted_identity(rows, columns, rng)) + 0.01 * rng.random((rows, columns))


def ranks(rows: int, columns: int, rng: Generator) -> Matrix:
    """Preferences: every row orders the columns."""
    return np.argsort(rng.random((rows, columns)), axis=1).astype(np.int64)


def ranks_agreeing(rows: int, columns: int, rng: Generator) -> Matrix:
    """Preferences that nearly agree on which columns are good."""
    merit = 3 * rng.standard_normal(columns)
    order = np.argsort(merit + rng.standard_normal((rows, columns)), axis=1)
    return np.argsort(order, axis=1).astype(np.int64)


def duplicated_rows(rows: int, columns: int, rng: Generator) -> Matrix:
    """Every row occurs eight times."""
    return np.repeat(rng.random((rows // 8 + 1, columns)), 8, axis=0)[:rows]


def duplicated_columns(rows: int, columns: int, rng: Generator) -> Matrix:
    """Places with a capacity of eight."""
    return np.repeat(rng.random((rows, columns // 8 + 1)), 8, axis=1)[:, :columns]


def duplicated_both(rows: int, columns: int, rng: Generator) -> Matrix:
    few = rng.random((rows // 4 + 1, columns // 4 + 1))
    return np.repeat(np.repeat(few, 4, axis=0), 4, axis=1)[:rows, :columns]


def plane(rows: int, columns: int, rng: Generator) -> Matrix:
    """Distances of points in the unit square."""
    a, b = rng.random((rows, 2)), rng.random((columns, 2))
    return np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1))


def plane_grid(rows: int, columns: int, rng: Generator) -> Matrix:
    """Distances of pixels: whole coordinates, many ties."""
    side = int(np.sqrt(max(rows, columns))) + 1
    a, b = rng.integers(0, side, (rows, 2)), rng.integers(0, side, (columns, 2))
    return np.abs(a[:, None] - b[None]).sum(-1)


product = _of_indices(lambda i, j: (i + 1) * (j + 1))
staircase = _of_indices(lambda i, j: (i < j).astype(np.float64))

STRUCTURED: dict[str, Problem] = {
    "(i-j)^2": _of_indices(lambda i, j: (i - j) ** 2),
    "|i-j|": _of_indices(lambda i, j: np.abs(i - j)),
    "min(i,j)": _of_indices(np.minimum),
    "max(i,j)": _of_indices(np.maximum),
    "i*j": product,  # of Machol and Wien
    "-i*j": negated(product),
    "i*j shuffled": shuffled(product),
    "i+j": _of_indices(np.add),  # every assignment of a square is optimal
    "Cauchy": cauchy,
    "Hilbert": _of_indices(lambda i, j: 1 / (i + j + 1)),
    "line sorted": _on_a_line(np.asarray, in_order=True),
    "line shuffled": _on_a_line(np.asarray),
    "line squared": _on_a_line(np.square),
    "circle": _on_a_line(lambda away: np.minimum(away, 1 - away)),  # hours, angles, phases
    "Toeplitz": toeplitz,
    "Hankel": hankel,
    "Monge": monge,
    "anti-Monge": negated(monge),
    "band": band,
    "band shuffled": shuffled(band),
    "blocks of 8": blocks,
    "blocks, ragged": blocks_ragged,
    "sparse 0/1": sparse_binary,
    "dense 0/1": lambda rows, columns, rng: rng.integers(0, 2, (rows, columns)).astype(np.float64),
    "staircase": staircase,  # one perfect matching of zeros
    "staircase shuffled": shuffled(staircase),
    "identity": permuted_identity,
    "identity + noise": permuted_identity_noise,
    "ranks": ranks,
    "ranks, agreeing": ranks_agreeing,
    "low rank integers": lambda rows, columns, rng: (
        rng.integers(-5, 6, (rows, 3)) @ rng.integers(-5, 6, (3, columns))
    ),
    "rows x 8": duplicated_rows,
    "columns x 8": duplicated_columns,
    "both x 4": duplicated_both,
    "powers of two": lambda rows, columns, rng: 2.0 ** rng.integers(0, 40, (rows, columns)),
    "plane": plane,
    "grid": plane_grid,
}
