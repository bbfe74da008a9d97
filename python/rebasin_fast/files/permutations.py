"""A permutation as a file of its own, to be applied later or by someone else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _arguments
from .._arrays.index_arrays import as_index
from ..errors import PermutationError
from .arrays import to_numpy
from .of_spec import (
    check_same_spec,
    format_of_spec_file,
    read_arrays_of_spec,
    write_arrays_of_spec,
)
from .writing.atomic import check_writable

_WHAT = "permutation"


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
        check_same_spec(_WHAT, self.spec_digest, spec_json)


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
    if not isinstance(permutation, Mapping):
        raise TypeError(f"permutation maps names to index arrays, got {type(permutation).__qualname__}")
    arrays: dict[str, NDArray[Any]] = {str(n): _checked(n, to_numpy(a)) for n, a in permutation.items()}
    write_arrays_of_spec(
        path, arrays, what=_WHAT, spec_json=spec_json, metadata=metadata, overwrite=overwrite
    )


@_arguments.checked()
def check_permutation_output(path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Check, before long work, that `save_permutation` can write `path`; raises the same errors.

    Examples
    --------
    >>> from rebasin_fast.files import check_permutation_output
    >>> check_permutation_output("permutation.npz")
    """
    format_of_spec_file(Path(path), _WHAT)
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
    found = read_arrays_of_spec(path, what=_WHAT)
    permutation = {name: _checked(name, array, str(path)) for name, array in found.arrays.items()}
    return PermutationFile(permutation, found.spec_json, found.spec_digest, found.metadata)


def _checked(name: object, array: NDArray[Any], where: str = "") -> NDArray[np.int64]:
    try:
        return as_index(str(name), array)
    except PermutationError as error:
        if not where:
            raise
        hint = "is this a permutation, as save_permutation or match --save-permutation writes it?"
        raise PermutationError(f"{where}: {hint} {error}") from None
