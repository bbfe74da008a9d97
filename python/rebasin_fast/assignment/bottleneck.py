"""Bottleneck assignments: the largest assigned cost minimised."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _arguments, _core
from rebasin_fast.assignment.costs import problems_of
from rebasin_fast.assignment.failures import raise_unless_optimal

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from rebasin_fast.assignment.options import BottleneckOptions
    from rebasin_fast.typing import Matrix, MatrixBatch


class Block(NamedTuple):
    """The rows and columns of a block of a matrix."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class BottleneckAssignment:
    """A complete assignment whose largest cost is least (maximising: whose smallest is largest).

    Attributes
    ----------
    columns : (n,) int64
        Column of each row; -1 marks a row left unassigned, which happens only when n > m.
    bottleneck : int or float
        The worst assigned cost, as the matrix holds it. Of an empty matrix -inf (inf when maximising).
    certificate : Block
        ``certificate.rows`` and ``certificate.columns`` name a block of the matrix in which no entry is better
        than the bottleneck, and ``len(rows) + len(columns) > max(n, m)``. Every complete assignment uses an
        entry of such a block: outside it the rows compete for too few columns. Empty for an empty matrix.
    status : str
        "optimal"; in a batch also "infeasible", where the block holds forbidden entries only, or "invalid";
        then columns are -1 and the bottleneck is NaN.
    """

    columns: NDArray[np.int64]
    bottleneck: Any
    certificate: Block
    status: str = "optimal"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BottleneckAssignment):
            return NotImplemented
        return (
            self.status == other.status
            and self.bottleneck == other.bottleneck
            and np.array_equal(self.columns, other.columns)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        if self.status != "optimal":
            return f"BottleneckAssignment({self.status}, {len(self.columns)} rows)"
        return f"BottleneckAssignment({len(self.columns)} rows, bottleneck {self.bottleneck!r})"


@overload
def bottleneck_assignment(
    cost: Matrix | Sequence[Sequence[float]], **options: Unpack[BottleneckOptions]
) -> BottleneckAssignment: ...
@overload
def bottleneck_assignment(
    cost: MatrixBatch | Sequence[Any], **options: Unpack[BottleneckOptions]
) -> list[BottleneckAssignment]: ...
@overload
def bottleneck_assignment(cost: Any, **options: Unpack[BottleneckOptions]) -> BottleneckAssignment: ...
def bottleneck_assignment(
    cost: Any, *, maximize: bool = False, threads: int = 1
) -> BottleneckAssignment | list[BottleneckAssignment]:
    """Minimise the largest assigned cost, or maximise the smallest, with a proof.

    Parameters
    ----------
    cost : (n, m) or (batch, n, m) array_like, or list of (n, m) arrays
        As for :func:`solve_assignment`: real numbers of any dtype and strides; +inf (-inf when maximising)
        marks a forbidden pair. C-ordered float32, float64 and int64 matrices that are not taller than wide are
        not copied when minimising.
    maximize : bool, default False
        Maximise the smallest assigned entry instead.
    threads : int, default 1
        Threads that share the problems of a batch. The results do not depend on it.

    Returns
    -------
    BottleneckAssignment or list of BottleneckAssignment
        One for a matrix, a list for a batch or a list. Static checkers take an array for a matrix unless its type has
        three dimensions.

    Raises
    ------
    ValueError
        As :func:`solve_assignment` for one matrix, naming a block of forbidden entries where no complete
        assignment exists; problems of a batch report their ``status`` instead.
    TypeError
        If the dtype cannot be cast to float64 safely.

    Notes
    -----
    Entries are compared and never added, so the value is exact for every dtype. Thresholds rise from the
    largest minimum of a row or column. Where the entries up to a threshold hold no complete assignment, the
    rows that compete for too few columns give the next threshold, and they are the certificate of the last.
    After six thresholds the entries that are left between the bounds are halved each time.

    Among assignments with the same bottleneck b, one of least total is
    ``rf.linear_sum_assignment(np.where(cost <= b, cost, np.inf))``.

    Time O(log(n m) (n m + phases n² m / 64)) at worst for n <= m, with few phases of augmenting paths; memory
    n m / 8 bytes beyond the matrix.

    References
    ----------
    R. Burkard, M. Dell'Amico and S. Martello, "Assignment Problems", SIAM 2009, section 6.2. A. Pothen and
    C.-J. Fan, "Computing the block triangular form of a sparse matrix", ACM Transactions on Mathematical
    Software 16, 1990.

    Examples
    --------
    >>> import numpy as np
    >>> import rebasin_fast as rf
    >>> cost = np.array([[4, 1, 3], [2, 0, 5], [3, 2, 2]])
    >>> found = rf.bottleneck_assignment(cost)
    >>> found.bottleneck, found.columns.tolist()
    (2, [1, 0, 2])
    >>> rows, columns = found.certificate
    >>> int(cost[np.ix_(rows, columns)].min()), len(rows) + len(columns)
    (2, 4)
    """
    threads = _arguments.count("threads", threads)
    problems = problems_of(cost)
    found = _core.bottleneck_assignments(
        problems.arrays, _arguments.flag("maximize", maximize), problems.bfloat16, threads
    )
    results = []
    for problem, one in enumerate(found):
        block = Block(one.block_rows, one.block_columns)
        if one.status == "optimal":
            empty = math.inf if maximize else -math.inf
            value = empty if one.row < 0 else problems.value(problem, one.row, one.column)
            results.append(BottleneckAssignment(one.columns, value, block))
        elif problems.many:
            rows = len(problems.arrays[problem])
            results.append(BottleneckAssignment(np.full(rows, -1), math.nan, block, one.status))
        else:
            raise_unless_optimal(one.status, partial(_infeasible_error, block))
    return results if problems.many else results[0]


def _infeasible_error(block: Block) -> ValueError:
    return ValueError(
        f"cost matrix is infeasible: rows {_short(block.rows)} and columns {_short(block.columns)} meet in forbidden "
        "entries only, and every complete assignment uses one of those; allow one of them"
    )


def _short(indices: NDArray[np.int64], most: int = 8) -> str:
    shown = ", ".join(str(index) for index in indices[:most])
    return f"[{shown}]" if len(indices) <= most else f"[{shown}, ... {len(indices)} in all]"
