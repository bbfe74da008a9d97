"""Transforms of a spec: the identity, and random ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rebasin_fast import _arguments
from rebasin_fast.permutation.apply import identity_permutation, random_permutation
from rebasin_fast.permutation.transform import Transform
from rebasin_fast.permutation.transforms.check import symmetry_of
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.specs.symmetry import Symmetry
from rebasin_fast.typing import Floats


@_arguments.checked()
def identity_transform(spec: PermutationSpec, sizes: Mapping[str, int]) -> Transform:
    """The transform that moves nothing: every unit in its slot, no signs, scales or matrices.

    Parameters
    ----------
    spec : PermutationSpec
    sizes : Mapping[str, int]
        Units of each permutation, as from ``spec.sizes(params)``; names without a size are left out.

    Returns
    -------
    Transform

    Examples
    --------
    >>> import rebasin_fast as rf
    >>> from rebasin_fast.permutation.transforms import identity_transform
    >>> identity_transform(rf.PermutationSpec({"w": ("P", None)}), {"P": 3}).permutation
    {'P': array([0, 1, 2])}
    """
    return Transform(identity_permutation(spec, sizes))


@_arguments.checked()
def random_transform(
    spec: PermutationSpec,
    sizes: Mapping[str, int],
    rng: np.random.Generator,
    *,
    scale_range: tuple[float, float] = (0.5, 2.0),
) -> Transform:
    """A transform drawn at random from all groups of ``spec`` at once.

    Parameters
    ----------
    spec : PermutationSpec
    sizes : Mapping[str, int]
        Units of each permutation, as from ``spec.sizes(params)``; names without a size are left out.
    rng : numpy.random.Generator
    scale_range : tuple of two float
        Scales of units and of rotated pairs, and singular values of linear matrices: their logarithms are uniform
        between those of the two.

    Returns
    -------
    Transform
        Orders, signs and angles uniform; orthogonal matrices by Haar's measure, with norms of kind ``layer`` among
        those that map the vector of ones to itself; linear ones U diag(s) V with U and V by Haar's measure.

    Examples
    --------
    >>> import numpy as np, rebasin_fast as rf
    >>> from rebasin_fast.permutation.transforms import random_transform
    >>> from rebasin_fast.specs.symmetry import Role, Symmetry
    >>> rotation = Symmetry("P", "orthogonal", (Role("w", 0, (1,)),))
    >>> spec = rf.PermutationSpec({"w": ("P", None)}, symmetries=[rotation])
    >>> q = random_transform(spec, {"P": 3}, np.random.default_rng(0)).matrices["P"]
    >>> np.allclose(q @ q.T, np.eye(3))
    True
    """
    low, high = scale_range
    if not 0.0 < low <= high < np.inf:
        raise ValueError(f"scale_range is two numbers, 0 < low <= high; got {scale_range!r}")
    orders = random_permutation(spec, sizes, rng)
    signs: dict[str, Floats] = {}
    scales: dict[str, Floats] = {}
    matrices: dict[str, Floats] = {}
    rotations: dict[str, Floats] = {}
    for name, order in orders.items():
        if symmetry_of(spec, name, "signs") is not None:
            signs[name] = rng.choice([-1.0, 1.0], order.shape)
        if symmetry_of(spec, name, "scales") is not None:
            scales[name] = _between(low, high, order.shape, rng)
        symmetry = symmetry_of(spec, name, "rotations")
        if symmetry is not None:
            shape = (*order.shape, symmetry.rotations)
            rotations[name] = _between(low, high, shape, rng)[..., None] * _directions(shape, rng)
        symmetry = symmetry_of(spec, name, "matrices")
        if symmetry is not None:
            matrices[name] = _matrices(symmetry, order.shape, low, high, rng)
    return Transform(orders, signs, scales, matrices, rotations)


def haar(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Random orthogonal matrices, one for each row of an array of ``shape``."""
    q, r = np.linalg.qr(rng.standard_normal((*shape, shape[-1])))
    diagonal = np.diagonal(r, axis1=-2, axis2=-1)
    matrices: Floats = q * np.where(diagonal < 0.0, -1.0, 1.0)[..., None, :]
    return matrices


def haar_fixing_ones(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Random orthogonal matrices that map the vector of ones to itself, one for each row of an array of ``shape``."""
    n = shape[-1]
    frame = ones_first(n)
    inner = np.zeros((*shape, n))
    inner[..., 0, 0] = 1.0
    if n > 1:
        inner[..., 1:, 1:] = haar((*shape[:-1], n - 1), rng)
    matrices: Floats = frame @ inner @ frame.T
    return matrices


def ones_first(n: int) -> Floats:
    """An orthogonal matrix whose first column is the vector of ones, divided by its length: a reflection."""
    normal = np.full(n, 1.0 / np.sqrt(n))
    normal[0] -= 1.0
    length = float(normal @ normal)
    reflection: Floats = np.eye(n)
    return reflection - np.outer(normal, normal) * (2.0 / length) if length else reflection


def _matrices(
    symmetry: Symmetry, shape: tuple[int, ...], low: float, high: float, rng: np.random.Generator
) -> Floats:
    if symmetry.group == "linear":
        scaled: Floats = haar(shape, rng) * _between(low, high, shape, rng)[..., None, :]
        mixed: Floats = scaled @ haar(shape, rng)
        return mixed
    if any(norm.kind == "layer" for norm in symmetry.norms):
        return haar_fixing_ones(shape, rng)
    return haar(shape, rng)


def _directions(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Cosines and sines of uniform angles."""
    angles = rng.uniform(0.0, 2.0 * np.pi, shape)
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1)


def _between(low: float, high: float, shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    drawn: Floats = np.exp(rng.uniform(np.log(low), np.log(high), shape))
    return drawn
