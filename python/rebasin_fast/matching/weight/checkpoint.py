"""The steps of a weight matching in a file, from which an interrupted one continues to the same result."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np

from rebasin_fast._untrusted.schema import (
    MEASURED,
    WHOLE,
    ArrayOf,
    Count,
    Fields,
    ListOf,
    Row,
    Schema,
)
from rebasin_fast.matching.state_file import StateFile
from rebasin_fast.typing import Index

if TYPE_CHECKING:
    from rebasin_fast.typing import Array

# A permutation's number, how far its step stood out, and the indices of all that moved with it, flattened.
Step = tuple[int, float, list[Index]]

# Of a step: the run, the permutation's number, its score, and the lengths of its parts of ``units``.
_STEP = Row((Count(), Count(most=2**31 - 1), MEASURED, ListOf(Count())))
_FILE = StateFile(
    "rebasin_fast.weight_matching",
    "checkpoint of weight_matching",
    Schema(Fields({"steps": ListOf(_STEP)}), Fields({"units": ArrayOf(WHOLE, ("units",))})),
)
_SECONDS_BETWEEN_SAVES = 30.0


@dataclass
class Checkpoint:
    """The steps of all runs so far. ``key`` identifies the matching that they belong to."""

    path: Path
    key: str
    runs: list[list[Step]] = field(default_factory=list)
    _saved_at: float = field(default_factory=monotonic)

    def recorded(self, run: int) -> list[Step]:
        """The steps of a run, counted from 1, as far as an earlier process came."""
        while len(self.runs) < run:
            self.runs.append([])
        return list(self.runs[run - 1])

    def add(self, run: int, step: Step) -> None:
        """Note one step; the file is written from time to time."""
        self.runs[run - 1].append(step)
        if monotonic() - self._saved_at > _SECONDS_BETWEEN_SAVES:
            self.save()

    def save(self) -> None:
        """Write the file whole, in place of the one before."""
        steps = [(run, *step) for run, steps in enumerate(self.runs) for step in steps]
        units = [index for *_, family in steps for index in family]
        account = {"steps": [[*step, [index.size for index in family]] for *step, family in steps]}
        arrays = {"units": np.concatenate([*units, np.empty(0, dtype=np.int64)]).astype(np.int32)}
        _FILE.write(self.path, arrays, account, key=self.key)
        self._saved_at = monotonic()


def open_checkpoint(path: str | os.PathLike[str], key: str) -> Checkpoint:
    """The checkpoint in the file ``path``, or a new one where there is no file.

    Raises
    ------
    FileFormatError
        The file is none of a matching, is damaged, or belongs to other models, another spec or other options.
    """
    return Checkpoint(Path(path), key, _FILE.resume(path, _runs, key=key) or [])


def _runs(arrays: Mapping[str, Array], account: Mapping[str, Any]) -> list[list[Step]]:
    units = np.asarray(arrays["units"]).astype(np.int64)
    runs: list[list[Step]] = []
    position = 0
    for run, permutation, score, lengths in account["steps"]:
        if not max(len(runs) - 1, 0) <= run <= len(runs) or position + sum(lengths) > units.size:
            raise ValueError("its parts do not fit together")
        ends = np.cumsum([position, *lengths], dtype=np.int64)
        family = [units[start:end] for start, end in pairwise(ends)]
        position = int(ends[-1])
        if run == len(runs):
            runs.append([])
        runs[-1].append((permutation, float(score), family))
    if position != units.size:
        raise ValueError("its parts do not fit together")
    return runs
