"""The result of matchings that are trained by gradient steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rebasin_fast.matching.result import Matching


@dataclass(frozen=True, repr=False)
class TrainedMatching(Matching):
    """A :class:`Matching` with the losses of the steps that led to it.

    Attributes
    ----------
    loss, first_loss : float
        Of ``permutation``, and of the permutation of the first comparison.
    steps, best_step : int
        Steps taken, and the one after which ``permutation`` stood.
    losses : list[float]
        The loss of each step.
    evaluations : list[tuple[int, float]]
        The steps after which a permutation was compared, and its loss.
    """

    loss: float = float("nan")
    first_loss: float = float("nan")
    steps: int = 0
    best_step: int = 0
    losses: list[float] = field(default_factory=list, repr=False)
    evaluations: list[tuple[int, float]] = field(default_factory=list, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the index arrays, as JSON values."""
        return {
            **super().to_dict(),
            "loss": self.loss,
            "first_loss": self.first_loss,
            "steps": self.steps,
            "best_step": self.best_step,
            "evaluations": [list(pair) for pair in self.evaluations],
        }
