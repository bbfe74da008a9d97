"""The k best assignments of a cost matrix."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _arguments, _core
from rebasin_fast.assignment.costs import problems_of
from rebasin_fast.assignment.failures import raise_unless_optimal

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from rebasin_fast.assignment.options import KBestOptions
    from rebasin_fast.typing import Matrix, MatrixBatch


class RankedAssignment(NamedTuple):
    """One of the k best assignments: ``columns`` of the rows, and their exact total, correctly rounded."""

    columns: NDArray[np.int64]
    objective: float


@dataclass(frozen=True, eq=False)
class KBestAssignments:
    """The k best assignments of one matrix, best first; a sequence of :class:`RankedAssignment`.

    Attributes
    ----------
    columns : (count, n) int64
        Column of each row, in each assignment; -1 marks a row left unassigned, which happens only when n > m.
    objectives : (count,) float64
        The exact totals of the assigned costs, rounded once to float64.
    gap : float
        Bound on how much better the assignment of a rank can be than the one given, in real arithmetic;
        0.0 means proven. See Notes of :func:`k_best_assignments`.
    status : str
        "optimal"; in a batch also "infeasible", "invalid" or "overflow", with no assignments and a gap of NaN.
    """

    columns: NDArray[np.int64]
    objectives: NDArray[np.float64]
    gap: float
    status: str = "optimal"

    @property
    def certified(self) -> bool:
        """Whether these are proven to be the k best, in order."""
        return self.gap == 0.0

    def __len__(self) -> int:
        return len(self.objectives)

    def __getitem__(self, rank: int) -> RankedAssignment:
        return RankedAssignment(self.columns[rank], float(self.objectives[rank]))

    def __iter__(self) -> Iterator[RankedAssignment]:
        return (self[rank] for rank in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, KBestAssignments):
            return NotImplemented
        return (
            self.status == other.status
            and np.array_equal(self.columns, other.columns)
            and np.array_equal(self.objectives, other.objectives)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        count, n = self.columns.shape
        if count == 0:
            return f"KBestAssignments({self.status}, {n} rows)"
        totals = f"{self.objectives[0]:g} to {self.objectives[-1]:g}"
        return f"KBestAssignments({count} of {n} rows, totals {totals}, gap {self.gap:g})"


@overload
def k_best_assignments(
    cost: Matrix | Sequence[Sequence[float]], k: int, **options: Unpack[KBestOptions]
) -> KBestAssignments: ...
@overload
def k_best_assignments(
    cost: MatrixBatch | Sequence[Any], k: int, **options: Unpack[KBestOptions]
) -> list[KBestAssignments]: ...
@overload
def k_best_assignments(cost: Any, k: int, **options: Unpack[KBestOptions]) -> KBestAssignments: ...
def k_best_assignments(
    cost: Any,
    k: int,
    *,
    maximize: bool = False,
    within: float | None = None,
    threads: int = 1,
) -> KBestAssignments | list[KBestAssignments]:
    """Find the k best assignments, each once, in the order of their totals.

    Parameters
    ----------
    cost : (n, m) or (batch, n, m) array_like, or list of (n, m) arrays
        As for :func:`solve_assignment`: real numbers of any dtype and strides; +inf (-inf when maximising)
        marks a forbidden pair. Read once, into a copy of 64-bit integers.
    k : int
        How many, at least 1; fewer come back where fewer complete assignments exist.
    maximize : bool, default False
        The largest totals first instead.
    within : float, optional
        Only assignments whose exact total differs from the best one's by no more than this; not negative.
    threads : int, default 1
        Threads that share the problems of a batch. The results do not depend on it.

    Returns
    -------
    KBestAssignments or list of KBestAssignments
        One for a matrix, a list for a batch or a list: problems may have different numbers of assignments. Static
        checkers take an array for a matrix unless its type has three dimensions.

    Raises
    ------
    ValueError
        As :func:`solve_assignment` for one matrix; problems of a batch report their ``status`` instead. If k
        or threads is below 1, or ``within`` is negative or NaN.
    CostOverflowError
        A ValueError and an OverflowError; if the total of one of the k assignments lies beyond float64.
    TypeError
        If the dtype cannot be cast to float64 safely, or k is no whole number.

    Notes
    -----
    An assignment has ``min(n, m)`` pairs; two differ if any row has another column. Which of several
    assignments of one total come first, or at all when k ends among them, is not specified.

    A ``gap`` of 0.0 is a proof: no assignment outside the result has a better exact total than any in
    it, and the result is in order. The assignments outside are parted among subproblems. Duals with the
    reduced costs of all entries at least zero, checked for every subproblem that was split, bound those that
    were not, and the search ends when no bound lies below the last total. Duals, paths and bounds are exact:
    costs are 64-bit integers on a grid with about 55 - log2(n) bits for the largest of them, 48 at n = 100; a
    marker such as 1e6 in all forbidden places takes none of those. Costs that need more bits are rounded down
    to the grid, and assignments whose totals are nearer than that rounding are compared by exact sums of the
    costs as passed. Where more than 1000 assignments beyond the k-th are that near, ``gap`` bounds the
    error of the order, at most n units of the grid.

    Time O(k n² m) at worst for n <= m after the first assignment, and far less as a rule; memory O(n m + k m).

    References
    ----------
    K. G. Murty, "An algorithm for ranking all the assignments in order of increasing cost", Operations
    Research 16, 1968. M. L. Miller, H. S. Stone and I. J. Cox, "Optimizing Murty's ranked assignment
    method", IEEE Transactions on Aerospace and Electronic Systems 33, 1997.

    Examples
    --------
    >>> import rebasin_fast as rf
    >>> best = rf.k_best_assignments([[4, 1, 3], [2, 0, 5], [3, 2, 2]], 3)
    >>> best.objectives.tolist(), best.gap
    ([5.0, 6.0, 6.0], 0.0)
    >>> for columns, total in rf.k_best_assignments([[4, 1, 3], [2, 0, 5], [3, 2, 2]], 9, within=0):
    ...     print(columns, total)
    [1 0 2] 5.0
    """
    k = _arguments.count("k", k)
    threads = _arguments.count("threads", threads)
    largest_difference = math.inf
    if within is not None and within is not math.inf:
        of = "the largest difference from the best total, for maximize=True too"
        largest_difference = _arguments.number("within", within, least=0.0, of=of)
    problems = problems_of(cost)
    found = _core.k_best_assignments(
        problems.arrays,
        _arguments.flag("maximize", maximize),
        problems.bfloat16,
        k,
        largest_difference,
        threads,
    )
    results = []
    for one in found:
        if one.status == "optimal":
            results.append(KBestAssignments(one.columns, one.objectives, one.gap))
        elif problems.many:
            results.append(KBestAssignments(one.columns, one.objectives, math.nan, one.status))
        else:
            raise_unless_optimal(one.status, lambda: ValueError("cost matrix is infeasible"))
    return results if problems.many else results[0]
