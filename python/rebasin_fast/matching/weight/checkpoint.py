"""The steps of a weight matching in a file, from which an interrupted one continues to the same result."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._arrays import library_of
from rebasin_fast.errors import FileFormatError
from rebasin_fast.files import load_params, save_params
from rebasin_fast.typing import Index

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Array, Params

# A permutation's number, how far its step stood out, and the indices of all that moved with it, flattened.
Step = tuple[int, float, list[Index]]

_SUFFIXES = (".safetensors", ".npz")
_SECONDS_BETWEEN_SAVES = 30.0
_SAMPLED = 64  # entries of each array that tell one model from another


@dataclass
class Checkpoint:
    """The steps of all runs so far. ``key`` tells the matching that they belong to."""

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
        steps = [(run, step) for run, steps in enumerate(self.runs) for step in steps]
        units = [index for _, (_, _, family) in steps for index in family]
        arrays: dict[str, NDArray[Any]] = {
            "key": np.frombuffer(self.key.encode(), dtype=np.uint8),
            "run": np.array([run for run, _ in steps], dtype=np.int32),
            "permutation": np.array([step[0] for _, step in steps], dtype=np.int32),
            "score": np.array([step[1] for _, step in steps], dtype=np.float64),
            "members": np.array([len(step[2]) for _, step in steps], dtype=np.int32),
            "lengths": np.array([index.size for index in units], dtype=np.int64),
            "units": np.concatenate([*units, np.empty(0, dtype=np.int64)]).astype(np.int32),
        }
        save_params(self.path, arrays, overwrite=True)
        self._saved_at = monotonic()


def open_checkpoint(path: str | os.PathLike[str], key: str) -> Checkpoint:
    """The checkpoint in the file ``path``, or a new one where there is no file.

    Raises
    ------
    FileFormatError
        The file is none of a matching, is damaged, or belongs to other models, another spec or other options.
    """
    file = Path(path)
    if file.suffix not in _SUFFIXES:
        raise FileFormatError(f"{file}: a checkpoint of a matching is a {' or '.join(_SUFFIXES)} file")
    checkpoint = Checkpoint(file, key)
    if file.exists():
        checkpoint.runs = _read(file, key)
    return checkpoint


def key_of(spec: PermutationSpec, params_a: Params, params_b: Params, options: Mapping[str, Any]) -> str:
    """What tells one matching from another: the spec, the options, and some entries of every array."""
    digest = hashlib.sha256(spec.digest().encode())
    digest.update(json.dumps(options, sort_keys=True, default=repr).encode())
    for params in (params_a, params_b):
        for name in spec.axes_to_perm:
            if name in params:
                digest.update(name.encode() + _sample(params[name]))
    return digest.hexdigest()


def _sample(array: Array) -> bytes:
    shape = tuple(array.shape)
    positions = np.linspace(0, max(int(np.prod(shape)) - 1, 0), _SAMPLED).astype(np.int64)
    taken = [array[tuple(int(i) for i in np.unravel_index(position, shape))] for position in positions]
    entries = [_number(library_of(array).to_host(one.reshape(1))[0]) if shape else 0.0 for one in taken]
    return repr((shape, entries)).encode()


def _number(entry: Any) -> float | complex:
    return complex(entry) if np.iscomplexobj(entry) else float(entry)


def _read(file: Path, key: str) -> list[list[Step]]:
    arrays = load_params(file, library="numpy")
    try:
        found = {name: np.asarray(arrays[name]) for name in
                 ("key", "run", "permutation", "score", "members", "lengths", "units")}  # fmt: skip
        stored = found["key"].astype(np.uint8).tobytes().decode("ascii", "replace")
        runs = _steps(found)
    except (KeyError, ValueError, IndexError) as error:
        raise FileFormatError(f"{file} is no checkpoint of a matching, or is damaged ({error})") from None
    if stored != key:
        raise FileFormatError(
            f"{file} belongs to another matching: other models, another spec or other options. Give the file that "
            "belongs to these, or another name"
        )
    return runs


def _steps(found: Mapping[str, NDArray[Any]]) -> list[list[Step]]:
    ends = np.cumsum(found["lengths"], dtype=np.int64)
    units = found["units"].astype(np.int64)
    if (found["lengths"] < 0).any() or int(ends[-1] if ends.size else 0) != units.size:
        raise ValueError("its parts do not fit together")
    indices = np.split(units, ends[:-1]) if ends.size else []
    runs: list[list[Step]] = []
    position = 0
    for run, permutation, score, members in zip(
        found["run"], found["permutation"], found["score"], found["members"], strict=True
    ):
        if not 0 <= run <= len(runs) or position + members > len(indices):
            raise ValueError("its parts do not fit together")
        if run == len(runs):
            runs.append([])
        family = indices[position : position + int(members)]
        position += int(members)
        runs[-1].append((int(permutation), float(score), family))
    return runs
