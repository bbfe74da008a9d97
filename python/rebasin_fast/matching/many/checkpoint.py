"""The state of ``merge_many`` after each sweep in a file, from which an interrupted run continues."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from math import isclose
from typing import TYPE_CHECKING, Any

import numpy as np

from rebasin_fast.errors import FileFormatError
from rebasin_fast.matching.many.result import FILE, ManyMatching, parsed, shapes_of, write_many
from rebasin_fast.matching.state_file import key_of

if TYPE_CHECKING:
    from rebasin_fast.matching.many.common_order import ModelsInCommonOrder
    from rebasin_fast.typing import Array

_OBJECTIVE = 1e-6  # sums of the same numbers in another order differ by less


class ManyCheckpoint:
    """The file of ``checkpoint=``, if there is one; ``reached`` is the matching that it holds.

    The generator ``rng`` is set to the state in which the earlier run left it.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        models: ModelsInCommonOrder,
        rng: np.random.Generator,
        options: Mapping[str, Any],
    ) -> None:
        self.reached: ManyMatching | None = None
        self._path, self._models, self._rng = path, models, rng
        if path is None:
            return
        self._key = key_of(models.spec, models.models, {**options, "bits": type(rng.bit_generator).__name__})
        found = FILE.resume(path, self._parsed, key=self._key)
        if found is not None:
            self.reached, rng.bit_generator.state = found

    def _parsed(self, arrays: Mapping[str, Array], account: Mapping[str, Any]) -> tuple[ManyMatching, Any]:
        many, state = parsed(arrays, account)
        here = self._models.as_matching([], converged=False)
        if many.spec.digest() != here.spec.digest() or many.report != here.report:
            raise ValueError("its spec or report is another than that of the models of its key")
        if len(many.permutations) != len(here.permutations):
            raise ValueError(f"it is of {len(many.permutations)} models, not {len(here.permutations)}")
        if shapes_of(many.permutations[0]) != shapes_of(here.permutations[0]):
            raise ValueError("its permutations have other names or shapes than those of the models")
        draws = copy.deepcopy(self._rng)
        for _ in many.history:  # one order of the models a sweep
            draws.permutation(len(self._models.models))
        if not many.history or state != draws.bit_generator.state:
            raise ValueError(f"its generator is not in the state of one after {len(many.history)} sweeps")
        return many, state

    def check_objective(self) -> None:
        """FileFormatError unless the models, in the order of the file, have the objective that it holds."""
        if self.reached is None:
            return
        found, held = self._models.objective(), self.reached.objective
        if not isclose(found, held, abs_tol=_OBJECTIVE * (abs(found) + self._models.squares)):
            raise FileFormatError(
                f"{self._path} is damaged: its permutations reach the objective {found:.12g}, and it holds "
                f"{held:.12g}; remove it, or give another name"
            )

    def write(self, history: list[float], *, converged: bool) -> None:
        """Replace the file, where one is asked for."""
        if self._path is not None:
            state = self._models.as_matching(history, converged=converged)
            write_many(self._path, state, key=self._key, rng=dict(self._rng.bit_generator.state))
