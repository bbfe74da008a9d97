"""The assignments of a matching, solved by the host's threads or by the device's kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _core
from rebasin_fast._arrays import DeviceLibrary
from rebasin_fast._arrays.operations import Operations
from rebasin_fast.assignment import Assignment
from rebasin_fast.assignment.device import batched as device_assignment
from rebasin_fast.assignment.warm_start import starts_of_list
from rebasin_fast.errors import ParamsError

_OVERFLOW = "the products of the weights overflow; scale the parameters down"


class Assigner(Protocol):
    """Solves independent problems; each may start from an earlier answer."""

    def assign(self, matrices: Sequence[Any], starts: Sequence[Assignment | None]) -> list[Assignment]:
        """Maximal assignments of square device matrices; ParamsError where products overflowed."""

    def assign_batch(self, matrices: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Columns (k, n) and objectives (k,) of a (k, n, n) device array."""


class HostAssigner:
    """The CPU solver, whose threads share the problems; each matrix is copied to the host."""

    def __init__(self, ops: Operations, threads: int) -> None:
        self._ops = ops
        self._threads = threads

    def assign(self, matrices: Sequence[Any], starts: Sequence[Assignment | None]) -> list[Assignment]:
        """See :class:`Assigner`."""
        hosts = [self._ops.to_host(matrix) for matrix in matrices]
        # An overflow to -inf would pass for a forbidden pair.
        if not all(np.isfinite(host).all() for host in hosts):
            raise ParamsError(_OVERFLOW)
        duals = starts_of_list(list(starts), [host.shape for host in hosts])
        return [Assignment(*one) for one in _core.assignments(hosts, True, False, duals, self._threads)]

    def assign_batch(self, matrices: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """See :class:`Assigner`."""
        host = self._ops.to_host(matrices)
        if not np.isfinite(host).all():
            raise ParamsError(_OVERFLOW)
        found = _core.assignment_batch(host, True, False, None, self._threads)
        return found.columns, found.objectives


class DeviceAssigner(HostAssigner):
    """Problems of one size of at least ``fewest`` go to the batch kernel; the rest to the host."""

    fewest = 4
    largest = 2048

    def __init__(self, ops: Operations, threads: int, library: DeviceLibrary) -> None:
        super().__init__(ops, threads)
        self._library = library

    def assign(self, matrices: Sequence[Any], starts: Sequence[Assignment | None]) -> list[Assignment]:
        """See :class:`Assigner`."""
        sizes = [int(matrix.shape[0]) for matrix in matrices]
        found: dict[int, Assignment] = {}
        for size in set(sizes):
            which = [k for k, n in enumerate(sizes) if n == size]
            if len(which) >= self.fewest and 0 < size <= self.largest:
                batch = self._solve_batch([matrices[k] for k in which], [starts[k] for k in which])
                found.update(zip(which, batch, strict=True))
        rest = [k for k in range(len(sizes)) if k not in found]
        others = super().assign([matrices[k] for k in rest], [starts[k] for k in rest])
        found.update(zip(rest, others, strict=True))
        return [found[k] for k in range(len(sizes))]

    def assign_batch(self, matrices: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """See :class:`Assigner`."""
        if not device_assignment.kernel_takes(tuple(matrices.shape)):
            return super().assign_batch(matrices)
        found = device_assignment.solve_batch(matrices, self._library, maximize=True)
        if np.any(self._library.to_host(found.statuses) != 0):
            raise ParamsError(_OVERFLOW)
        return self._library.to_host(found.columns), self._library.to_host(found.objectives)

    def _solve_batch(self, matrices: list[Any], starts: list[Assignment | None]) -> list[Assignment]:
        library, (n, _) = self._library, matrices[0].shape
        costs = library.empty(matrices[0], (len(matrices), n, n), library.dtype_name(matrices[0]))
        for k, matrix in enumerate(matrices):
            costs[k] = matrix
        start = None
        if all(one is not None for one in starts):
            start = tuple(
                library.put(costs, np.stack([getattr(one, name) for one in starts]))
                for name in ("row_duals", "column_duals")
            )
        found = device_assignment.solve_batch(costs, library, maximize=True, start=start)
        if np.any(library.to_host(found.statuses) != 0):
            raise ParamsError(_OVERFLOW)
        return list(device_assignment.assignments_of(found, library, library.to_host))
