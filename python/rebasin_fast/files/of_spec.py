"""Small arrays in a file of their own, with the spec to which they belong and its digest."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _arguments
from .._untrusted import parse_json
from ..errors import FileFormatError, PermutationError
from .contents import Contents, FileFormat, Outgoing
from .formats import format_of_name
from .load import load_params
from .params import LoadedParams
from .writing.atomic import atomic_write

_SUFFIXES = (".safetensors", ".npz")
_NOTES = "__metadata__"  # npz has no place for text, so it lies in an array of bytes of this name


@dataclass(frozen=True)
class ArraysOfSpec:
    """The contents of such a file: arrays, the spec as JSON, its digest, further notes."""

    arrays: dict[str, NDArray[Any]]
    spec_json: str | None
    spec_digest: str | None
    metadata: dict[str, str]


@_arguments.checked()
def spec_digest(spec_json: str) -> str:
    """Compute the SHA-256 of a spec's JSON, independent of the order of its keys and of blanks.

    Symmetries have no part in it: the same permutations belong to a spec with and without them.

    Raises
    ------
    FileFormatError
        It is no JSON.

    Examples
    --------
    >>> from rebasin_fast.files import spec_digest
    >>> spec_digest('{"a": 1, "b": 2}') == spec_digest('{"b":2,"a":1}')
    True
    """
    try:
        fields = parse_json(spec_json)
    except ValueError as error:
        raise FileFormatError(f"the spec is not JSON ({error}).") from error
    if isinstance(fields, dict):
        fields.pop("symmetries", None)
    canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def check_same_spec(what: str, found_for: str | None, spec_json: str) -> None:
    """PermutationError if ``what`` was found for another spec, by its digest, than that of ``spec_json``."""
    given = spec_digest(spec_json)
    if found_for not in (None, given):
        raise PermutationError(
            f"the {what} was found for the spec {found_for:.12}…, and the spec given is "
            f"{given:.12}…. Apply it with the spec it was found for (the file holds it)."
        )


def write_arrays_of_spec(
    path: str | os.PathLike[str],
    arrays: Mapping[str, NDArray[Any]],
    *,
    what: str,
    spec_json: str | None,
    metadata: Mapping[str, str] | None,
    overwrite: bool,
) -> None:
    """Write the file, whole or not at all; ``what`` is "permutation" or "transform"."""
    path = _arguments.path("path", path)
    known = format_of_spec_file(path, what)
    notes = {} if metadata is None else _arguments.texts("metadata", metadata)
    notes["format"] = f"rebasin_fast.{what}"
    if spec_json is not None:
        notes.update(spec=spec_json, spec_sha256=spec_digest(spec_json))
    written = dict(arrays)
    if known.name == "numpy":
        written[_NOTES] = np.frombuffer(json.dumps(notes).encode(), np.uint8)
    with atomic_write(path, overwrite=overwrite) as file:
        known.write(file, Contents(Outgoing(written), {}, notes))


def read_arrays_of_spec(path: str | os.PathLike[str], *, what: str) -> ArraysOfSpec:
    """Read the file; FileFormatError where it is no such file, or its spec and digest do not agree."""
    params, notes = _read(path, what)
    arrays = {name: params[name] for name in params if name != _NOTES}
    spec, digest = notes.pop("spec", None), notes.pop("spec_sha256", None)
    notes.pop("format", None)
    if spec is not None and digest is not None and spec_digest(spec) != digest:
        raise FileFormatError(
            f"{path}: its spec and the digest beside it do not agree: one was changed by hand."
        )
    return ArraysOfSpec(arrays, spec, digest, notes)


def holds_transform(path: str | os.PathLike[str]) -> bool:
    """Whether the file says that it holds a transform, and not a permutation alone."""
    return _read(path, "permutation")[1].get("format") == "rebasin_fast.transform"


def _read(path: str | os.PathLike[str], what: str) -> tuple[LoadedParams, dict[str, str]]:
    params = load_params(path, library="numpy")
    if params.source.format == "torch":
        raise FileFormatError(f"{path}: a {what} is a file of {' or '.join(_SUFFIXES)}, not of torch.")
    notes = dict(params.source.metadata)
    if _NOTES in params:
        notes.update(_notes(params[_NOTES], path))
    return params, notes


def format_of_spec_file(path: Path, what: str) -> FileFormat:
    """The format by the name of the file; FileFormatError for others than safetensors and npz."""
    known = format_of_name(path)
    if known is None or path.suffix.lower() not in _SUFFIXES:
        raise FileFormatError(f"{path}: a {what} is saved as {' or '.join(_SUFFIXES)}.")
    return known


def _notes(array: NDArray[Any], path: object) -> dict[str, str]:
    try:
        notes = parse_json(array.astype(np.uint8).tobytes())
    except ValueError as error:
        raise FileFormatError(f"{path}: its notes cannot be read ({error}).") from error
    if not isinstance(notes, dict) or not all(isinstance(v, str) for v in notes.values()):
        raise FileFormatError(f"{path}: its notes must map text to text.")
    return notes
