"""A transform as a file of its own, to be applied later or by someone else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _arguments
from rebasin_fast.errors import FileFormatError, PermutationError, SpecError
from rebasin_fast.files.of_spec import check_same_spec, read_arrays_of_spec, write_arrays_of_spec
from rebasin_fast.permutation.transform import Transform
from rebasin_fast.permutation.transforms.check import check_is_transform, check_transform
from rebasin_fast.specs.spec import PermutationSpec

_WHAT = "transform"
_KINDS = ("permutation", "signs", "scales", "matrices", "rotations")


@dataclass(frozen=True)
class TransformFile:
    """The contents of a transform file.

    Attributes
    ----------
    transform : Transform
        With arrays of its own (not mapped), checked against ``spec``.
    spec : PermutationSpec
        The spec for which it was found.
    metadata : dict of str
        Further notes.
    """

    transform: Transform
    spec: PermutationSpec
    metadata: dict[str, str] = field(default_factory=dict)

    def check_spec(self, spec: PermutationSpec) -> None:
        """Raise `PermutationError` if it was found for another spec, or for other symmetries, than this one."""
        if not isinstance(spec, PermutationSpec):
            raise TypeError(f"spec is a PermutationSpec, got {type(spec).__qualname__}")
        check_same_spec(_WHAT, self.spec.digest(), spec.to_json())
        if self.spec.symmetries != spec.symmetries:
            raise PermutationError(
                "the transform was found for the same axes with other symmetries. Apply it with the spec it was found "
                "for (the file holds it)."
            )


@_arguments.checked()
def save_transform(
    path: str | os.PathLike[str],
    spec: PermutationSpec,
    transform: Transform,
    *,
    metadata: Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> None:
    """Write a transform to a file, whole or not at all, with the spec that it belongs to.

    Parameters
    ----------
    path : path
        Ends in .safetensors (arrays of int64 and float64; the spec and its digest in the metadata) or .npz.
    spec : PermutationSpec
    transform : Transform
    metadata : mapping of str, optional
        Further notes.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    PermutationError
        The transform does not fit the spec.
    FileFormatError
        Another extension.
    OutputExistsError, UnwritableOutputError
        As in `save_params`.

    Examples
    --------
    >>> import os, tempfile, rebasin_fast as rf
    >>> from rebasin_fast.permutation import load_transform, save_transform
    >>> path = os.path.join(tempfile.mkdtemp(), "t.safetensors")
    >>> save_transform(path, rf.PermutationSpec({"w": ("P", None)}), rf.Transform({"P": [2, 0, 1]}))
    >>> load_transform(path).transform.permutation
    {'P': array([2, 0, 1])}
    """
    if not isinstance(spec, PermutationSpec):
        raise TypeError(f"spec is a PermutationSpec, got {type(spec).__qualname__}")
    checked = _checked(spec, transform)
    arrays: dict[str, NDArray[Any]] = {
        f"{kind}/{name}": array for kind in _KINDS for name, array in getattr(checked, kind).items()
    }
    write_arrays_of_spec(
        path, arrays, what=_WHAT, spec_json=spec.to_json(), metadata=metadata, overwrite=overwrite
    )


@_arguments.checked()
def load_transform(path: str | os.PathLike[str]) -> TransformFile:
    """Read a transform file.

    Parameters
    ----------
    path : path
        As written by `save_transform`.

    Returns
    -------
    TransformFile

    Raises
    ------
    FileFormatError
        It is no such file, is damaged, its spec does not agree with the digest beside it, or its arrays are no
        transform of the spec.
    MissingFileError
        No such file.

    Examples
    --------
    >>> import os, tempfile, rebasin_fast as rf
    >>> from rebasin_fast.permutation import load_transform, save_transform
    >>> spec = rf.PermutationSpec({"w": ("P", None)})
    >>> path = os.path.join(tempfile.mkdtemp(), "t.npz")
    >>> save_transform(path, spec, rf.Transform({"P": [2, 0, 1]}))
    >>> load_transform(path).check_spec(spec)
    """
    found = read_arrays_of_spec(path, what=_WHAT)
    if found.spec_json is None or found.spec_digest is None:
        raise FileFormatError(
            f"{path}: it holds no spec: is this a transform, as save_transform writes it? A permutation is read by "
            "load_permutation."
        )
    kinds: dict[str, dict[str, Any]] = {kind: {} for kind in _KINDS}
    for key, array in found.arrays.items():
        kind, slash, name = key.partition("/")
        if kind not in kinds or not slash:
            raise FileFormatError(
                f"{path}: {key!r} is no part of a transform; names begin with {', '.join(f'{k}/' for k in _KINDS)}."
            )
        kinds[kind][name] = np.array(array)
    try:
        spec = PermutationSpec.from_json(found.spec_json)
        checked = _checked(spec, Transform(**kinds))
    except (PermutationError, SpecError) as error:
        raise FileFormatError(f"{path}: its arrays are no transform of its spec: {error}") from error
    return TransformFile(checked, spec, found.metadata)


def _checked(spec: PermutationSpec, transform: Transform) -> Transform:
    """Of the sizes that the index arrays have: a permutation of the spec may be left out as a whole."""
    check_is_transform("transform", transform)
    shapes = {name: np.shape(index) for name, index in transform.permutation.items()}
    sizes = {name: shape[-1] for name, shape in shapes.items() if shape}
    parents = [parent for name in sizes for parent in spec.parents.get(name, ())]
    missing = next((parent for parent in parents if parent not in sizes), None)
    if missing is not None:
        raise PermutationError(f"permutation {missing!r} is missing, within which others stand")
    checked = check_transform(spec, transform, sizes)
    for kind in _KINDS[1:]:
        left = [name for name in getattr(transform, kind) if name not in checked.permutation]
        if left:
            raise PermutationError(f"{kind} name {left[0]!r}, for which there is no permutation")
    return checked
