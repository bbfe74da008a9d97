"""Problem families for the assignment benchmarks: what networks produce, and what troubles solvers.

Each family is a function ``(n, rng) -> (n, m) float32`` cost matrix to be minimised.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assignment import hard_numbers, structured

Matrix = NDArray[np.float32]
Family = Callable[[int, np.random.Generator], Matrix]


def gram(n: int, rng: np.random.Generator) -> Matrix:
    """Similarity of two independent layers."""
    depth = max(n, 64)
    a = rng.standard_normal((n, depth), dtype=np.float32)
    b = rng.standard_normal((n, depth), dtype=np.float32)
    return -(a @ b.T)


def low_rank(n: int, rng: np.random.Generator, decay: float = 1.0) -> Matrix:
    """Correlation of activations that span few directions, about ten of them where their strength decays."""
    rank = max(8, n // 16)
    strength = (decay ** np.arange(rank)).astype(np.float32)
    a = rng.standard_normal((n, rank), dtype=np.float32) * strength
    b = rng.standard_normal((n, rank), dtype=np.float32) * strength
    return -(a @ b.T + 0.05 * rng.standard_normal((n, n), dtype=np.float32))


def aligned(n: int, rng: np.random.Generator) -> Matrix:
    """One network against a shuffled, slightly noisy copy of itself."""
    depth = max(n, 64)
    a = rng.standard_normal((n, depth), dtype=np.float32)
    b = a[rng.permutation(n)] + 0.3 * rng.standard_normal((n, depth), dtype=np.float32)
    return -(a @ b.T)


def rank_four(n: int, rng: np.random.Generator) -> Matrix:
    a = rng.standard_normal((n, 4), dtype=np.float32)
    return -(a @ rng.standard_normal((4, n), dtype=np.float32))


def duplicated(n: int, rng: np.random.Generator) -> Matrix:
    """Every unit occurs four times."""
    cost = gram(max(n // 4, 1), rng)
    return np.ascontiguousarray(np.tile(cost, (4, 4))[:n, :n])


def heavy_tailed(n: int, rng: np.random.Generator) -> Matrix:
    rows = np.exp(1.5 * rng.standard_normal((n, 1)))
    columns = np.exp(1.5 * rng.standard_normal(n))
    return (gram(n, rng) * rows * columns).astype(np.float32)


def dead_units(n: int, rng: np.random.Generator) -> Matrix:
    """30 % of the rows and of the columns are zero."""
    cost = gram(n, rng)
    cost[rng.random(n) < 0.3] = 0.0
    cost[:, rng.random(n) < 0.3] = 0.0
    return cost


def forbidden(n: int, rng: np.random.Generator) -> Matrix:
    """Half of the pairs are forbidden."""
    return np.where(rng.random((n, n)) < 0.5, np.float32(np.inf), rng.random((n, n), dtype=np.float32))


def _float32(family: structured.Problem) -> Family:
    """Return a family of any shape as one of float32 squares."""
    return lambda n, rng: np.asarray(family(n, n, rng)).astype(np.float32)


def _wide(columns: int) -> Family:
    return lambda n, rng: rng.standard_normal((n, columns * n), dtype=np.float32)


FAMILIES: dict[str, Family] = {
    "gram": gram,
    "low rank": low_rank,
    "decaying": partial(low_rank, decay=0.9),
    "uniform": lambda n, rng: rng.random((n, n), dtype=np.float32),
    "aligned": aligned,
    "rank 4": rank_four,
    "plane": _float32(structured.plane),
    "Machol-Wien": _float32(structured.product),
    "duplicated": duplicated,
    "heavy tails": heavy_tailed,
    "integers": _float32(hard_numbers.NUMBERS["integers < 10"]),
    "sparse 0/1": _float32(structured.sparse_binary),
    "dead units": dead_units,
    "constant": _float32(hard_numbers.NUMBERS["constant"]),
    "log-uniform": _float32(hard_numbers.NUMBERS["log-uniform"]),
    "forbidden": forbidden,
    "wide 1:2": _wide(2),
    "wide 1:10": _wide(10),
}


def trained() -> dict[tuple[str, int], Matrix]:
    """Matrices recorded from matchings of trained networks; empty without REBASIN_FAST_DATA."""
    folder = os.environ.get("REBASIN_FAST_DATA")
    if folder is None:
        return {}
    similarity = Path(folder) / "similarity"
    found: dict[tuple[str, int], Matrix] = {}
    large = similarity / "mnist_mlp_2048.npy"
    if large.exists():
        found["trained", 2048] = -np.load(large)
    small = similarity / "mnist_mlp_512.npz"
    if small.exists():
        with np.load(small) as archive:
            for name in archive.files:
                found[f"trained {name}", 512] = -archive[name]
    return found
