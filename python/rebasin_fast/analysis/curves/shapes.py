"""Shapes of curves: the weights of their control points at t."""

from __future__ import annotations

from math import comb
from typing import Literal, TypeAlias, get_args

CurveKind: TypeAlias = Literal["bezier", "polygonal"]


def check_kind(kind: str) -> None:
    """ValueError unless ``kind`` is one of :data:`CurveKind`."""
    if kind not in get_args(CurveKind):
        raise ValueError(f"kind is 'bezier' or 'polygonal', got {kind!r}")


def weights_at(kind: CurveKind, points: int, t: float) -> list[float]:
    """The weights of the control points at ``t`` from 0 to 1; they are not negative and sum to 1.

    Bernstein polynomials of degree ``points`` - 1, or hat functions on evenly spaced vertices. The first point has
    weight 1 at t = 0, the last at t = 1, all others 0 there, exactly.
    """
    last = points - 1
    if kind == "bezier":
        return [comb(last, i) * t**i * (1.0 - t) ** (last - i) for i in range(points)]
    return [max(0.0, 1.0 - abs(t * last - i)) for i in range(points)]
