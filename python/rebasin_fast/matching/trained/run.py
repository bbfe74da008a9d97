"""The loop of matchings that are trained: batches, steps of an optimizer, comparisons, and the end by patience."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from itertools import chain, islice
from typing import Any

from numpy.typing import NDArray

from rebasin_fast._models.functional import Batches, FunctionalModel, fresh
from rebasin_fast._models.inference import count_of
from rebasin_fast.errors import DataError
from rebasin_fast.matching.result import Progress, ProgressCallback
from rebasin_fast.matching.trained.options import TrainingOptions
from rebasin_fast.matching.trained.state import TrainingState


class TrainingRun:
    """One run; a method adds its loss, and the permutation that stands after a step."""

    def __init__(self, function: FunctionalModel | None, options: TrainingOptions) -> None:
        self._function = function
        self._training = options
        self._keep = options.kept_batches
        self._kept: list[Any] = []
        self._optimizer: Any = None
        self._schedule: Any = None
        self.most_steps: int | None = None
        self.state = TrainingState()

    def _loss_of(self, batch: Any) -> Any:
        """The loss of a step, differentiable."""
        raise NotImplementedError

    def _measured(self, permutation: dict[str, NDArray[Any]]) -> float:
        """The loss by which permutations compare."""
        raise NotImplementedError

    def _new_permutation(self) -> dict[str, NDArray[Any]] | None:
        """The permutation that stands now; None if it is that of the last comparison."""
        raise NotImplementedError

    def _before_step(self) -> None:
        """Called before each step, and before the first comparison."""

    def _pass_gradients(self) -> None:
        """Called between the backward pass and the step of the optimizer."""

    def _after_step(self) -> None:
        """Called after a step and its comparison."""

    def _after_epoch(self) -> None:
        """Called when an epoch is complete."""

    def train(
        self, batches: Batches, stop: Callable[[Progress], bool] | None, progress: ProgressCallback | None
    ) -> bool:
        """All steps; True when patience ended them."""
        state = self.state
        with self._function.running() if self._function is not None else nullcontext():
            for batch, place in self._stream(batches):
                self._before_step()
                if not state.evaluations:
                    self._compare()
                event = Progress(*place, "", self._step(batch))
                if progress is not None:
                    progress(event)
                if state.step % self._training.evaluate_every == 0:
                    self._compare()
                self._after_step()
                if self._exhausted() or (stop is not None and stop(event)):
                    break
            if not self._exhausted():
                self._compare()
        return self._exhausted()

    def _prepare(self, tensors: list[Any], optimizer: Callable[[list[Any]], Any]) -> None:
        """The optimizer of ``tensors``, ``optimizer`` unless the caller gave one, and its schedule."""
        options = self._training
        self._optimizer = (options.optimizer or optimizer)(tensors)
        self._schedule = None if options.schedule is None else options.schedule(self._optimizer)

    def _stream(self, batches: Batches) -> Iterator[tuple[Any, tuple[int, int, int, int]]]:
        """Batches, and where each stands: epoch, epochs, step in the epoch, steps of an epoch as far as known."""
        state, epochs, most = self.state, self._training.epochs, self.most_steps
        length = count_of(batches) or 0
        while (state.epoch < epochs if most is None else state.step < most) and not self._exhausted():
            seen, epoch = 0, state.epoch + 1
            for seen, batch in enumerate(self._epoch(batches), 1):
                if seen <= state.seen_in_epoch:
                    continue
                state.seen_in_epoch = seen
                yield batch, (epoch, max(epochs, epoch), seen, max(length, seen))
                if state.step == most:
                    return
            if seen == 0:
                cause = (
                    "pass a list, a DataLoader or a callable, not an iterator" if epoch > 1 else "it is empty"
                )
                raise DataError(f"batches gave nothing in epoch {epoch}: {cause}")
            length = seen
            state.epoch, state.seen_in_epoch = epoch, 0
            self._after_epoch()

    def _epoch(self, batches: Batches) -> Iterator[Any]:
        """One epoch; the first batches of the first epoch are kept for comparisons."""
        stream = fresh(batches)
        if self._kept:
            return stream
        self._kept = list(islice(stream, self._keep))
        if self.state.step and self._kept:  # a run that continues may keep other batches
            self.state.best_loss = self._measured(self.state.best)
        return chain(self._kept, stream)

    def _step(self, batch: Any) -> float:
        state = self.state
        loss = self._loss_of(batch)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise ValueError(
                f"the loss is {value} in step {state.step + 1}; lower the learning rate, or check the data"
            )
        self._optimizer.zero_grad()
        if loss.requires_grad:  # not where nothing that is matched moves
            loss.backward()
        self._pass_gradients()
        self._optimizer.step()
        if self._schedule is not None:
            self._schedule.step()
        state.step += 1
        state.losses.append(value)
        return value

    def _compare(self) -> None:
        """Keep the permutation that stands now, by value, if its loss is the lowest so far."""
        state, permutation = self.state, self._new_permutation()
        if permutation is None:
            return
        value = self._measured(permutation)
        state.evaluations.append((state.step, value))
        if value < state.best_loss:
            state.best = {name: index.copy() for name, index in permutation.items()}
            state.best_loss, state.best_step, state.comparisons_since = value, state.step, 0
        else:
            state.comparisons_since += 1

    def _exhausted(self) -> bool:
        patience = self._training.patience
        return patience is not None and self.state.comparisons_since >= patience
