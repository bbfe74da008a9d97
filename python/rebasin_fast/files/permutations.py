"""A permutation as a file of its own, to be applied later or by someone else."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _arguments
from .._arrays.index_arrays import as_index
from .._untrusted import parse_json
from ..errors import FileFormatError, PermutationError
from .arrays import to_numpy
from .contents import Contents, FileFormat, Outgoing
from .formats import format_of_name
from .load import load_params
from .writing.atomic import atomic_write, check_writable

KIND = "rebasin_fast.permutation"
_SUFFIXES = (".safetensors", ".npz")
_NOTES = "__metadata__"  # npz has no place for text, so it lies in an array of bytes of this name


@dataclass(frozen=True)
class PermutationFile:
    """The contents of a permutation file.

    Attributes
    ----------
    permutation : dict of (n,) or (..., n) int64 arrays
        ``perm[p][i] = j``: slot i of A is filled by unit j of B; further axes stand for outer permutations.
    spec_json : str or None
        The spec for which it was found, as JSON.
    spec_digest : str or None
        SHA-256 of that spec in canonical form (see `spec_digest`).
    metadata : dict of str
        Further notes.
    """

    permutation: dict[str, NDArray[np.int64]]
    spec_json: str | None = None
    spec_digest: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)

    @_arguments.checked()
    def check_spec(self, spec_json: str) -> None:
        """Raise `PermutationError` if it was found for another spec than this one."""
        given = spec_digest(spec_json)
        if self.spec_digest not in (None, given):
            raise PermutationError(
                f"the permutation was found for the spec {self.spec_digest:.12}…, and the spec given is "
                f"{given:.12}…. Apply it with the spec it was found for (the file holds it)."
            )


@_arguments.checked()
def spec_digest(spec_json: str) -> str:
    """Compute the SHA-256 of a spec's JSON, independent of the order of its keys and of blanks.

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
        canonical = json.dumps(parse_json(spec_json), sort_keys=True, separators=(",", ":"))
    except ValueError as error:
        raise FileFormatError(f"the spec is not JSON ({error}).") from error
    return hashlib.sha256(canonical.encode()).hexdigest()


@_arguments.checked()
def save_permutation(
    path: str | os.PathLike[str],
    permutation: Mapping[str, Any],
    spec_json: str | None = None,
    *,
    metadata: Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> None:
    """Write a permutation to a file, whole or not at all.

    Parameters
    ----------
    path : path
        Ends in .safetensors (int64 arrays; the spec and its digest in the metadata) or .npz.
    permutation : mapping of (n,) or (..., n) integer arrays
        Each row holds every number from 0 to n - 1 once.
    spec_json : str, optional
        The spec as JSON (``spec.to_json()``). With it the file is all that is needed to apply it.
    metadata : mapping of str, optional
        Further notes.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    PermutationError
        An array that is no permutation.
    FileFormatError
        Another extension.
    OutputExistsError, UnwritableOutputError
        As in `save_params`.

    Examples
    --------
    >>> import os, tempfile, numpy as np
    >>> from rebasin_fast.files import load_permutation, save_permutation
    >>> path = os.path.join(tempfile.mkdtemp(), "p.safetensors")
    >>> save_permutation(path, {"P_0": np.array([2, 0, 1])})
    >>> load_permutation(path).permutation
    {'P_0': array([2, 0, 1])}
    """
    path = _arguments.path("path", path)
    known = _format(path)
    if not isinstance(permutation, Mapping):
        raise TypeError(f"permutation maps names to index arrays, got {type(permutation).__qualname__}")
    arrays: dict[str, NDArray[Any]] = {str(n): _checked(n, to_numpy(a)) for n, a in permutation.items()}
    notes = {**({} if metadata is None else _arguments.texts("metadata", metadata)), "format": KIND}
    if spec_json is not None:
        notes.update(spec=spec_json, spec_sha256=spec_digest(spec_json))
    if known.name == "numpy":
        arrays[_NOTES] = np.frombuffer(json.dumps(notes).encode(), np.uint8)
    with atomic_write(path, overwrite=overwrite) as file:
        known.write(file, Contents(Outgoing(arrays), {}, notes))


@_arguments.checked()
def check_permutation_output(path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Check, before long work, that `save_permutation` can write `path`; raises the same errors.

    Examples
    --------
    >>> from rebasin_fast.files import check_permutation_output
    >>> check_permutation_output("permutation.npz")
    """
    _format(Path(path))
    check_writable(path, overwrite)


@_arguments.checked()
def load_permutation(path: str | os.PathLike[str]) -> PermutationFile:
    """Read a permutation file.

    Parameters
    ----------
    path : path
        As written by `save_permutation`, or any .safetensors or .npz of such integer arrays.

    Returns
    -------
    PermutationFile
        With arrays of their own (not mapped), int64.

    Raises
    ------
    PermutationError
        An array in it is no permutation.
    FileFormatError
        It is no such file, is damaged, or its spec does not agree with the digest beside it.
    MissingFileError
        No such file.

    Examples
    --------
    >>> import os, tempfile
    >>> from rebasin_fast.files import load_permutation, save_permutation
    >>> path = os.path.join(tempfile.mkdtemp(), "p.npz")
    >>> save_permutation(path, {"P": [2, 0, 1]})
    >>> load_permutation(path).permutation
    {'P': array([2, 0, 1])}
    """
    params = load_params(path, library="numpy")
    if params.source.format == "torch":
        raise FileFormatError(f"{path}: a permutation is a file of {' or '.join(_SUFFIXES)}, not of torch.")
    notes = dict(params.source.metadata)
    if _NOTES in params:
        notes.update(_notes(params[_NOTES], path))
    permutation = {name: _checked(name, params[name], str(path)) for name in params if name != _NOTES}
    spec, digest = notes.pop("spec", None), notes.pop("spec_sha256", None)
    notes.pop("format", None)
    if spec is not None and digest is not None and spec_digest(spec) != digest:
        raise FileFormatError(
            f"{path}: its spec and the digest beside it do not agree: one was changed by hand."
        )
    return PermutationFile(permutation, spec, digest, notes)


def _format(path: Path) -> FileFormat:
    known = format_of_name(path)
    if known is None or path.suffix.lower() not in _SUFFIXES:
        raise FileFormatError(f"{path}: a permutation is saved as {' or '.join(_SUFFIXES)}.")
    return known


def _checked(name: object, array: NDArray[Any], where: str = "") -> NDArray[np.int64]:
    try:
        return as_index(str(name), array)
    except PermutationError as error:
        if not where:
            raise
        hint = "is this a permutation, as save_permutation or match --save-permutation writes it?"
        raise PermutationError(f"{where}: {hint} {error}") from None


def _notes(array: NDArray[Any], path: object) -> dict[str, str]:
    try:
        notes = parse_json(array.astype(np.uint8).tobytes())
    except ValueError as error:
        raise FileFormatError(f"{path}: its notes cannot be read ({error}).") from error
    if not isinstance(notes, dict) or not all(isinstance(v, str) for v in notes.values()):
        raise FileFormatError(f"{path}: its notes must map text to text.")
    return notes
