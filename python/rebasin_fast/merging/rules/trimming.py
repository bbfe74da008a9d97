"""Task vectors made sparse: the entries of largest magnitude (TIES), or random ones (DARE)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.merging.rules.precision import Precision

_NO_SUM = 1e-7


def largest(delta: NDArray[Any], density: float, precision: Precision, *, rescale: bool) -> NDArray[Any]:
    """The share ``density`` of the entries, those of largest magnitude, at least one; zeros elsewhere.

    Of entries of one magnitude the first are kept.
    """
    if density >= 1.0:
        return delta
    if density <= 0.0 or delta.size == 0:
        return np.zeros_like(delta)
    kept = max(1, int(density * delta.size))
    magnitude = np.abs(delta).reshape(-1)
    least = np.partition(magnitude, magnitude.size - kept)[magnitude.size - kept]
    mask = magnitude > least
    equal = np.flatnonzero(magnitude == least)
    mask[equal[: kept - int(np.count_nonzero(mask))]] = True
    return _masked(delta, mask.reshape(delta.shape), precision, rescale=rescale)


def random(
    delta: NDArray[Any],
    density: float,
    precision: Precision,
    generator: np.random.Generator,
    *,
    rescale: bool,
) -> NDArray[Any]:
    """Each entry with the probability ``density``, and zero otherwise."""
    if density >= 1.0:
        return delta
    mask = generator.random(delta.shape, np.float32) < np.float32(density)
    # torch draws no masks in float16: it works in float32 there.
    working = Precision("float32") if precision.name == "float16" else precision
    return precision.rounded(_masked(delta, mask, working, rescale=rescale))


def _masked(
    delta: NDArray[Any], mask: NDArray[np.bool_], precision: Precision, *, rescale: bool
) -> NDArray[Any]:
    """The entries of ``mask``; with ``rescale`` so that their magnitudes have the sum that all had before."""
    masked = delta * mask
    if not rescale:
        return masked
    before, after = (precision.scalar(float(np.abs(one).sum(dtype=np.float64))) for one in (delta, masked))
    if before < _NO_SUM or after < _NO_SUM:
        return masked
    return precision.rounded(masked * precision.rounded(before / after))
