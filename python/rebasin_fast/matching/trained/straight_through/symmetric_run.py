"""One run of the straight-through estimator over all groups: copies, projected on the orbits of the ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from rebasin_fast._models.functional import FunctionalModel, Tensors
from rebasin_fast._models.inference import import_torch
from rebasin_fast._native.blas import blas_threads
from rebasin_fast.matching.state_file import key_of
from rebasin_fast.matching.trained.checkpoint import TrainingFile
from rebasin_fast.matching.trained.straight_through.isometries import isometry_of, packed, unpacked
from rebasin_fast.matching.trained.straight_through.midpoint import MidpointRun
from rebasin_fast.matching.trained.straight_through.projection import Projection
from rebasin_fast.permutation import apply_transform, identity_transform

if TYPE_CHECKING:
    from rebasin_fast.matching.symmetric.normal_forms import NormalForms
    from rebasin_fast.matching.trained.straight_through.options import StraightThroughOptions
    from rebasin_fast.permutation.transform import Transform
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Params


@dataclass(frozen=True)
class NormalPair:
    """Two models in normal form, as tensors of a model, which has to fit them."""

    forms: NormalForms
    a: Tensors = field(repr=False)
    b: Tensors = field(repr=False)

    @classmethod
    def of(cls, forms: NormalForms, function: FunctionalModel) -> NormalPair:
        """The tensors of ``function``."""
        return cls(forms, function.tensors(forms.a.params, "A"), function.tensors(forms.b.params, "B"))

    @property
    def spec(self) -> PermutationSpec:
        """With the symmetries that act on both."""
        return self.forms.spec

    def projection(self, *, of_a: bool = False, strict: bool) -> Projection:
        """The orbit of B beside A; ``of_a``: of A beside B."""
        target, moving = (self.b, self.a) if of_a else (self.a, self.b)
        return Projection(self.spec, target, moving, self.forms.symmetries, strict=strict)

    @cached_property
    def identity(self) -> Transform:
        """The transform that leaves the units where they are."""
        return identity_transform(self.spec, self.spec.sizes(self.a))


class SymmetricRun(MidpointRun):
    """B's isometry follows a copy of A; with ``move_both`` A's follows a copy of B, from where that stands first."""

    def __init__(
        self,
        pair: NormalPair,
        function: FunctionalModel,
        loss: Callable[[Any, Any], Any],
        options: StraightThroughOptions,
        start: Callable[[], Transform],
        evaluate: Callable[[Params], float | Mapping[str, float]] | None,
    ) -> None:
        torch = import_torch("straight_through_matching")
        self._pair = pair
        self.projections = {"b": pair.projection(strict=options.strict)}
        self._targets = {"b": _copied(pair.a)}
        if options.move_both:
            self.projections["a"] = pair.projection(of_a=True, strict=options.strict)
            self._targets["a"] = _copied(pair.b)
        super().__init__(function, loss, options, evaluate, list(self._targets.values()))
        self._prepare(self._trained(), lambda tensors: torch.optim.Adam(tensors, lr=options.learning_rate))
        if options.checkpoint is not None:
            self._file = self._file_at(options)
            self.state = self._file.resume() or self.state
        if not self.state.step:
            begin = start()
            self.state.current = packed({"b": begin} | ({"a": pair.identity} if options.move_both else {}))
            if options.move_both:
                _put(self._targets["a"], apply_transform(pair.spec, begin, pair.b))
        self._ends = self._ends_under(self.state.current)

    def isometries(self, arrays: dict[str, NDArray[Any]]) -> tuple[Transform, Transform]:
        """Of A and of B, by the arrays of a state."""
        found = unpacked(arrays, self.projections)
        return found.get("a", self._pair.identity), found["b"]

    def objective(self, a: Transform, b: Transform) -> float:
        """vec(moved A) . vec(moved B)."""
        return self.projections["b"].objective(self._moved(a, self._pair.a), b)

    def _file_at(self, options: StraightThroughOptions) -> TrainingFile:
        assert options.checkpoint is not None
        key = key_of(
            self._pair.spec,
            (self._pair.a, self._pair.b),
            {"symmetries": "all", "move_both": bool(options.move_both)},
        )
        copies = {
            f"{end}/{name}": value for end, copy in self._targets.items() for name, value in copy.items()
        }
        return TrainingFile(
            options.checkpoint,
            key,
            self._pair.spec,
            copies,
            self._optimizer,
            self._schedule,
            check=self._check,
        )

    def _check(self, arrays: dict[str, NDArray[Any]]) -> None:
        """ValueError unless the arrays of a file are isometries of the ends."""
        for end, isometry in unpacked(arrays, self.projections).items():
            isometry_of(self.projections[end].problem, isometry)

    def _before_step(self) -> None:
        if not self.state.evaluations:
            return  # the start is compared as it is
        isometries, moved = unpacked(self.state.current, self.projections), False
        with blas_threads(self._options.threads):
            for end, projection in self.projections.items():
                isometry, stats = projection.towards(
                    self._model_of(self._targets[end]), isometries[end], self._options.max_iter or 1
                )
                self._note_work(stats)
                moved |= isometry is not isometries[end]
                isometries[end] = isometry
        if moved:
            self._stand_at(packed(isometries))

    def _model_of(self, copy: Tensors) -> Tensors:
        """A copy whose tied parameters are those that are trained."""
        return copy | self._model.with_ties(copy)

    def _ends_under(self, arrays: dict[str, NDArray[Any]]) -> tuple[Tensors, Tensors]:
        a, b = self.isometries(arrays)
        return self._moved(a, self._pair.a), self._moved(b, self._pair.b)

    def _moved(self, isometry: Transform, model: Tensors) -> Tensors:
        return model if isometry is self._pair.identity else apply_transform(self._pair.spec, isometry, model)

    def _objective(self) -> float:
        return self.objective(*self.isometries(self.state.current))


def _copied(model: Tensors) -> Tensors:
    return {name: value.clone() for name, value in model.items()}


def _put(tensors: Tensors, values: Tensors) -> None:
    for name, value in values.items():
        tensors[name].copy_(value)
