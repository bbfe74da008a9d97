"""The quadratic penalty on δ, applied by its proximal step: of the squared norm, or of a Fisher matrix."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rebasin_fast._models.functional import Tensors
from rebasin_fast._models.inference import import_torch

if TYPE_CHECKING:
    from rebasin_fast.continual.importance import Importance

# Steps of δ for each proximal step of a Fisher matrix, which costs as much as several of them.
_STEPS_AT_ONCE = 8


class Distance:
    """The squared norm of δ."""

    steps_at_once = 1

    def shrink(self, deltas: Tensors, strength: float) -> float:
        """δ ← (1 + 2 strength)⁻¹ δ, in place; the squared norm before, in float64."""
        torch = import_torch("RebasinLearner")
        norms = torch._foreach_norm(list(deltas.values()))
        torch._foreach_mul_(list(deltas.values()), 1.0 / (1.0 + 2.0 * strength))
        return float(torch.stack(norms).double().square().sum())


class Fisher:
    """δᵀ F δ with the F of an :class:`Importance`, diagonal in the eigenvectors of its factors.

    Parameters outside the layers of the factors have the mean diagonal entry of F.
    """

    steps_at_once = _STEPS_AT_ONCE

    def __init__(self, importance: Importance) -> None:
        torch = import_torch("RebasinLearner")
        self._layers: dict[str, tuple[Any, Any, Any, bool]] = {}
        trace, count = 0.0, 0
        scale = 1.0 / math.sqrt(importance.episodes)
        for layer, factors in importance.factors.items():
            inputs, input_vectors = torch.linalg.eigh(factors.inputs * scale)
            outputs, output_vectors = torch.linalg.eigh(factors.outputs * scale)
            values = outputs.clamp_min(0.0).unsqueeze(1) * inputs.clamp_min(0.0)
            self._layers[layer] = (values, output_vectors, input_vectors, factors.has_bias)
            trace, count = trace + float(values.double().sum()), count + values.numel()
        self._elsewhere = trace / count if count else 1.0

    def shrink(self, deltas: Tensors, strength: float) -> float:
        """δ ← (1 + 2 strength F)⁻¹ δ, in place; δᵀ F δ before, in float64."""
        torch = import_torch("RebasinLearner")
        left, total = dict(deltas), 0.0
        for layer, (values, output_vectors, input_vectors, has_bias) in self._layers.items():
            weight = left.pop(f"{layer}.weight", None)
            if weight is None:
                continue
            bias = left.pop(f"{layer}.bias", None) if has_bias else None
            matrix = weight.flatten(1)
            if has_bias:
                column = torch.zeros_like(matrix[:, 0]) if bias is None else bias
                matrix = torch.cat((matrix, column.unsqueeze(1)), 1)
            turned = output_vectors.T @ matrix @ input_vectors
            total += float((values * turned.square()).sum(dtype=torch.float64))
            matrix = output_vectors @ (turned / (1.0 + 2.0 * strength * values)) @ input_vectors.T
            weight.copy_((matrix[:, :-1] if has_bias else matrix).reshape(weight.shape))
            if bias is not None:
                bias.copy_(matrix[:, -1])
        if left:
            total += self._elsewhere * Distance().shrink(left, strength * self._elsewhere)
        return total
