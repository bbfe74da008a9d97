"""The state of ``merge_many`` after each sweep in a file, from which an interrupted run continues."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from rebasin_fast.matching.many.result import FILE, ManyMatching, parsed, write_many
from rebasin_fast.matching.state_file import key_of

if TYPE_CHECKING:
    from rebasin_fast.matching.many.common_order import ModelsInCommonOrder


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
        found = FILE.resume(path, parsed, key=self._key)
        if found is not None:
            self.reached, rng.bit_generator.state = found

    def write(self, history: list[float], *, converged: bool) -> None:
        """Replace the file, where one is asked for."""
        if self._path is not None:
            state = self._models.as_matching(history, converged=converged)
            write_many(self._path, state, key=self._key, rng=dict(self._rng.bit_generator.state))
