"""The arc between two arrays (Shoemake, 1985), each parameter on an arc of its own."""

from __future__ import annotations

from math import acos, sin, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.merging.rules.kinds import MergeRule, Parameter, Tensors, Values

# As mergekit: beyond this cosine the line, below this norm no direction.
_COLLINEAR = 0.9995
_NO_NORM = 1e-8
_PIECE = 1 << 20


def inner_product(a: NDArray[Any], b: NDArray[Any]) -> float:
    """The inner product over all entries in float64, widened a piece at a time."""
    flat_a, flat_b = a.reshape(-1), b.reshape(-1)
    starts = range(0, flat_a.size, _PIECE)
    pieces = ((flat_a[s : s + _PIECE], flat_b[s : s + _PIECE]) for s in starts)
    return float(sum(np.dot(x.astype(np.float64), y.astype(np.float64)) for x, y in pieces))


def _slerp(tensors: Tensors, values: Values) -> NDArray[Any]:
    a, (b,) = tensors.base, tensors.models
    assert a is not None
    of_a, of_b = (tensors.precision.wide.type(share) for share in _shares(a, b, values["t"]))
    return tensors.precision.rounded(of_a * a + of_b * b)


def _shares(a: NDArray[Any], b: NDArray[Any], t: float) -> tuple[float, float]:
    norms = [sqrt(inner_product(one, one)) for one in (a, b)]
    norm_a, norm_b = (norm if norm > _NO_NORM else 1.0 for norm in norms)
    cosine = max(-1.0, min(1.0, inner_product(a, b) / norm_a / norm_b))
    if abs(cosine) > _COLLINEAR:
        return 1.0 - t, t
    angle = acos(cosine)
    return sin((1.0 - t) * angle) / sin(angle), sin(t * angle) / sin(angle)


SLERP = MergeRule("slerp", "first", (Parameter("t", float, None),), _slerp)
