"""The solution of a linear assignment problem, with its duals and its proof."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Assignment:
    """An optimal assignment and its proof.

    For a batch every attribute has a leading batch axis.

    Attributes
    ----------
    columns : (n,) int64
        Column of each row; -1 marks a row left unassigned, which happens only when n > m.
    row_duals : (n,) float64
        Dual u of each row. Minimising, ``u[i] + v[j] <= cost[i, j]`` everywhere; maximising, ``>=``.
    column_duals : (m,) float64
        Dual v of each column.
    objective : float
        Sum of the assigned costs, in float64, in row order.
    gap : float
        Checked bound on the distance of the objective from the optimum, in real arithmetic; 0.0 means proven
        optimal. See Notes of :func:`solve_assignment`.
    status : str
        "optimal"; in a batch an array of one per problem, where "infeasible" and "invalid" mark problems
        without a solution (columns -1; duals, objective and gap NaN).
    """

    columns: NDArray[np.int64]
    row_duals: NDArray[np.float64]
    column_duals: NDArray[np.float64]
    objective: Any
    gap: Any
    status: Any = "optimal"
