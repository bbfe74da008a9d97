"""The check of assignments: their totals, and by how much one is dearer than another."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assignment.rival import pairs_of

Array = NDArray[Any]


def total_of(cost: Array, answer: object) -> tuple[float, float]:
    """Return the assignment's total, and the sum of magnitudes; (inf, 0) if it is no full assignment."""
    rows, columns = pairs_of(answer)
    count = min(cost.shape)
    if len(rows) != count or len(columns) != count or count == 0:
        return (math.inf, 0.0) if len(rows) or count else (0.0, 0.0)
    for indices, size in ((rows, cost.shape[0]), (columns, cost.shape[1])):
        if indices.min() < 0 or indices.max() >= size or len(np.unique(indices)) != count:
            return math.inf, 0.0
    chosen = cost[rows, columns].tolist()
    if cost.dtype.kind in "iu":
        return float(sum(chosen)), float(sum(map(abs, chosen)))
    return math.fsum(chosen), math.fsum(map(abs, chosen))


def surplus_of(cost: Array, answer: object, reference: object) -> float:
    """Return how much dearer `answer` is than `reference`, relative to the magnitude of the totals.

    Integers and floats that share an offset are compared without it: the difference is summed exactly.
    """
    total, magnitude = total_of(cost, answer)
    if math.isinf(total) or (magnitude == 0.0 and total != 0.0):
        return math.inf
    rows, columns = pairs_of(answer)
    other_rows, other_columns = pairs_of(reference)
    mine, other = cost[rows, columns].tolist(), cost[other_rows, other_columns].tolist()
    if cost.dtype.kind in "iu":
        difference = float(sum(mine) - sum(other))
    else:
        difference = math.fsum([*mine, *(-value for value in other)])
    if difference == 0.0:
        return 0.0
    spread = float(max(mine + other) - min(mine + other)) * len(mine)
    return difference / max(min(spread, magnitude), abs(difference) * 1e-6)
