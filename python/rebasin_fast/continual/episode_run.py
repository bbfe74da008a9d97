"""The steps of one episode: P and δ trained together, then the parameters renewed by both."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from rebasin_fast._models.functional import FunctionalModel, Tensors
from rebasin_fast._models.inference import import_torch
from rebasin_fast.continual.episode import Episode
from rebasin_fast.continual.relaxations import relaxed
from rebasin_fast.matching.trained.sinkhorn.scores import ScoreMatrices
from rebasin_fast.matching.trained.soft_layout import SoftApplication
from rebasin_fast.permutation import apply_permutation, identity_permutation

if TYPE_CHECKING:
    from rebasin_fast.continual.anchors import Distance, Fisher
    from rebasin_fast.continual.options import EpisodeOptions
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Index, Permutation


class EpisodeRun:
    """Trains P and δ from the parameters θ in ``tensors``, whose buffers follow the training.

    ``start`` is the permutation at which the scores begin; without a relaxation it stays.
    """

    def __init__(
        self,
        spec: PermutationSpec,
        function: FunctionalModel,
        tensors: Tensors,
        options: EpisodeOptions,
        start: Permutation | None,
        anchor: Distance | Fisher,
        rng: np.random.Generator,
    ) -> None:
        self._torch = torch = import_torch("RebasinLearner")
        self._spec, self._function, self._options = spec, function, options
        self._tensors, self._anchor = tensors, anchor
        self._theta = {name: tensors[name] for name in function.trainable}
        sizes = spec.sizes(tensors)
        self._identity = identity_permutation(spec, sizes)
        self._start = self._identity if start is None else {name: np.array(start[name]) for name in start}
        self._application = SoftApplication(spec, tensors, sizes, function.device)
        self._scores: ScoreMatrices | None = None
        if options.relaxation is not None and self._identity:
            self._scores = ScoreMatrices(
                self._start, noise=options.noise, rng=rng, dtype=torch.float32, device=function.device
            )
            self._score_optimizer = torch.optim.AdamW(
                list(self._scores.tensors.values()), lr=options.permutation_learning_rate
            )
        own = dict(function.model.named_parameters())
        self._delta = {
            name: torch.zeros_like(value).requires_grad_()
            for name, value in self._theta.items()
            if own[name].requires_grad and value.is_floating_point()
        }
        make = options.optimizer or (
            lambda deltas: torch.optim.SGD(deltas, lr=options.learning_rate, momentum=options.momentum)
        )
        self._optimizer = make(list(self._delta.values()))
        self._middle = self._between(self._hard_theta(self._start)) if self._scores is None else {}
        self._steps_since_shrinking = 0
        self.losses: list[float] = []
        self.penalties: list[float] = []

    def step(self, batch: Any, loss: Callable[[Any, Any], Any]) -> float:
        """One step on a batch; the loss before it."""
        options, number = self._options, len(self.losses)
        trains_scores = self._scores is not None and number % options.permutation_every == 0
        if trains_scores:
            assert self._scores is not None
            self._middle = self._between(self._application(self._theta, relaxed(self._scores, options)))
        point = {
            name: value + self._delta[name] if name in self._delta else value
            for name, value in self._middle.items()
        }
        found = self._function.loss({**self._tensors, **point}, batch, loss, write_back=True)
        value = float(found.detach())
        if not math.isfinite(value):
            raise ValueError(
                f"the loss is {value} in step {number + 1}; lower the learning rate, or check the data. "
                "The learner is as before the episode"
            )
        self.losses.append(value)
        self._optimizer.zero_grad()
        if trains_scores:
            self._score_optimizer.zero_grad()
        if found.requires_grad:
            found.backward()
        self._optimizer.step()
        self._steps_since_shrinking += 1
        if self._steps_since_shrinking == self._anchor.steps_at_once:
            self._shrink()
        if trains_scores:
            self._score_optimizer.step()
            self._middle = {name: value.detach() for name, value in self._middle.items()}
        return value

    def finished(self, number: int) -> tuple[Tensors, Episode]:
        """The parameters and buffers after the episode, and its result."""
        torch, options = self._torch, self._options
        self._shrink()
        permutation = self._start if self._scores is None else self._scores.hard()
        moved = {name: float(np.mean(permutation[name] != self._identity[name])) for name in permutation}
        renewed = dict(self._tensors)
        if any(moved.values()) and options.alpha:
            permuted = apply_permutation(self._spec, permutation, self._tensors)
            for name, value in self._tensors.items():
                if value.is_floating_point():
                    renewed[name] = torch.lerp(value, permuted[name], options.alpha)
        for name, delta in self._delta.items():
            renewed[name] = renewed[name] + delta.detach()
        changes = [renewed[name] - value for name, value in self._theta.items()]
        return renewed, Episode(
            number=number,
            losses=np.array(self.losses),
            penalties=np.array(self.penalties or [0.0] * len(self.losses)),
            delta_norm=self._norm(delta.detach() for delta in self._delta.values()),
            change_norm=self._norm(changes),
            start_norm=self._norm(self._theta.values()),
            permutation={name: np.array(index) for name, index in permutation.items()},
            moved=moved,
            alpha=options.alpha,
            beta=options.beta,
            learning_rate=options.learning_rate,
        )

    def _between(self, permuted: Tensors) -> Tensors:
        """Halfway between θ and its permuted self."""
        return {
            name: value if permuted[name] is value else 0.5 * (value + permuted[name])
            for name, value in self._theta.items()
        }

    def _hard_theta(self, permutation: dict[str, Index]) -> Tensors:
        if all(np.array_equal(permutation[name], self._identity[name]) for name in permutation):
            return self._theta
        moved = apply_permutation(self._spec, permutation, self._tensors)
        return {name: moved[name] for name in self._theta}

    def _shrink(self) -> None:
        """The proximal step of the penalty for the steps since the last one: stable for every beta."""
        if not self._options.beta or not self._steps_since_shrinking:
            return
        group = self._optimizer.param_groups[0]
        rate = self._steps_since_shrinking * group["lr"] / (1.0 - group.get("momentum", 0.0))
        with self._torch.no_grad():
            before = self._anchor.shrink(self._delta, rate * self._options.beta)
        self.penalties += self._steps_since_shrinking * [self._options.beta * before]
        self._steps_since_shrinking = 0

    def _norm(self, tensors: Any) -> float:
        return math.sqrt(sum(float(tensor.double().square().sum()) for tensor in tensors))
