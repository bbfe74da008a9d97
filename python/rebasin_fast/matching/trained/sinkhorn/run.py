"""The loop of Sinkhorn re-basin: soft permutations, a loss, a step of the optimizer, a comparison now and then."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import numpy as np

from rebasin_fast._arrays import library_of, wide_on_host
from rebasin_fast._arrays.interface import is_complex
from rebasin_fast._models.functional import Batches, FunctionalModel, Tensors, fresh
from rebasin_fast._models.inference import import_torch
from rebasin_fast.errors import DataError, ParamsError
from rebasin_fast.matching.matched import matched_parameters, refuse_integers_alone
from rebasin_fast.matching.result import Progress, ProgressCallback
from rebasin_fast.matching.trained.sinkhorn.scores import ScoreMatrices
from rebasin_fast.matching.trained.soft_layout import SoftApplication
from rebasin_fast.permutation import apply_permutation

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Index, Params, Permutation

_STEPS_WITHOUT_DATA = 300


@dataclass(frozen=True)
class SinkhornOptions:
    """What the loop is told; the names are those of ``sinkhorn_matching``."""

    objective: str
    steps: int | None
    epochs: int
    tau: float
    iterations: int
    noise: float
    direction: str
    evaluate_every: int
    kept_batches: int
    patience: int | None

    def check(self, batches: object, loss: object) -> None:
        """ValueError unless every option is in its range, and data comes with the objectives that need it."""
        if self.objective not in ("l2", "midpoint", "random"):
            raise ValueError(f"objective is 'l2', 'midpoint' or 'random'; got {self.objective!r}")
        if self.direction not in ("b_to_a", "a_to_b"):
            raise ValueError(f"direction is 'b_to_a' or 'a_to_b'; got {self.direction!r}")
        for name in ("steps", "epochs", "iterations", "evaluate_every", "kept_batches", "patience"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is a positive number, got {value}")
        if not self.tau > 0.0:
            raise ValueError(f"tau is a positive temperature, got {self.tau}")
        if not self.noise >= 0.0:
            raise ValueError(f"noise is a standard deviation, 0 or more; got {self.noise}")
        if self.objective != "l2" and (batches is None or loss is None):
            raise ValueError(f"the {self.objective} objective needs batches and a loss")
        if self.objective == "l2" and batches is not None:
            raise ValueError("the l2 objective takes no batches; ask for objective='midpoint' or 'random'")


class SinkhornRun:
    """One ascent: ``moving`` is moved softly towards ``still``."""

    def __init__(
        self,
        spec: PermutationSpec,
        function: FunctionalModel | None,
        still: Params,
        moving: Params,
        loss: Callable[[Any, Any], Any] | None,
        options: SinkhornOptions,
        rng: np.random.Generator,
    ) -> None:
        self._torch = import_torch("sinkhorn_matching")
        self._spec, self._function, self._loss, self._options = spec, function, loss, options
        self._rng = rng
        shared = [name for name in still if name in moving]
        if function is None:
            dtype = self._dtype_of(still)
            self._still, self._moving = (
                {name: self._tensor(params[name], dtype) for name in shared} for params in (still, moving)
            )
        else:
            self._still, self._moving = (
                function.tensors(params, which) for params, which in ((still, "A"), (moving, "B"))
            )
        sizes = spec.sizes({**moving, **still})
        device = next(iter(self._still.values())).device
        self._application = SoftApplication(spec, self._still, sizes, device)
        self._matched = [name for name in matched_parameters(spec, (still, moving)) if name in self._still]
        refuse_integers_alone(spec, self._matched, (still, moving))
        for name in self._matched:
            if is_complex(library_of(still[name]).dtype_name(still[name])):
                raise ParamsError(
                    f"parameter {name!r} is complex, and sinkhorn_matching mixes real numbers only; weight_matching "
                    "and frank_wolfe_matching take complex weights"
                )
        self.losses: list[float] = []
        self.evaluations: list[tuple[int, float]] = []
        self.objectives: list[float] = []
        self.best: dict[str, Index] = {}
        self.best_loss, self.best_step = math.inf, 0
        self.epoch, self.assignments = 0, 0
        self._since_best = 0
        self._kept: list[Any] = []
        self._last: dict[str, Index] = {}

    def train(
        self,
        start: Permutation,
        optimizer: Callable[[list[Any]], Any],
        schedule: Callable[[Any], Any] | None,
        batches: Batches | None,
        stop: Callable[[Progress], bool] | None,
        progress: ProgressCallback | None,
    ) -> bool:
        """All steps; True when patience ended them."""
        first = next(iter(self._still.values()))
        dtype = self._torch.promote_types(first.dtype, self._torch.float32)
        self._scores = ScoreMatrices(
            start, noise=self._options.noise, rng=self._rng, dtype=dtype, device=first.device
        )
        if not self._scores.tensors:
            self._compare({})
            return False
        self._optimizer = optimizer(list(self._scores.tensors.values()))
        self._schedule = schedule(self._optimizer) if schedule is not None else None
        with self._function.running() if self._function is not None else nullcontext():
            for batch, event in self._stream(batches):
                if not self.evaluations:
                    self._compare({name: np.array(index) for name, index in start.items()})
                value = self._step(batch)
                told = Progress(*event, "", value)
                if progress is not None:
                    progress(told)
                if len(self.losses) % self._options.evaluate_every == 0:
                    self._compare(self._hard())
                if self._exhausted() or (stop is not None and stop(told)):
                    break
            if not self._exhausted():
                self._compare(self._hard())
        return self._exhausted()

    def _stream(self, batches: Batches | None) -> Iterator[tuple[Any, tuple[int, int, int, int]]]:
        """Batches, and where each stands: epoch, epochs, step in the epoch, steps of an epoch as far as known."""
        most = self._options.steps
        if batches is None:
            most = most or _STEPS_WITHOUT_DATA
            self.epoch = 1
            for step in range(1, most + 1):
                yield None, (1, 1, step, most)
            return
        epochs, taken, length = self._options.epochs, 0, 0
        while self.epoch < epochs if most is None else taken < most:
            self.epoch += 1
            stream, seen = fresh(batches), 0
            if not self._kept:
                self._kept = list(islice(stream, self._options.kept_batches))
                stream = chain(self._kept, stream)
            for seen, batch in enumerate(stream, 1):
                taken += 1
                yield batch, (self.epoch, max(epochs, self.epoch), seen, max(length, seen))
                if taken == most:
                    return
            if seen == 0:
                cause = "it is empty" if self.epoch == 1 else "pass a list, a DataLoader or a callable"
                raise DataError(f"batches gave nothing in epoch {self.epoch}: {cause}")
            length = seen

    def _step(self, batch: Any) -> float:
        soft = self._scores.soft(tau=self._options.tau, iterations=self._options.iterations)
        moved = self._application(self._moving, soft)
        if self._options.objective == "l2":
            loss = self._distance(moved)
        else:
            t = 0.5 if self._options.objective == "midpoint" else float(self._rng.uniform())
            loss = self._loss_between(moved, t, batch)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise ValueError(
                f"the loss is {value} in step {len(self.losses) + 1}; lower the learning rate, or check the data"
            )
        self._optimizer.zero_grad()
        if loss.requires_grad:  # not where nothing that is matched moves
            loss.backward()
        self._optimizer.step()
        if self._schedule is not None:
            self._schedule.step()
        self.losses.append(value)
        return value

    def _distance(self, moved: Tensors) -> Any:
        """Squared, over all that is matched."""
        parts = [(self._still[name] - moved[name]).square().sum() for name in self._matched]
        return self._torch.stack(parts).sum() if parts else self._torch.zeros(())

    def _loss_between(self, moved: Tensors, t: float, batch: Any) -> Any:
        assert self._function is not None
        assert self._loss is not None
        between = {
            name: (1.0 - t) * value + t * moved[name] if value.is_floating_point() else value
            for name, value in self._still.items()
        }
        return self._function.loss(between, batch, self._loss)

    def _hard(self) -> dict[str, Index]:
        self.assignments += sum(
            int(np.prod(tensor.shape[:-2], dtype=np.int64)) for tensor in self._scores.tensors.values()
        )
        return self._scores.hard()

    def _compare(self, permutation: dict[str, Index]) -> None:
        """Keep a rounded permutation if its loss with hard weights is the lowest so far."""
        if self._last and all(np.array_equal(self._last[name], permutation[name]) for name in permutation):
            return
        self._last = permutation
        moved = apply_permutation(self._spec, permutation, self._moving)
        self.objectives.append(self._inner(moved))
        with self._torch.no_grad():
            if self._options.objective == "l2":
                value = float(self._distance({name: moved[name].double() for name in self._matched}))
            else:
                values = [float(self._loss_between(moved, 0.5, batch)) for batch in self._kept]
                value = sum(values) / len(values)
        self.evaluations.append((len(self.losses), value))
        if value < self.best_loss:
            self.best, self.best_loss, self.best_step = permutation, value, len(self.losses)
            self._since_best = 0
        else:
            self._since_best += 1

    def _inner(self, moved: Tensors) -> float:
        return sum(library_of(moved[name]).dot(self._still[name], moved[name]) for name in self._matched)

    def _exhausted(self) -> bool:
        patience = self._options.patience
        return patience is not None and self._since_best >= patience

    def _dtype_of(self, params: Params) -> Any:
        wide = any(library_of(array).dtype_name(array) == "float64" for array in params.values())
        return self._torch.float64 if wide else self._torch.float32

    def _tensor(self, array: Any, dtype: Any) -> Any:
        if isinstance(array, self._torch.Tensor):
            return array.detach().to("cpu", dtype)
        return self._torch.tensor(wide_on_host(array), dtype=dtype)
