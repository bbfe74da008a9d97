"""Sums of task vectors, the differences of models to their base.

Task arithmetic (Ilharco et al., 2023), TIES (Yadav et al., 2023) and DARE (Yu et al., 2024).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.merging.rules import trimming
from rebasin_fast.merging.rules.kinds import WEIGHTS, MergeRule, Parameter, Tensors, Values
from rebasin_fast.merging.rules.precision import Precision

_NO_DIVISOR = 1e-8

Trim = Callable[[Tensors, int, NDArray[Any], Values], NDArray[Any]]


def _whole(tensors: Tensors, number: int, delta: NDArray[Any], values: Values) -> NDArray[Any]:
    return delta


def _largest(tensors: Tensors, number: int, delta: NDArray[Any], values: Values) -> NDArray[Any]:
    density = values["density"][number]
    return trimming.largest(delta, density, tensors.precision, rescale=values["rescale"])


def _random(tensors: Tensors, number: int, delta: NDArray[Any], values: Values) -> NDArray[Any]:
    density, generator = values["density"][number], tensors.generator(number)
    return trimming.random(delta, density, tensors.precision, generator, rescale=values["rescale"])


def _rule(name: str, trim: Trim, *, elect: bool, normalize: bool, rescale: bool) -> MergeRule:
    """A rule of the family; with ``elect`` only entries of the sign that prevails among the models are summed."""

    def merge(tensors: Tensors, values: Values) -> NDArray[Any]:
        base, precision = tensors.base, tensors.precision
        assert base is not None
        weights = [precision.scalar(weight) for weight in values["weights"]]
        deltas = []
        for number, (model, weight) in enumerate(zip(tensors.models, weights, strict=True)):
            delta = trim(tensors, number, precision.rounded(model - base), values)
            deltas.append(precision.rounded(delta * weight))
        mixed, divisor = (_elected if elect else _summed)(deltas, weights, precision)
        if values["normalize"]:
            mixed = precision.rounded(mixed / divisor)
        if values["lambda"] != 1.0:
            mixed = precision.rounded(mixed * precision.wide.type(values["lambda"]))
        return precision.rounded(base + mixed)

    density = Parameter("density", float, 1.0, per_model=True, least=0.0, most=1.0)
    trimmed = () if trim is _whole else (density, Parameter("rescale", bool, rescale))
    common = (WEIGHTS, Parameter("normalize", bool, normalize), Parameter("lambda", float, 1.0))
    return MergeRule(name, "required", (*common, *trimmed), merge)


def _summed(
    deltas: list[NDArray[Any]], weights: list[NDArray[Any]], precision: Precision
) -> tuple[NDArray[Any], NDArray[Any]]:
    divisor = precision.sum(weights)
    return precision.sum(deltas), np.where(np.abs(divisor) < _NO_DIVISOR, divisor.dtype.type(1), divisor)


def _elected(
    deltas: list[NDArray[Any]], weights: list[NDArray[Any]], precision: Precision
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The sum of the entries whose sign is that of the sum of all, and the sum of their weights."""
    positive = precision.sum(deltas) >= 0
    masks = [np.where(positive, delta > 0, delta < 0) for delta in deltas]
    mixed = precision.sum([delta * mask for delta, mask in zip(deltas, masks, strict=True)])
    divisor = precision.sum([weight * mask for weight, mask in zip(weights, masks, strict=True)])
    return mixed, np.where(divisor == 0, divisor.dtype.type(1), divisor)


TASK_ARITHMETIC = _rule("task_arithmetic", _whole, elect=False, normalize=False, rescale=False)
TIES = _rule("ties", _largest, elect=True, normalize=True, rescale=False)
DARE_TIES = _rule("dare_ties", _random, elect=True, normalize=False, rescale=True)
DARE_LINEAR = _rule("dare_linear", _random, elect=False, normalize=False, rescale=True)
