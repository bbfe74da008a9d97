"""One run of the straight-through estimator: matching, a loss at the midpoint, a step of the optimizer."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rebasin_fast._models.functional import FunctionalModel, Tensors
from rebasin_fast._models.inference import import_torch
from rebasin_fast.matching.objective import objective_of
from rebasin_fast.matching.result import MatchingStats
from rebasin_fast.matching.state_file import key_of
from rebasin_fast.matching.trained.checkpoint import FILE, TrainingFile
from rebasin_fast.matching.trained.options import TrainingOptions
from rebasin_fast.matching.trained.run import TrainingRun
from rebasin_fast.matching.weight.method import weight_matching
from rebasin_fast.permutation import apply_permutation

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Index, Params


@dataclass(frozen=True, kw_only=True)
class StraightThroughOptions(TrainingOptions):
    """Options of ``straight_through_matching``; names and meanings are those of its keywords."""

    momentum: float = 0.9
    max_iter: int = 100
    evaluate_every: int = 50
    checkpoint: str | os.PathLike[str] | None = None
    checkpoint_every: int | None = None
    strict: bool = True
    threads: int | None = None

    def check(self) -> None:
        """ValueError unless every option is in its range."""
        self.check_positive("max_iter", "checkpoint_every")
        if self.checkpoint is not None:
            FILE.check_name(self.checkpoint)
        elif self.checkpoint_every is not None:
            raise ValueError("checkpoint_every needs a file: pass checkpoint='run.safetensors'")


class StraightThroughRun(TrainingRun):
    """The trained copy of A, and the permutation of B that matches it."""

    def __init__(
        self,
        spec: PermutationSpec,
        function: FunctionalModel,
        params_a: Params,
        params_b: Params,
        loss: Callable[[Any, Any], Any],
        options: StraightThroughOptions,
        start: dict[str, Index],
        evaluate: Callable[[Params], float | Mapping[str, float]] | None,
        seed: int,
    ) -> None:
        super().__init__(function, options)
        torch = import_torch("straight_through_matching")
        self._spec, self._model, self._loss, self._options = spec, function, loss, options
        self._a, self._b = function.tensors(params_a, "A"), function.tensors(params_b, "B")
        self._copy = {name: value.clone() for name, value in self._a.items()}
        self._moved: Tensors = {}  # B under the current permutation
        self._leaves: Tensors = {}
        self.work = MatchingStats()  # of all matchings together
        self._evaluate = evaluate
        if evaluate is not None:
            self._keep = 0
        self._prepare(
            [self._copy[name] for name in function.trainable],
            lambda tensors: torch.optim.SGD(tensors, lr=options.learning_rate, momentum=options.momentum),
        )
        self.state.current, self.state.seed = start, seed
        self._file: TrainingFile | None = None
        if options.checkpoint is not None:
            key = key_of(spec, (self._a, self._b), {})
            self._file = TrainingFile(
                options.checkpoint, key, spec, self._copy, self._optimizer, self._schedule, start=start
            )
            self.state = self._file.resume() or self.state
        if self.state.step:
            self._moved = apply_permutation(spec, self.state.current, self._b)

    def _before_step(self) -> None:
        state, options = self.state, self._options
        found = weight_matching(
            self._spec,
            self._copy,
            self._b,
            init=state.current,
            # A drawn seed chooses where training begins; the matchings after it go on from there.
            rng=np.random.default_rng([state.seed, 0]) if state.seed and not state.step else 0,
            max_iter=options.max_iter,
            strict=options.strict,
            threads=options.threads,
        )
        names = MatchingStats.__slots__
        self.work = MatchingStats(
            **{name: getattr(self.work, name) + getattr(found.stats, name) for name in names}
        )
        if found.stats.accepted_steps or not self._moved:
            state.changed = True
            state.current = found.permutation
            self._moved = apply_permutation(self._spec, state.current, self._b)

    def _loss_of(self, batch: Any) -> Any:
        moved = self._moved
        self._leaves = {
            name: ((self._a[name] + moved[name]) * 0.5).requires_grad_() for name in self._model.trainable
        }
        return self._model.loss(self._midpoint(moved) | self._leaves, batch, self._loss)

    def _pass_gradients(self) -> None:
        for name, leaf in self._leaves.items():
            # d midpoint / d B = 1/2, and B's permutation is passed straight through.
            self._copy[name].grad = None if leaf.grad is None else leaf.grad * 0.5

    def _new_permutation(self) -> dict[str, Index] | None:
        changed, self.state.changed = self.state.changed, False
        return self.state.current if changed else None

    def _measured(self, permutation: dict[str, Index]) -> float:
        current = permutation is self.state.current
        moved = self._moved if current else apply_permutation(self._spec, permutation, self._b)
        midpoint = self._midpoint(moved)
        if self._evaluate is not None:
            measured = self._evaluate(midpoint)
            return float(measured["loss"] if isinstance(measured, Mapping) else measured)
        return self._model.mean_loss(midpoint, self._kept, self._loss)

    def _midpoint(self, moved: Tensors) -> Tensors:
        return {
            name: (value + moved[name]) * 0.5 if value.is_floating_point() or value.is_complex() else value
            for name, value in self._a.items()
        }

    def _after_step(self) -> None:
        every = self._options.checkpoint_every
        if every is not None and self.state.step % every == 0:
            self._save()

    def _after_epoch(self) -> None:
        self._compare()
        state = self.state
        state.history.append(
            objective_of(self._spec, self._a, self._b, state.current, strict=self._options.strict)
        )
        self._save()

    def _save(self) -> None:
        if self._file is not None:
            self._file.save(self.state)
