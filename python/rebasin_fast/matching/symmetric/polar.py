"""Polar factors: the orthogonal matrices nearest to given ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from rebasin_fast.typing import Floats

# Of the root mean square of the singular values: above rounding in float64, so that directions of which nothing is known stay
# where they are, and no part of a matrix that is symmetric and positive changes.
_PROXIMITY = 1e-10


def polar_factor(similarities: Floats) -> Floats:
    """The orthogonal Q that maximise <Q, S> for a batch (..., n, n); in the null space of S those nearest to the identity.

    <Q, S> is at least the trace of S.
    """
    size = similarities.shape[-1]
    scale = np.linalg.norm(similarities, axis=(-2, -1), keepdims=True) / np.sqrt(size)
    u, _, vt = np.linalg.svd(similarities + _PROXIMITY * scale * np.eye(size))
    return np.matmul(u, vt)


def centred_polar_factor(similarities: Floats) -> Floats:
    """As :func:`polar_factor`, among those that map the vector of ones to itself."""
    size = similarities.shape[-1]
    found = np.zeros_like(similarities)
    found[..., 0, 0] = 1.0
    rotated = _reflected(similarities)
    if size > 1:
        found[..., 1:, 1:] = polar_factor(rotated[..., 1:, 1:])
    return _reflected(found)


def _reflected(matrices: Floats) -> Floats:
    """H M H for the Householder reflection H that maps the first unit vector to the direction of ones."""
    size = matrices.shape[-1]
    normal = np.full(size, -1.0 / np.sqrt(size))
    normal[0] += 1.0
    length = float(normal @ normal)
    if length == 0.0:
        return matrices.copy()
    left = matrices - (2.0 / length) * normal[:, None] * np.matmul(normal, matrices)[..., None, :]
    return left - (2.0 / length) * np.matmul(left, normal)[..., :, None] * normal
