"""One solver of assignment problems, and the pairs of its answers."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

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
