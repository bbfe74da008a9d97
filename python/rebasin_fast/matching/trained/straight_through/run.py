"""The loop of the straight-through estimator: matching, a loss at the midpoint, a step of the optimizer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rebasin_fast._models.functional import Batches, FunctionalModel, Tensors, fresh
from rebasin_fast._models.inference import import_torch
from rebasin_fast.errors import DataError
from rebasin_fast.matching.objective import objective_of
from rebasin_fast.matching.result import MatchingStats, Progress, ProgressCallback
from rebasin_fast.matching.trained.state import TrainingState
from rebasin_fast.matching.weight.method import weight_matching
from rebasin_fast.permutation import apply_permutation

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Index, Params, Permutation


@dataclass(frozen=True)
class RunOptions:
    """What the loop is told; the names are those of ``straight_through_matching``."""

    epochs: int
    max_iter: int
    evaluate_every: int
    kept_batches: int
    patience: int | None
    checkpoint: str | os.PathLike[str] | None
    checkpoint_every: int | None
    strict: bool
    threads: int | None

    def check(self) -> None:
        """ValueError unless every option is in its range."""
        for name in ("epochs", "max_iter", "evaluate_every", "kept_batches", "patience", "checkpoint_every"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is a positive number, got {value}")
        if self.checkpoint is None and self.checkpoint_every is not None:
            raise ValueError("checkpoint_every needs a file: pass checkpoint='run.safetensors'")
        if self.checkpoint is not None and Path(self.checkpoint).suffix not in (".safetensors", ".npz"):
            raise ValueError(f"checkpoint is a .safetensors or .npz file, got {os.fspath(self.checkpoint)!r}")


class StraightThroughRun:
    """The trained copy of A, its optimizer, and the best permutation so far."""

    def __init__(
        self,
        spec: PermutationSpec,
        function: FunctionalModel,
        a: Tensors,
        b: Tensors,
        loss: Callable[[Any, Any], Any],
        options: RunOptions,
    ) -> None:
        self._spec, self._function, self._a, self._b = spec, function, a, b
        self._loss, self._options = loss, options
        self._copy = {name: value.clone() for name, value in a.items()}
        self._kept: list[Any] = []
        self._moved: Tensors = {}  # B under the current permutation
        self._work = dict.fromkeys(MatchingStats.__slots__, 0.0)

    def prepare(
        self,
        start: dict[str, Index],
        optimizer: Callable[[list[Any]], Any],
        schedule: Callable[[Any], Any] | None,
        evaluate: Callable[[Params], float | Mapping[str, float]] | None,
        seed: int,
    ) -> None:
        """Everything as before the first step, or as the checkpoint left it."""
        self._evaluate = evaluate
        self._optimizer = optimizer([self._copy[name] for name in self._function.trainable])
        self._schedule = schedule(self._optimizer) if schedule is not None else None
        self.state = TrainingState(start, seed)
        file = self._options.checkpoint
        if file is not None and Path(file).exists():
            self.state = TrainingState.load(
                file, self._spec, start, self._copy, self._optimizer, self._schedule
            )
            self._moved = apply_permutation(self._spec, self.state.current, self._b)

    def train(self, batches: Batches, stop: Any, progress: ProgressCallback | None) -> bool:
        """All steps; True when patience ended them."""
        state = self.state
        length = _length(batches)
        while state.epoch < self._options.epochs and not self._exhausted():
            seen = 0
            for seen, batch in enumerate(self._stream(batches), 1):
                if seen <= state.seen_in_epoch:
                    continue
                value = self._step(batch)
                state.seen_in_epoch = seen
                event = Progress(state.epoch + 1, self._options.epochs, seen, max(length, seen), "", value)
                if progress is not None:
                    progress(event)
                self._look_around()
                if self._exhausted() or (stop is not None and stop(event)):
                    self._compare()
                    return self._exhausted()
            length = seen
            self._end_epoch(seen)
        return self._exhausted()

    def _stream(self, batches: Batches) -> Iterator[Any]:
        """One epoch; the first batches of the first epoch are kept for comparisons."""
        stream = fresh(batches)
        if self._kept or self._evaluate is not None:
            return stream
        self._kept = list(islice(stream, self._options.kept_batches))
        if self.state.step and self._kept:
            self.state.best_loss = self._mean_loss(self._midpoint_of(self.state.best))
        return chain(self._kept, stream)

    def _look_around(self) -> None:
        """What is due between two steps."""
        step, every = self.state.step, self._options.checkpoint_every
        if step % self._options.evaluate_every == 0:
            self._compare()
        if every is not None and step % every == 0:
            self._save()

    def _end_epoch(self, seen: int) -> None:
        state = self.state
        if seen == 0:
            cause = (
                "pass a list, a DataLoader or a callable, not an iterator" if state.epoch else "it is empty"
            )
            raise DataError(f"batches gave nothing in epoch {state.epoch + 1}: {cause}")
        self._compare()
        state.epoch, state.seen_in_epoch = state.epoch + 1, 0
        state.history.append(self._objective(state.current))
        self._save()

    def work(self) -> MatchingStats:
        """What all matchings together cost."""
        counts = ("visits", "skipped_visits", "assignments", "accepted_steps")
        work = {name: int(value) if name in counts else value for name, value in self._work.items()}
        return MatchingStats(**work)  # type: ignore[arg-type]

    def _step(self, batch: Any) -> float:
        state = self.state
        self._match()
        if not state.evaluations:
            state.changed = True
            self._compare()
        moved = self._moved
        leaves = [((self._a[name] + moved[name]) * 0.5).requires_grad_() for name in self._function.trainable]
        midpoint = self._midpoint(moved) | dict(zip(self._function.trainable, leaves, strict=True))
        loss = self._function.loss(midpoint, batch, self._loss)
        value = float(loss.detach())
        if not np.isfinite(value):
            raise ValueError(
                f"the loss at the midpoint is {value} in step {state.step + 1}; "
                "lower the learning rate, or check the data"
            )
        loss.backward()
        for name, leaf in zip(self._function.trainable, leaves, strict=True):
            # d midpoint / d B = 1/2, and B's permutation is passed straight through.
            self._copy[name].grad = None if leaf.grad is None else leaf.grad * 0.5
        self._optimizer.step()
        if self._schedule is not None:
            self._schedule.step()
        state.step += 1
        state.losses.append(value)
        return value

    def _match(self) -> None:
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
        for name in MatchingStats.__slots__:
            self._work[name] += getattr(found.stats, name)
        if found.stats.accepted_steps or not self._moved:
            state.changed = True
            state.current = found.permutation
            self._moved = apply_permutation(self._spec, state.current, self._b)

    def _midpoint_of(self, permutation: Permutation) -> Tensors:
        return self._midpoint(apply_permutation(self._spec, permutation, self._b))

    def _midpoint(self, moved: Tensors) -> Tensors:
        return {
            name: (value + moved[name]) * 0.5 if value.is_floating_point() or value.is_complex() else value
            for name, value in self._a.items()
        }

    def _compare(self) -> None:
        """Keep the current permutation if it is the best so far, by value."""
        state = self.state
        if not state.changed:
            return
        state.changed = False
        value = self._mean_loss(self._midpoint(self._moved))
        state.evaluations.append((state.step, value))
        if value < state.best_loss:
            state.best = {name: index.copy() for name, index in state.current.items()}
            state.best_loss, state.best_step, state.comparisons_since = value, state.step, 0
        else:
            state.comparisons_since += 1

    def _mean_loss(self, midpoint: Tensors) -> float:
        if self._evaluate is not None:
            measured = self._evaluate(midpoint)
            return float(measured["loss"] if isinstance(measured, Mapping) else measured)
        with import_torch("straight_through_matching").no_grad():
            values = [float(self._function.loss(midpoint, batch, self._loss)) for batch in self._kept]
        return sum(values) / len(values)

    def _objective(self, permutation: Permutation) -> float:
        return objective_of(self._spec, self._a, self._b, permutation, strict=self._options.strict)

    def _exhausted(self) -> bool:
        patience = self._options.patience
        return patience is not None and self.state.comparisons_since >= patience

    def _save(self) -> None:
        if self._options.checkpoint is not None:
            self.state.save(self._options.checkpoint, self._spec, self._copy, self._optimizer, self._schedule)


def _length(batches: Batches) -> int:
    try:
        return len(batches)  # type: ignore[arg-type]
    except TypeError:
        return 0
