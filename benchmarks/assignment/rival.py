"""One solver of assignment problems, the pairs of its answers, and the check of their totals."""

import importlib.metadata
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

Solver = Callable[[Any], Any]


@dataclass(frozen=True)
class Rival:
    """One solver, and which matrices it takes."""

    name: str
    version: str
    solve: Solver
    square_only: bool = False
    takes_infinity: bool = True
    may_hang: bool = False
    general: bool = False  # a solver of flows, far behind on assignments

    def refuses(self, cost: np.ndarray) -> str:
        """Return why the solver is not asked, or an empty string."""
        if self.square_only and cost.shape[0] != cost.shape[1]:
            return "squares only"
        if not self.takes_infinity and cost.dtype.kind == "f" and not np.isfinite(cost).all():
            return "no forbidden edges"
        return ""


def pairs_of(answer: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns of an answer: a pair of arrays, or a column for each row (-1: none)."""
    if isinstance(answer, tuple):
        return np.asarray(answer[0], np.int64), np.asarray(answer[1], np.int64)
    columns = np.asarray(answer, np.int64)
    rows = np.flatnonzero(columns >= 0)
    return rows, columns[rows]


def version_of(package: str) -> str:
    return importlib.metadata.version(package)


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
