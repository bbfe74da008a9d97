"""Polar factors: the orthogonal matrices nearest to given ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from rebasin_fast.typing import Floats

# Of the root mean square of the singular values: above rounding in float64. It keeps directions of which nothing is
# known where they are, and changes nothing at a matrix that is symmetric and positive, where an ascent ends.
_PROXIMITY = 1e-10


def polar_factor(similarities: Floats) -> Floats:
    """For a batch (..., n, n) of matrices S the orthogonal Q that maximise <Q, S>, which is at least the trace of S.

    In the null space of S those nearest to the identity.
    """
    size = similarities.shape[-1]
    scale = np.linalg.norm(similarities, axis=(-2, -1), keepdims=True) / np.sqrt(size)
    u, _, vt = np.linalg.svd(similarities + _PROXIMITY * scale * np.eye(size))
    factors: Floats = np.matmul(u, vt)
    return factors


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
    reflected = matrices
    if length > 0.0:
        reflected = reflected - (2.0 / length) * normal[:, None] * np.matmul(normal, reflected)[..., None, :]
        reflected = reflected - (2.0 / length) * np.matmul(reflected, normal)[..., :, None] * normal
    return reflected
