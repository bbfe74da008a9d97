"""The keywords of the assignment functions, for static checkers."""

from __future__ import annotations

from typing import Any, TypedDict


class BottleneckOptions(TypedDict, total=False):
    """See :func:`rebasin_fast.bottleneck_assignment`."""

    maximize: bool
    threads: int


class KBestOptions(BottleneckOptions, total=False):
    """See :func:`rebasin_fast.k_best_assignments`."""

    within: float | None


class AssignmentOptions(BottleneckOptions, total=False):
    """See :func:`rebasin_fast.solve_assignment`."""

    warm_start: Any
    cost_limit: float | None
    partial: bool
