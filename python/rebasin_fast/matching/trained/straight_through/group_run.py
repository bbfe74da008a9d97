"""One run by gradient steps on the groups: B's matrices and scales are trained, its orders and signs stay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._models.functional import FunctionalModel, Tensors
from rebasin_fast._models.inference import import_torch
from rebasin_fast.errors import PermutationError
from rebasin_fast.matching.objective import objective_of
from rebasin_fast.matching.state_file import key_of
from rebasin_fast.matching.trained.checkpoint import TrainingFile
from rebasin_fast.matching.trained.straight_through.isometries import element_of, packed, unpacked
from rebasin_fast.matching.trained.straight_through.lie_steps import LieSteps
from rebasin_fast.matching.trained.straight_through.midpoint import MidpointRun
from rebasin_fast.permutation import apply_transform, identity_permutation

if TYPE_CHECKING:
    from rebasin_fast.matching.trained.straight_through.options import StraightThroughOptions
    from rebasin_fast.matching.trained.straight_through.symmetric_run import NormalPair
    from rebasin_fast.permutation.transform import Transform
    from rebasin_fast.typing import Params


class GroupRun(MidpointRun):
    """Coordinates of the groups about where B stands; each step moves B and starts them anew from 0."""

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
        self._steps = LieSteps(pair.spec, pair.forms.symmetries, pair.spec.sizes(pair.a))
        if not self._steps.moving:
            raise ValueError(
                "gradient='group' trains matrices and scales of units, and the models have none; leave gradient= out: "
                "orders and signs follow a copy"
            )
        self._coordinates = {
            name: torch.zeros(moving.shape, dtype=torch.float64)
            for name, moving in self._steps.moving.items()
        }
        super().__init__(function, loss, options, evaluate, [])
        self._prepare(
            list(self._coordinates.values()),
            lambda tensors: torch.optim.Adam(tensors, lr=options.learning_rate),
        )
        if options.checkpoint is not None:
            key = key_of(pair.spec, (pair.a, pair.b), {"symmetries": "all", "gradient": "group"})
            self._file = TrainingFile(
                options.checkpoint, key, pair.spec, self._coordinates, self._optimizer, self._schedule,
                check=self._check,
            )  # fmt: skip
            self.state = self._file.resume() or self.state
        if not self.state.step:
            self.state.current = packed({"b": start()})
        self._ends = self._ends_under(self.state.current)

    def isometries(self, arrays: dict[str, NDArray[Any]]) -> tuple[Transform, Transform]:
        """The identity of A, and what moves B, by the arrays of a state."""
        return self._pair.identity, unpacked(arrays, ["b"])["b"]

    def objective(self, a: Transform, b: Transform) -> float:
        """vec(A) . vec(moved B); A stays."""
        pair = self._pair
        order = identity_permutation(pair.spec, pair.spec.sizes(pair.a))
        moved = apply_transform(pair.spec, b, pair.b)
        return objective_of(pair.spec, pair.a, moved, order, strict=self._options.strict)

    def _check(self, arrays: dict[str, NDArray[Any]]) -> None:
        """ValueError unless the arrays of a file are of one element of the groups."""
        pair = self._pair
        problem = pair.projection(strict=self._options.strict).problem
        for element in unpacked(arrays, ["b"]).values():
            element_of(problem, pair.forms.symmetries, element)

    def _pass_gradients(self) -> None:
        import torch

        assert self._ends is not None
        gradients = {
            name: None if leaf.grad is None else leaf.grad * 0.5 for name, leaf in self._leaves.items()
        }
        slopes = self._steps.slopes(self._ends[1], gradients)
        for name, coordinates in self._coordinates.items():
            coordinates.grad = torch.from_numpy(np.ascontiguousarray(slopes[name]))

    def _step(self, batch: Any) -> float:
        value = super()._step(batch)
        _, b = self.isometries(self.state.current)
        coordinates = {name: tensor.detach().numpy().copy() for name, tensor in self._coordinates.items()}
        for tensor in self._coordinates.values():
            tensor.zero_()
        try:
            self._stand_at(packed({"b": self._steps.stepped(b, coordinates)}))
        except PermutationError as error:
            raise ValueError(
                f"step {self.state.step} left the group ({error}): a step of Adam moves a matrix of n units by up to n "
                "times the learning rate. Lower learning_rate, the wider the model the further"
            ) from error
        return value

    def _ends_under(self, arrays: dict[str, NDArray[Any]]) -> tuple[Tensors, Tensors]:
        _, b = self.isometries(arrays)
        return self._pair.a, apply_transform(self._pair.spec, b, self._pair.b)

    def _objective(self) -> float:
        return self.objective(*self.isometries(self.state.current))
