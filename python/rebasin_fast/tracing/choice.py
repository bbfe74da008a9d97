"""A choice of the permutations of a traced spec."""

from __future__ import annotations

from collections.abc import Sequence

from rebasin_fast.tracing.report import TracedSpec


def choose(
    spec: TracedSpec, *, residual: bool, freeze: Sequence[str], select: Sequence[str] | None
) -> TracedSpec:
    """``spec`` without residual permutations, without those frozen, or with those selected alone."""
    return spec
