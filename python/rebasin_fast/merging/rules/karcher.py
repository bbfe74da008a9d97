"""The Karcher mean: the point of a sphere with the least sum of squared arcs to the models (Karcher, 1977)."""

from __future__ import annotations

from math import acos, cos, sin, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.merging.rules.kinds import WEIGHTS, MergeRule, Parameter, Tensors, Values
from rebasin_fast.merging.rules.slerp import inner_product


def _karcher(tensors: Tensors, values: Values) -> NDArray[Any]:
    if len(tensors.models) == 1:
        return tensors.models[0]
    tol, weights = values["tol"], values["weights"]
    norms = [_norm(model) for model in tensors.models]
    shares = [weight / sum(weights) for weight in weights]
    wide = tensors.precision.wide.type
    directions = [
        (share, model / wide(norm))
        for share, model, norm in zip(shares, tensors.models, norms, strict=True)
        if norm > tol
    ]
    if not directions:
        return np.zeros_like(tensors.models[0])
    total = sum(share for share, _ in directions)
    mean = _mean_direction(
        [(share / total, unit) for share, unit in directions], int(values["max_iter"]), tol
    )
    length = sum(share * norm for share, norm in zip(shares, norms, strict=True))
    return tensors.precision.rounded(wide(length) * mean)


def _mean_direction(directions: list[tuple[float, NDArray[Any]]], max_iter: int, tol: float) -> NDArray[Any]:
    """The mean of unit vectors by their shares, by gradient steps along the sphere from their linear mean."""
    mean: NDArray[Any] = _combined(directions)
    norm = _norm(mean)
    mean = directions[0][1].copy() if norm < tol else mean / mean.dtype.type(norm)
    for _ in range(max_iter):
        tangent = np.zeros_like(mean)
        for share, unit in directions:
            cosine = max(-1.0, min(1.0, inner_product(mean, unit)))
            angle = acos(cosine)
            if angle >= tol:
                step = mean.dtype.type(share * angle / sin(angle))
                tangent += step * (unit - mean.dtype.type(cosine) * mean)
        length = _norm(tangent)
        if length < tol:
            break
        mean = mean.dtype.type(cos(length)) * mean + mean.dtype.type(sin(length) / length) * tangent
        norm = _norm(mean)
        if norm > tol:
            mean = mean / mean.dtype.type(norm)
    return mean


def _combined(directions: list[tuple[float, NDArray[Any]]]) -> NDArray[Any]:
    total = np.zeros_like(directions[0][1])
    for share, unit in directions:
        total += total.dtype.type(share) * unit
    return total


def _norm(array: NDArray[Any]) -> float:
    return sqrt(inner_product(array, array))


KARCHER = MergeRule(
    "karcher",
    "none",
    (WEIGHTS, Parameter("max_iter", int, 10, least=1), Parameter("tol", float, 1e-5, least=0.0)),
    _karcher,
)
