"""One run of Sinkhorn re-basin: soft permutations, a loss of the models they give, rounded permutations compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

import numpy as np

from rebasin_fast import _arguments
from rebasin_fast._arrays import library_of, wide_on_host
from rebasin_fast._arrays.interface import is_complex
from rebasin_fast._models.functional import Batches, FunctionalModel, Tensors
from rebasin_fast._models.inference import import_torch
from rebasin_fast.errors import ParamsError
from rebasin_fast.matching.matched import matched_parameters
from rebasin_fast.matching.result import Progress, ProgressCallback
from rebasin_fast.matching.trained.options import TrainingOptions
from rebasin_fast.matching.trained.run import TrainingRun
from rebasin_fast.matching.trained.sinkhorn.scores import ScoreMatrices, soft_by_size
from rebasin_fast.matching.trained.soft_layout import SoftApplication
from rebasin_fast.permutation import apply_permutation

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Index, Params, Permutation

Objective: TypeAlias = Literal["l2", "midpoint", "random"]
Direction: TypeAlias = Literal["b_to_a", "a_to_b"]

_STEPS_WITHOUT_DATA = 300


@dataclass(frozen=True, kw_only=True)
class SinkhornOptions(TrainingOptions):
    """Options of ``sinkhorn_matching``; names and meanings are those of its keywords."""

    objective: Objective | None = None
    steps: int | None = None
    tau: float = 1.0
    iterations: int = 20
    noise: float = 0.1
    direction: Direction = "b_to_a"

    def check(self, batches: object, loss: object) -> None:
        """ValueError unless every option is in its range, and data comes with the objectives that need it."""
        assert self.objective is not None
        _arguments.choice("objective", self.objective, ("l2", "midpoint", "random"))
        _arguments.choice("direction", self.direction, ("b_to_a", "a_to_b"))
        self.check_positive("steps")
        _arguments.count("iterations", self.iterations)
        _arguments.number("tau", self.tau, above=0.0, of="a temperature")
        _arguments.number("noise", self.noise, least=0.0, of="a standard deviation")
        if self.objective != "l2" and (batches is None or loss is None):
            raise ValueError(f"the {self.objective} objective needs batches and a loss")
        if self.objective == "l2" and batches is not None:
            raise ValueError("the l2 objective takes no batches; pass objective='midpoint' or 'random'")


class SinkhornRun(TrainingRun):
    """One ascent: ``moving`` is moved softly towards ``still``, from the permutation ``start`` and noise."""

    def __init__(
        self,
        spec: PermutationSpec,
        function: FunctionalModel | None,
        still: Params,
        moving: Params,
        loss: Callable[[Any, Any], Any] | None,
        options: SinkhornOptions,
        start: Permutation,
        rng: np.random.Generator,
    ) -> None:
        super().__init__(function, options)
        self._torch = torch = import_torch("sinkhorn_matching")
        self._spec, self._model, self._loss, self._options, self._rng = spec, function, loss, options, rng
        if function is None:
            dtype = self._dtype_of(still)
            self._still, self._moving = (
                {name: self._tensor(params[name], dtype) for name in still if name in moving}
                for params in (still, moving)
            )
        else:
            self._still, self._moving = function.tensors(still, "A"), function.tensors(moving, "B")
        first = next(iter(self._still.values()))
        sizes = spec.sizes({**moving, **still})
        self._application = SoftApplication(spec, self._still, sizes, first.device)
        self._matched = [name for name in matched_parameters(spec, (still, moving)) if name in self._still]
        for name in self._matched:
            if is_complex(library_of(still[name]).dtype_name(still[name])):
                raise ParamsError(
                    f"parameter {name!r} is complex, and sinkhorn_matching mixes real numbers only; weight_matching "
                    "and frank_wolfe_matching take complex weights"
                )
        self.assignments = 0
        self.state.current = {name: np.array(index) for name, index in start.items()}
        dtype = torch.promote_types(first.dtype, torch.float32)
        self._scores = ScoreMatrices(start, noise=options.noise, rng=rng, dtype=dtype, device=first.device)
        if self._scores.tensors:
            self._prepare(
                list(self._scores.tensors.values()),
                lambda tensors: torch.optim.AdamW(tensors, lr=options.learning_rate),
            )

    def train(
        self,
        batches: Batches | None,
        stop: Callable[[Progress], bool] | None,
        progress: ProgressCallback | None,
    ) -> bool:
        """All steps; True when patience ended them."""
        if not self._scores.tensors:
            self._compare()
            return False
        self.most_steps = self._options.steps
        if batches is None:
            self.most_steps = self.most_steps or _STEPS_WITHOUT_DATA
            batches = cast(Batches, [None] * self.most_steps)
        return super().train(batches, stop, progress)

    def _loss_of(self, batch: Any) -> Any:
        options = self._options
        soft = soft_by_size(self._scores.tensors, tau=options.tau, iterations=options.iterations)
        moved = self._application(self._moving, soft)
        if self._options.objective == "l2":
            return self._distance(moved)
        t = 0.5 if self._options.objective == "midpoint" else float(self._rng.uniform())
        assert self._model is not None
        assert self._loss is not None
        return self._model.loss(self._between(moved, t), batch, self._loss)

    def _new_permutation(self) -> dict[str, Index] | None:
        if not self.state.evaluations:  # the start, without its noise
            return self.state.current
        self.assignments += self._scores.count
        found, last = self._scores.hard(), self.state.current
        if all(np.array_equal(last[name], found[name]) for name in found):
            return None
        self.state.current = found
        return found

    def _measured(self, permutation: dict[str, Index]) -> float:
        moved = apply_permutation(self._spec, permutation, self._moving)
        inner = (library_of(moved[name]).dot(self._still[name], moved[name]) for name in self._matched)
        self.state.history.append(sum(inner))
        if self._options.objective == "l2":
            return float(self._distance({name: moved[name].double() for name in self._matched}))
        assert self._model is not None
        assert self._loss is not None
        return self._model.mean_loss(self._between(moved, 0.5), self._kept, self._loss)

    def _distance(self, moved: Tensors) -> Any:
        """Squared, over all that is matched."""
        parts = [(self._still[name] - moved[name]).square().sum() for name in self._matched]
        return self._torch.stack(parts).sum() if parts else self._torch.zeros(())

    def _between(self, moved: Tensors, t: float) -> Tensors:
        return {
            name: (1.0 - t) * value + t * moved[name] if value.is_floating_point() else value
            for name, value in self._still.items()
        }

    def _dtype_of(self, params: Params) -> Any:
        wide = any(library_of(array).dtype_name(array) == "float64" for array in params.values())
        return self._torch.float64 if wide else self._torch.float32

    def _tensor(self, array: Any, dtype: Any) -> Any:
        if isinstance(array, self._torch.Tensor):
            return array.detach().to("cpu", dtype)
        return self._torch.tensor(wide_on_host(array), dtype=dtype)
