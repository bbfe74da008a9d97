"""Weighted sums: model soups (Wortsman et al., 2022)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.merging.rules.kinds import WEIGHTS, MergeRule, Parameter, Tensors, Values
from rebasin_fast.merging.rules.precision import Precision, fused


def _linear(tensors: Tensors, values: Values) -> NDArray[Any]:
    wide = tensors.precision.wide
    weights = [np.asarray(weight, wide) for weight in values["weights"]]
    total = np.zeros_like(tensors.models[0])
    for model, weight in zip(tensors.models, weights, strict=True):
        total = fused(model, weight, total)  # as mergekit's addcmul
    if values["normalize"]:
        # Weights are numbers of the wide type here, whatever that of the models.
        total /= Precision(wide.name).sum(weights)
    return tensors.precision.rounded(total)


LINEAR = MergeRule("linear", "none", (WEIGHTS, Parameter("normalize", bool, True)), _linear)
