"""The losses of ``sinkhorn-rebasin``: distances of two models, and the loss between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rebasin_fast import _arguments
from rebasin_fast._models.inference import check_model
from rebasin_fast.errors import MissingDependencyError

try:
    import torch
except ImportError:
    raise MissingDependencyError(
        "compat.sinkhorn_rebasin needs PyTorch: pip install 'rebasin-fast[torch]'"
    ) from None


class _Loss(torch.nn.Module):
    """A loss that compares a model with a fixed one, whose parameters it freezes."""

    def __init__(self, modela: Any = None) -> None:
        super().__init__()
        self.set_model(modela)

    def set_model(self, modela: Any) -> None:
        """Compare with ``modela`` from now on."""
        if modela is not None:
            check_model(modela, "modela")
        self.modela = modela
        if modela is not None:
            for parameter in modela.parameters():
                parameter.requires_grad = False

    def _pairs(self, modelb: Any) -> Iterator[tuple[Any, Any]]:
        if self.modela is None:
            raise ValueError(f"{type(self).__name__} has no model to compare with: call set_model(modela)")
        return zip(self.modela.parameters(), modelb.parameters(), strict=True)

    def _mean(self, modelb: Any, compare: Callable[[Any, Any], Any]) -> Any:
        """The sum of ``compare`` over pairs of parameters, by the number of entries."""
        total, count = 0.0, 0
        for ours, theirs in self._pairs(modelb):
            total, count = total + compare(ours, theirs), count + ours.numel()
        return total / count


class DistL2Loss(_Loss):
    """Mean squared difference of all parameters."""

    def forward(self, modelb: Any) -> Any:
        """The distance of ``modelb``."""
        return self._mean(modelb, lambda a, b: torch.nn.functional.mse_loss(b, a, reduction="sum"))


class DistL1Loss(_Loss):
    """Mean absolute difference of all parameters."""

    def forward(self, modelb: Any) -> Any:
        """The distance of ``modelb``."""
        return self._mean(modelb, lambda a, b: (a - b).abs().sum())


class DistCosineLoss(_Loss):
    """3 minus the cosine between parameters, summed over them, by the number of entries."""

    def forward(self, modelb: Any) -> Any:
        """The distance of ``modelb``."""

        def compare(a: Any, b: Any) -> Any:
            lengths = torch.linalg.vector_norm(a) * torch.linalg.vector_norm(b)
            return 3.0 - (a * b).sum() / lengths.clamp_min(1e-8)

        return self._mean(modelb, compare)


class _LineLoss(_Loss):
    """The criterion at a point of the line between the models."""

    def __init__(self, modela: Any = None, criterion: Any = None) -> None:
        super().__init__(modela)
        if criterion is not None:
            _arguments.function("criterion", criterion)
        self.criterion = criterion if criterion is not None else torch.nn.MSELoss()

    def _at(self, t: float, modelb: Any, inputs: Any, target: Any) -> Any:
        pairs = self._pairs(modelb)
        names = (name for name, _ in modelb.named_parameters())
        values = {name: (1.0 - t) * a + t * b for name, (a, b) in zip(names, pairs, strict=True)}
        return self.criterion(torch.func.functional_call(modelb, values, (inputs,)), target)


class MidLoss(_LineLoss):
    """The criterion halfway between the models."""

    def forward(self, modelb: Any, input: Any, target: Any) -> Any:
        """Its value on one batch."""
        return self._at(0.5, modelb, input, target)


class RndLoss(_LineLoss):
    """The criterion at a random point of the line between the models, drawn by torch."""

    def forward(self, modelb: Any, input: Any, target: Any) -> Any:
        """Its value on one batch."""
        return self._at(float(torch.rand(())), modelb, input, target)
