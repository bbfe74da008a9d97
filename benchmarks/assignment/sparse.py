"""Families of sparse cost matrices: functions of the number of rows and a generator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

Family = Callable[[int, np.random.Generator], Any]


def to_csr(rows: Any, columns: Any, costs: Any, shape: tuple[int, int]) -> Any:
    """Keep the first of entries at one place."""
    _, first = np.unique(np.asarray(rows, np.int64) * shape[1] + columns, return_index=True)
    costs = np.asarray(costs, np.float64)
    matrix = sp.csr_matrix((costs[first], (np.asarray(rows)[first], np.asarray(columns)[first])), shape=shape)
    matrix.sort_indices()
    return matrix


def scattered(n: int, m: int, degree: int, rng: np.random.Generator) -> tuple[Any, Any]:
    """Entries at random places; a permutation among them makes the problem feasible."""
    columns = np.hstack([rng.integers(0, m, (n, degree - 1)), rng.permutation(m)[:n, None]])
    return np.repeat(np.arange(n), degree), columns.ravel()


def random_family(degree: int, draw: Callable[[np.random.Generator, int], Any], ratio: float = 1.0) -> Family:
    def family(n: int, rng: np.random.Generator) -> Any:
        m = int(n * ratio)
        rows, columns = scattered(n, m, degree, rng)
        return to_csr(rows, columns, draw(rng, len(rows)), (n, m))

    return family


def uniform(rng: np.random.Generator, count: int) -> Any:
    return rng.random(count) + 1e-3


def band(width: int) -> Family:
    def family(n: int, rng: np.random.Generator) -> Any:
        rows = np.repeat(np.arange(n), 2 * width + 1)
        columns = rows + np.tile(np.arange(-width, width + 1), n)
        inside = (columns >= 0) & (columns < n)
        return to_csr(rows[inside], columns[inside], uniform(rng, int(inside.sum())), (n, n))

    return family


def blocks(size: int) -> Family:
    def family(n: int, rng: np.random.Generator) -> Any:
        rows = np.repeat(np.arange(n), size)
        columns = rows // size * size + np.tile(np.arange(size), n)
        inside = columns < n
        return to_csr(rows[inside], columns[inside], uniform(rng, int(inside.sum())), (n, n))

    return family


def nearest(neighbours: int, power: int = 1) -> Family:
    def family(n: int, rng: np.random.Generator) -> Any:
        here, there = rng.random((n, 2)), rng.random((n, 2))
        distances, columns = cKDTree(there).query(here, min(neighbours, n))
        rows, other = np.repeat(np.arange(n), min(neighbours, n)), rng.permutation(n)
        far = np.hypot(*(here - there[other]).T)
        costs = (1e3 * np.r_[distances.ravel(), far]) ** power + 1e-3
        return to_csr(np.r_[rows, np.arange(n)], np.r_[columns.ravel(), other], costs, (n, n))

    return family


def diagonal(n: int, rng: np.random.Generator) -> Any:
    rows, columns = scattered(n, n, 3, rng)
    costs = np.r_[0.3 * rng.random(n) + 1e-3, rng.random(len(rows)) + 0.2]
    return to_csr(np.r_[np.arange(n), rows], np.r_[np.arange(n), columns], costs, (n, n))


def line(n: int, rng: np.random.Generator) -> Any:
    here, there = np.sort(rng.random(n) * n), np.sort(rng.random(n) * n)
    matrix = band(6)(n, rng).tocoo()
    return to_csr(matrix.row, matrix.col, np.abs(here[matrix.row] - there[matrix.col]) + 1e-3, (n, n))


def tracking(n: int, rng: np.random.Generator) -> Any:
    """Gated distances of moved points, a tenth of them lost, with a price for each to stay unmatched."""
    side = 2 * np.sqrt(n)
    here = rng.random((n, 2)) * side
    there = here + rng.normal(0, 0.5, (n, 2))
    lost = rng.random(n) < 0.1
    there[lost] = rng.random((int(lost.sum()), 2)) * side
    there = there[rng.permutation(n)]
    gated = cKDTree(here).sparse_distance_matrix(cKDTree(there), 3.0, output_type="coo_matrix")
    one = np.arange(n)
    rows = np.r_[gated.row, one, n + one, n + gated.col]
    columns = np.r_[gated.col, n + one, one, n + gated.row]
    prices = np.full(2 * n, 1.5)
    return to_csr(rows, columns, np.r_[gated.data + 1e-3, prices, np.full(gated.nnz, 1e-6)], (2 * n, 2 * n))


def power_law(n: int, rng: np.random.Generator) -> Any:
    degree = np.minimum((2 / rng.random(n) ** 0.8).astype(int) + 1, n)
    rows = np.r_[np.repeat(np.arange(n), degree), np.arange(n)]
    columns = np.r_[(n * rng.random(degree.sum()) ** 2).astype(int), rng.permutation(n)]
    return to_csr(rows, columns, uniform(rng, len(rows)), (n, n))


def row_lengths(n: int, rng: np.random.Generator) -> Any:
    degree = np.where(rng.random(n) < 0.01, min(500, n), 2)
    rows = np.r_[np.repeat(np.arange(n), degree), np.arange(n)]
    columns = np.r_[rng.integers(0, n, degree.sum()), rng.permutation(n)]
    return to_csr(rows, columns, uniform(rng, len(rows)), (n, n))


def nearly_infeasible(n: int, rng: np.random.Generator) -> Any:
    """Half of the rows compete for as many columns."""
    half = n // 2
    rows = np.r_[np.repeat(np.arange(n), 8), np.arange(n)]
    columns = np.r_[
        rng.integers(0, half, 8 * half),
        rng.integers(0, n, 8 * (n - half)),
        rng.permutation(half),
        half + rng.permutation(n - half),
    ]
    return to_csr(rows, columns, np.r_[uniform(rng, 8 * n), np.full(n, 3.0)], (n, n))


def product(n: int, rng: np.random.Generator) -> Any:
    rows, columns = scattered(n, n, 20, rng)
    a, b = rng.random((n, 2)), rng.random((n, 2))
    return to_csr(rows, columns, (a[rows] * b[columns]).sum(1) + 1e-3, (n, n))


def machol_wien(n: int, rng: np.random.Generator) -> Any:
    rows, columns = scattered(n, n, 20, rng)
    return to_csr(rows, columns, (rows + 1.0) * (columns + 1.0), (n, n))


FAMILIES: dict[str, Family] = {
    "uniform5": random_family(5, uniform),
    "uniform20": random_family(20, uniform),
    "uniform50": random_family(50, uniform),
    "equal20": random_family(20, lambda rng, count: np.ones(count)),
    "one-two20": random_family(20, lambda rng, count: rng.integers(1, 3, count)),
    "integers9": random_family(20, lambda rng, count: rng.integers(1, 10, count)),
    "integers1000": random_family(20, lambda rng, count: rng.integers(1, 1001, count)),
    "heavy20": random_family(20, lambda rng, count: np.exp(3 * rng.standard_normal(count))),
    "offset20": random_family(20, lambda rng, count: 1e5 + rng.random(count)),
    "diagonal": diagonal,
    "band2": band(2),
    "band5": band(5),
    "line": line,
    "nearest10": nearest(10),
    "nearest-squared20": nearest(20, 2),
    "tracking": tracking,
    "blocks8": blocks(8),
    "blocks50": blocks(50),
    "power-law": power_law,
    "row-lengths": row_lengths,
    "nearly-infeasible": nearly_infeasible,
    "product": product,
    "machol-wien": machol_wien,
    "wide1.01": random_family(20, uniform, 1.01),
    "wide2": random_family(20, uniform, 2.0),
    "tall2": lambda n, rng: random_family(20, uniform, 2.0)(n, rng).T.tocsr(),
}
