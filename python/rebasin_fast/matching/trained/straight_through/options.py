"""Options of the straight-through estimator, and what those that are left out mean in a run."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from rebasin_fast import _arguments
from rebasin_fast.matching.trained.checkpoint import FILE
from rebasin_fast.matching.trained.options import TrainingOptions

if TYPE_CHECKING:
    from rebasin_fast.matching.result import Progress, ProgressCallback
    from rebasin_fast.typing import Params, Rng


class StraightThroughKeywords(TypedDict, total=False):
    """See :func:`rebasin_fast.straight_through_matching`: what it takes for all symmetries and for permutations."""

    rng: Rng
    epochs: int
    learning_rate: float | None
    optimizer: Callable[[list[Any]], Any] | None
    schedule: Callable[[Any], Any] | None
    max_iter: int | None
    evaluate: Callable[[Params], float | Mapping[str, float]] | None
    evaluate_every: int
    kept_batches: int
    patience: int | None
    stop: Callable[[Progress], bool] | None
    checkpoint: str | os.PathLike[str] | None
    checkpoint_every: int | None
    strict: bool
    threads: int | None
    progress: ProgressCallback | bool | None
    options: StraightThroughOptions | None


@dataclass(frozen=True, kw_only=True)
class StraightThroughOptions(TrainingOptions):
    """Options of ``straight_through_matching``; names and meanings are those of its keywords."""

    symmetries: Literal["permutations", "all"] = "permutations"
    move_both: bool = False
    gradient: Literal["straight-through", "group"] = "straight-through"
    learning_rate: float | None = None
    momentum: float | None = None
    max_iter: int | None = None
    evaluate_every: int = 50
    checkpoint: str | os.PathLike[str] | None = None
    checkpoint_every: int | None = None
    strict: bool = True
    threads: int | None = None

    def resolved(self) -> StraightThroughOptions:
        """With a value for every option that has one, after a check.

        ValueError unless every option is in its range, and for one that does not apply.
        """
        _arguments.choice("symmetries", self.symmetries, ("permutations", "all"))
        _arguments.flag("move_both", self.move_both)
        _arguments.choice("gradient", self.gradient, ("straight-through", "group"))
        if self.symmetries == "all":
            options = self._for_all_symmetries()
        elif self.gradient == "group":
            raise ValueError("gradient='group' is for symmetries='all'; orders alone follow a trained copy")
        elif self.move_both:
            raise ValueError(
                "move_both is for symmetries='all'; by permutations alone A stays as it is, and B moves"
            )
        else:
            options = self._with(learning_rate=0.1, momentum=0.9, max_iter=100)
        options._check()
        return options

    def _for_all_symmetries(self) -> StraightThroughOptions:
        if self.momentum is not None:
            raise ValueError(
                "momentum is for symmetries='permutations', where SGD is the default optimizer; with symmetries='all' "
                "it is Adam: pass optimizer=lambda tensors: torch.optim.SGD(tensors, lr=…, momentum=…) for another"
            )
        if self.gradient == "group":
            self._refuse_with_group()
            return self._with(learning_rate=0.01)
        return self._with(learning_rate=0.01, max_iter=1)

    def _refuse_with_group(self) -> None:
        if self.move_both:
            raise ValueError(
                "move_both is for gradient='straight-through'; a line depends on what moves B relative to A alone, and "
                "gradient='group' reaches all of that from one end"
            )
        if self.max_iter is not None:
            raise ValueError(
                "max_iter is for gradient='straight-through'; with 'group' no matching follows a step"
            )

    def _with(self, **defaults: Any) -> StraightThroughOptions:
        return replace(self, **{n: value for n, value in defaults.items() if getattr(self, n) is None})

    def _check(self) -> None:
        self.check_positive("max_iter", "checkpoint_every")
        if self.checkpoint is not None:
            FILE.check_name(self.checkpoint)
        elif self.checkpoint_every is not None:
            raise ValueError("checkpoint_every needs a file: pass checkpoint='run.safetensors'")
