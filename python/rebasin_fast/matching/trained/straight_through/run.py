"""One run of the straight-through estimator: matching, a loss at the midpoint, a step of the optimizer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from rebasin_fast._models.functional import FunctionalModel, Tensors
from rebasin_fast._models.inference import import_torch
from rebasin_fast.matching.objective import objective_of
from rebasin_fast.matching.state_file import key_of
from rebasin_fast.matching.trained.checkpoint import TrainingFile
from rebasin_fast.matching.trained.straight_through.midpoint import MidpointRun
from rebasin_fast.matching.weight.method import weight_matching
from rebasin_fast.permutation import apply_permutation

if TYPE_CHECKING:
    from rebasin_fast.matching.trained.straight_through.options import StraightThroughOptions
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Index, Params


class StraightThroughRun(MidpointRun):
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
        torch = import_torch("straight_through_matching")
        self._spec = spec
        self._a, self._b = function.tensors(params_a, "A"), function.tensors(params_b, "B")
        self._copy = {name: value.clone() for name, value in self._a.items()}
        super().__init__(function, loss, options, evaluate, [self._copy])
        self._prepare(
            self._trained(),
            lambda tensors: torch.optim.SGD(tensors, lr=options.learning_rate, momentum=options.momentum),
        )
        self.state.current, self.state.seed = start, seed
        if options.checkpoint is not None:
            key = key_of(spec, (self._a, self._b), {})
            self._file = TrainingFile(
                options.checkpoint, key, spec, self._copy, self._optimizer, self._schedule, start=start
            )
            self.state = self._file.resume() or self.state
        if self.state.step:
            self._ends = self._ends_under(self.state.current)

    def _before_step(self) -> None:
        state, options = self.state, self._options
        found = weight_matching(
            self._spec,
            self._copy,
            self._b,
            init=state.current,
            # A drawn seed chooses where training begins; the matchings after it go on from there.
            rng=np.random.default_rng([state.seed, 0]) if state.seed and not state.step else 0,
            max_iter=options.max_iter or 1,
            strict=options.strict,
            threads=options.threads,
        )
        self._note_work(found.stats)
        if found.stats.accepted_steps or self._ends is None:
            self._stand_at(found.permutation)

    def _ends_under(self, arrays: dict[str, Index]) -> tuple[Tensors, Tensors]:
        return self._a, apply_permutation(self._spec, arrays, self._b)

    def _objective(self) -> float:
        return objective_of(self._spec, self._a, self._b, self.state.current, strict=self._options.strict)
