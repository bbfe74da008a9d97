"""Every complete assignment of a small matrix, with its exact total: the slow reference of ranked assignments."""

import itertools
import math
from fractions import Fraction

import numpy as np


def all_assignments(cost, maximize=False):
    """Return (total, columns of the rows, assigned entries) of each assignment, best first."""
    n, m = cost.shape
    forbidden = -math.inf if maximize else math.inf
    found = []
    for pairs in _pairings(n, m):
        entries = [cost[i, j].item() for i, j in pairs]
        if forbidden in entries:
            continue
        columns = [-1] * n
        for i, j in pairs:
            columns[i] = j
        found.append((sum(map(Fraction, entries), Fraction(0)), tuple(columns), entries))
    return sorted(found, key=lambda each: each[0], reverse=maximize)


def _pairings(n, m):
    if n <= m:
        return (list(enumerate(chosen)) for chosen in itertools.permutations(range(m), n))
    return ([(i, j) for j, i in enumerate(chosen)] for chosen in itertools.permutations(range(n), m))


def _markers(rng, shape, marker):
    return np.where(rng.random(shape) < 0.4, marker, rng.random(shape))


# Costs that are hard for ranking: ties, sums that tie in decimal only, entries beyond any grid.
SHAPES = [(1, 1), (1, 5), (5, 1), (2, 2), (3, 3), (2, 5), (5, 3), (4, 4), (5, 5), (4, 6)]
FAMILIES = {
    "uniform": lambda rng, shape: rng.random(shape),
    "float32": lambda rng, shape: rng.standard_normal(shape).astype(np.float32),
    "float16": lambda rng, shape: rng.standard_normal(shape).astype(np.float16),
    "few integers": lambda rng, shape: rng.integers(0, 3, shape),
    "constant": lambda rng, shape: np.full(shape, 0.1),
    "tenths": lambda rng, shape: np.round(rng.random(shape), 1),
    "bytes": lambda rng, shape: rng.integers(0, 255, shape).astype(np.uint8),
    "int64": lambda rng, shape: rng.integers(-(2**63), 2**63 - 1, shape),
    "int64 near together": lambda rng, shape: 2**62 + rng.integers(0, 4, shape),
    "uint64": lambda rng, shape: np.uint64(2**63) + rng.integers(0, 4, shape).astype(np.uint64),
    "offset": lambda rng, shape: 2.0**52 + rng.integers(0, 4, shape),
    "marker 1e6": lambda rng, shape: _markers(rng, shape, 1e6),
    "marker 1e20": lambda rng, shape: _markers(rng, shape, 1e20),
    "two markers": lambda rng, shape: np.where(rng.random(shape) < 0.2, 1e9, _markers(rng, shape, 1e5)),
    "exponents": lambda rng, shape: rng.standard_normal(shape) * 10.0 ** rng.integers(-300, 300, shape),
    "tiny": lambda rng, shape: 5e-324 * rng.integers(-3, 3, shape),
    "near ties": lambda rng, shape: 1.0 + 2.0**-52 * rng.integers(0, 3, shape),
    "negative zero": lambda rng, shape: rng.choice([-0.0, 0.0, 1.0], shape),
}
