"""The state of a training run after a step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray


@dataclass
class TrainingState:
    """Permutations by value, counters, and the measurements so far.

    ``changed``: ``current`` differs from the permutation of the last comparison. A method that moves more than the
    order of units has all arrays of its transforms there.
    """

    current: dict[str, NDArray[Any]] = field(default_factory=dict)
    best: dict[str, NDArray[Any]] = field(default_factory=dict)
    seed: int = 0
    best_loss: float = float("inf")
    best_step: int = 0
    step: int = 0
    epoch: int = 0  # complete ones
    seen_in_epoch: int = 0
    comparisons_since: int = 0
    changed: bool = True
    losses: list[float] = field(default_factory=list)
    evaluations: list[tuple[int, float]] = field(default_factory=list)
    history: list[float] = field(default_factory=list)

    def losses_of_result(self) -> dict[str, Any]:
        """The fields of a ``TrainedMatching`` about losses."""
        return {
            "loss": self.best_loss,
            "first_loss": self.evaluations[0][1],
            "steps": self.step,
            "best_step": self.best_step,
            "losses": self.losses,
            "evaluations": self.evaluations,
        }

    def check(self, shapes: Mapping[str, tuple[int, ...]] | None, *, compares: bool) -> None:
        """ValueError unless all can be of one run, which ``compares`` its permutations or not.

        ``shapes``: of the permutations; None where the run checks its own arrays.
        """
        steps = [step for step, _ in self.evaluations]
        _expect(
            len(self.losses) == self.step, f"step is {self.step}, and there are {len(self.losses)} losses"
        )
        _expect(
            self.epoch + self.seen_in_epoch <= self.step,
            f"epoch is {self.epoch} and seen_in_epoch {self.seen_in_epoch} after {self.step} steps",
        )
        _expect(
            len(self.history) == (self.epoch if compares else 0),
            f"history has {len(self.history)} entries after {self.epoch} epochs",
        )
        _expect(
            steps == sorted(steps) and max(steps, default=0) <= self.step and bool(steps) == compares,
            f"evaluations are not in the order of steps up to {self.step}",
        )
        _expect(
            self.best_step in steps or self.best_step == 0,
            f"best_step is {self.best_step}, where nothing was evaluated",
        )
        _expect(
            self.comparisons_since <= len(steps),
            f"comparisons_since is {self.comparisons_since} of {len(steps)} evaluations",
        )
        if shapes is None:
            return
        for kind, permutation in (("current", self.current), ("best", self.best)):
            found = {name: index.shape for name, index in permutation.items()}
            absent = kind == "best" and not found and self.best_loss == math.inf
            _expect(absent or found == dict(shapes), f"{kind} has other names or shapes than the matching")


def _expect(condition: bool, otherwise: str) -> None:
    if not condition:
        raise ValueError(otherwise)
