"""Options of the learner, and their values in an episode."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, TypeAlias

# A number for all episodes, or a function of an episode's number, which counts from 1.
Schedule: TypeAlias = float | Callable[[int], float]
Relaxation: TypeAlias = Literal["sinkhorn", "straight_through"]

Anchoring: TypeAlias = Literal["distance", "fisher"]

_RELAXATIONS = ("sinkhorn", "straight_through", None)
_COMPARED_EPISODES = range(1, 33)


@dataclass(frozen=True, kw_only=True)
class LearnerOptions:
    """Options of ``RebasinLearner``; names and meanings are those of its keywords."""

    alpha: Schedule
    beta: Schedule
    learning_rate: Schedule
    momentum: float
    optimizer: Callable[[list[Any]], Any] | None
    relaxation: Relaxation | None
    permutation_learning_rate: float
    permutation_every: int
    tau: float
    iterations: int
    noise: float
    penalty: Anchoring
    fisher_batches: int
    epochs: int

    def in_episode(self, number: int) -> EpisodeOptions:
        """All options with the values of their schedules; ValueError where one is out of its range."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("alpha", "beta", "learning_rate"):
            values[name] = float(values[name](number) if callable(values[name]) else values[name])
        return EpisodeOptions(**values).checked()

    def account(self) -> dict[str, Any]:
        """The options as JSON values by which states are compared; functions by their values."""
        plain = asdict(self)
        for name in ("alpha", "beta", "learning_rate"):
            if callable(plain[name]):
                plain[name] = [float(plain[name](number)) for number in _COMPARED_EPISODES]
        return {**plain, "optimizer": self.optimizer is not None}


@dataclass(frozen=True, kw_only=True)
class EpisodeOptions(LearnerOptions):
    """:class:`LearnerOptions` whose schedules are numbers."""

    alpha: float
    beta: float
    learning_rate: float

    def checked(self) -> EpisodeOptions:
        """Itself; ValueError where an option is out of its range."""
        if not 0.0 <= self.alpha <= 1.0:
            raise ValueError(f"alpha is the share of the permuted network, from 0 to 1; got {self.alpha}")
        for name, meaning in (
            ("beta", "the weight of the penalty"), ("learning_rate", "a step size"),
            ("permutation_learning_rate", "a step size"), ("noise", "a standard deviation"),
        ):  # fmt: skip
            value = getattr(self, name)
            if not (value >= 0.0 and math.isfinite(value)):
                raise ValueError(f"{name} is {meaning}, 0 or more; got {value}")
        if not 0.0 <= self.momentum < 1.0:
            raise ValueError(f"momentum is 0 or more and below 1, got {self.momentum}")
        if not self.tau > 0.0:
            raise ValueError(f"tau is a positive temperature, got {self.tau}")
        for name in ("permutation_every", "iterations", "fisher_batches", "epochs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is a positive number, got {getattr(self, name)}")
        if self.relaxation not in _RELAXATIONS:
            raise ValueError(f"relaxation is 'sinkhorn', 'straight_through' or None; got {self.relaxation!r}")
        if self.penalty not in ("distance", "fisher"):
            raise ValueError(f"penalty is 'distance' or 'fisher'; got {self.penalty!r}")
        return self

    def plain(self) -> EpisodeOptions:
        """Those of ordinary training: P is the identity, and nothing holds the parameters back."""
        return replace(self, alpha=0.0, beta=0.0, relaxation=None)
