"""What runs of the straight-through estimator share: copies, trained by the loss halfway between two ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from rebasin_fast._models.functional import FunctionalModel, Tensors
from rebasin_fast.matching.result import MatchingStats
from rebasin_fast.matching.trained.checkpoint import TrainingFile
from rebasin_fast.matching.trained.run import TrainingRun

if TYPE_CHECKING:
    from rebasin_fast.matching.trained.straight_through.options import StraightThroughOptions
    from rebasin_fast.typing import Params


class MidpointRun(TrainingRun):
    """Trained copies, and the ends that stand for them; a method says how the ends follow the copies."""

    def __init__(
        self,
        function: FunctionalModel,
        loss: Callable[[Any, Any], Any],
        options: StraightThroughOptions,
        evaluate: Callable[[Params], float | Mapping[str, float]] | None,
        copies: list[Tensors],
    ) -> None:
        super().__init__(function, options)
        self._model, self._loss, self._options = function, loss, options
        self._copies = copies
        self._ends: tuple[Tensors, Tensors] | None = None  # under the state's ``current``
        self._leaves: Tensors = {}
        self.work = MatchingStats()  # of all matchings together
        self._file: TrainingFile | None = None
        self._evaluate = evaluate
        if evaluate is not None:
            self._keep = 0

    def _ends_under(self, arrays: dict[str, NDArray[Any]]) -> tuple[Tensors, Tensors]:
        """The ends of the line, moved as a state says."""
        raise NotImplementedError

    def _objective(self) -> float:
        """That of the weights, where the ends stand."""
        raise NotImplementedError

    def _trained(self) -> list[Any]:
        """The tensors of the optimizer."""
        return [copy[name] for copy in self._copies for name in self._model.trainable]

    def _note_work(self, stats: MatchingStats) -> None:
        names = MatchingStats.__slots__
        self.work = MatchingStats(**{name: getattr(self.work, name) + getattr(stats, name) for name in names})

    def _stand_at(self, arrays: dict[str, NDArray[Any]]) -> None:
        self.state.changed, self.state.current = True, arrays
        self._ends = self._ends_under(arrays)

    def _loss_of(self, batch: Any) -> Any:
        assert self._ends is not None
        a, moved = self._ends
        self._leaves = {
            name: ((a[name] + moved[name]) * 0.5).requires_grad_() for name in self._model.trainable
        }
        return self._model.loss(midpoint(a, moved) | self._leaves, batch, self._loss)

    def _pass_gradients(self) -> None:
        for copy in self._copies:
            for name, leaf in self._leaves.items():
                # d midpoint / d end = 1/2, and the end's permutation is passed straight through.
                copy[name].grad = None if leaf.grad is None else leaf.grad * 0.5

    def _new_permutation(self) -> dict[str, NDArray[Any]] | None:
        changed, self.state.changed = self.state.changed, False
        return self.state.current if changed else None

    def _measured(self, permutation: dict[str, NDArray[Any]]) -> float:
        stands = permutation is self.state.current and self._ends is not None
        halfway = midpoint(*(self._ends if stands and self._ends else self._ends_under(permutation)))
        if self._evaluate is not None:
            measured = self._evaluate(halfway)
            return float(measured["loss"] if isinstance(measured, Mapping) else measured)
        return self._model.mean_loss(halfway, self._kept, self._loss)

    def _after_step(self) -> None:
        every = self._options.checkpoint_every
        if every is not None and self.state.step % every == 0:
            self._save()

    def _after_epoch(self) -> None:
        self._compare()
        self.state.history.append(self._objective())
        self._save()

    def _save(self) -> None:
        if self._file is not None:
            self._file.save(self.state)


def midpoint(a: Tensors, b: Tensors) -> Tensors:
    """Halfway between two models; counters are A's."""
    return {
        name: (value + b[name]) * 0.5 if value.is_floating_point() or value.is_complex() else value
        for name, value in a.items()
    }
