"""`save_params`: parameters to a file of the form that the input had."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from .. import _arguments
from .._arrays import check_mapping, find_ties
from .._arrays.derived import DerivedParams
from .._arrays.elements import CODE_OF_NAME, ELEMENT_TYPES
from ..errors import ParamsError
from .arrays import equal
from .contents import Contents, FileFormat, Outgoing
from .folders.output import write_folder
from .folders.sharded import ShardedLayout, divide, divided_by_size, index_text
from .mapping.unchanged import unchanged
from .params import LoadedParams
from .target import Like, Target, find_target
from .writing.atomic import atomic_write
from .writing.publishing import free_names


@_arguments.checked()
def save_params(
    path: str | os.PathLike[str],
    params: Mapping[str, Any],
    *,
    like: Like | None = None,
    metadata: Mapping[str, str] | None = None,
    card: str | None = None,
    dtype: str | None = None,
    max_shard_size: int | None = None,
    overwrite: bool = False,
) -> None:
    """Write parameters to a file, whole or not at all.

    Parameters
    ----------
    path : path
        The extension gives the format: .safetensors, .npz, or torch's (.pt, .pth, .th, .bin, .ckpt). A path
        without extension is a folder, where `like` was read from a folder or is a set of files: it gets files
        of the same names, the same division into shards, and copies of the companions of the weights in the
        folder that was read (config.json, tokenizer, …).
    params : mapping of arrays
        NumPy, ml_dtypes, torch (any device), CuPy or JAX arrays, also mixed. Not changed.
    like : LoadedParams or path, optional
        The input whose form is kept: dtypes of floating parameters, safetensors' metadata, the dictionary
        around a torch state dict, the division into shards, tied parameters. Default: `params` itself where
        it comes from `load_params`, else nothing.
    metadata : mapping of str, optional
        Further text entries for .safetensors, over those of `like`.
    card : str, optional
        Of a folder: the text of its README.md; one that is there is replaced with `overwrite` only.
    dtype : str, optional
        The type of all floating parameters, such as ``"bfloat16"``; before that of `like`.
    max_shard_size : int, optional
        Most bytes of the arrays of one file: `path` is a folder of .safetensors files and their index, one array in its
        own file where it is larger.
    overwrite : bool
        Replace an existing output.

    Raises
    ------
    OutputExistsError
        The output exists and `overwrite` is false. (Also a `FileExistsError`.)
    UnwritableOutputError
        It cannot be written there, or the disk is full. (Also an `OSError`.) An earlier file is left as it was.
    FileFormatError
        An extension of no format that can be written.
    ParamsError
        Elements that the format cannot hold, numbers too large for the dtype of `like`, or parameters that
        were tied in `like` and are different now.
    MissingDependencyError
        torch's formats without torch.

    Notes
    -----
    One array at a time is brought to the CPU and made contiguous (torch's formats: all of them). Tied
    parameters (the same memory under several names) are written once: torch keeps the shared storage,
    safetensors notes the other names in its metadata, npz has no such thing and gets each. torch's own new
    zip format is written, also where the input was of the older one.

    Examples
    --------
    >>> import os, tempfile, numpy as np, rebasin_fast as rf
    >>> path = os.path.join(tempfile.mkdtemp(), "model.npz")
    >>> rf.save_params(path, {"Dense_0/kernel": np.eye(3)})
    >>> rf.load_params(path)["Dense_0/kernel"][0]
    array([1., 0., 0.])
    """
    overwrite = _arguments.flag("overwrite", overwrite)
    metadata = {} if metadata is None else _arguments.texts("metadata", metadata)
    max_shard_size = _arguments.optional_count("max_shard_size", max_shard_size, of="a number of bytes")
    target = find_target(_arguments.path("path", path), params, like, max_shard_size)
    if max_shard_size is None:
        target.check(overwrite)
    outgoing = _outgoing(params, target.model, dtype)
    if max_shard_size is not None:
        target = _divided(target, outgoing, max_shard_size)
        target.check(overwrite)
    contents = _contents(outgoing, target, metadata)
    if target.folder is None:
        with atomic_write(target.path, overwrite=overwrite) as file:
            _write_unchanged(target.known, file, contents)
    else:
        _write_folder(target, contents, metadata, card, overwrite)


@_arguments.checked()
def check_output(
    path: str | os.PathLike[str],
    *,
    like: Like | None = None,
    dtype: str | None = None,
    max_shard_size: int | None = None,
    overwrite: bool = False,
) -> None:
    """Check, before long work, that `save_params` can write `path` with these arguments.

    Raises the errors of `save_params`: unknown extension, missing torch, an existing output, a folder that cannot be
    written, too little space for the parameters of `like`.

    Examples
    --------
    >>> from rebasin_fast.files import check_output
    >>> check_output("merged.npz")
    """
    _target_like(Path(path), like, dtype, max_shard_size).check(overwrite)


@_arguments.checked()
def output_files(
    path: str | os.PathLike[str],
    *,
    like: Like | None = None,
    dtype: str | None = None,
    max_shard_size: int | None = None,
) -> list[Path]:
    """List the files that `save_params` would write for `path`; raises its errors for the name.

    Examples
    --------
    >>> from rebasin_fast.files import output_files
    >>> [file.name for file in output_files("merged.npz")]
    ['merged.npz']
    """
    target = _target_like(Path(path), like, dtype, max_shard_size)
    return [target.path] if target.folder is None else [target.folder / name for name in target.names]


def _target_like(path: Path, like: Like | None, dtype: str | None, max_shard_size: int | None) -> Target:
    """The files for parameters of the names and shapes of ``like``."""
    target = find_target(path, {}, like, max_shard_size)
    if max_shard_size is None or target.model is None:
        return target
    return _divided(target, _outgoing(target.model, target.model, dtype), max_shard_size)


def _divided(target: Target, arrays: Outgoing, max_shard_size: int) -> Target:
    ties = target.model.ties if target.model is not None else {}
    return replace(target, layout=divided_by_size(arrays, ties, max_shard_size, target.path))


def _outgoing(params: Mapping[str, Any], model: LoadedParams | None, dtype: str | None) -> Outgoing:
    check_mapping(params, "the parameters")
    if not params:
        raise ParamsError("there are no parameters to save (an empty mapping).")
    for name in params:
        if not isinstance(name, str) or not name or "\0" in name:
            raise ParamsError(f"{name!r} is no name of a parameter: a non-empty text is expected.")
    # A dict keeps the arrays alive while their memory is compared for ties.
    arrays = Outgoing(params if isinstance(params, LoadedParams | DerivedParams) else dict(params))
    # Element types that cannot be written are refused here, before a file exists.
    floating = [name for name in arrays if ELEMENT_TYPES[arrays.code(name)].floating]
    if dtype is not None:
        code = CODE_OF_NAME[
            _arguments.choice("dtype", dtype, [e.name for e in ELEMENT_TYPES.values() if e.floating])
        ]
        return Outgoing(arrays.arrays, dict.fromkeys(floating, code))
    if model is None or params is model:
        return arrays
    wanted = {name: model.entry(name).code for name in floating if name in model}
    return Outgoing(arrays.arrays, {n: code for n, code in wanted.items() if ELEMENT_TYPES[code].floating})


def _contents(arrays: Outgoing, target: Target, metadata: Mapping[str, str]) -> Contents:
    model = target.model
    ties = _ties(arrays, model)
    if model is None or model.source.format != target.known.name:
        return Contents(arrays, ties, dict(metadata))
    layout = model.source.layout
    inner = None if isinstance(layout, ShardedLayout) else layout
    return Contents(arrays, ties, {**model.source.metadata, **metadata}, inner)


def _ties(arrays: Outgoing, model: LoadedParams | None) -> dict[str, str]:
    given = arrays.arrays
    ties = _known_ties(given)
    if model is None or given is model:
        return ties
    for other, first in model.ties.items():
        if other not in arrays or first not in arrays or other in ties:
            continue
        if not equal(given[other], given[first]):
            raise ParamsError(
                f"{other!r} and {first!r} were one tied parameter in {model.source.path} and differ now. "
                "Give both the same entries in the spec, or save without like= to write them apart."
            )
        # Every name must point to one that is itself written, by either account.
        root = ties.get(first, first)
        if root != other:
            ties = {name: root if kept == other else kept for name, kept in ties.items()} | {other: root}
    return ties


def _known_ties(given: Mapping[str, Any]) -> dict[str, str]:
    if isinstance(given, LoadedParams):
        return dict(given.ties)
    # Each access computes a new array, so that memory shows no ties; those of `like` are compared below.
    return {} if isinstance(given, DerivedParams) else find_ties(given)


def _write_unchanged(known: FileFormat, file: IO[bytes], contents: Contents) -> None:
    """The contents, if the files that they come from are as they were: asked before the output takes its name."""
    with unchanged(contents.arrays.arrays):
        known.write(file, contents)


def _write_folder(
    target: Target, contents: Contents, metadata: Mapping[str, str], card: str | None, overwrite: bool
) -> None:
    assert target.folder is not None
    model = None if target.model is None else target.model.source.folder
    texts = {} if card is None else {"README.md": card}
    with write_folder(target.folder, model, overwrite, texts) as folder:
        if target.layout is None:
            with folder.create(target.path.name) as file:
                _write_unchanged(target.known, file, contents)
            return
        divided = divide(target.layout, contents.arrays)
        free = free_names(target.folder, divided, target.layout.index_name)
        shards = {free[shard]: names for shard, names in divided.items()}
        for base, shard in free.items():
            names, source = divided[base], target.layout.sources[base]
            part = Contents(
                contents.arrays.part(names),
                {name: contents.ties[name] for name in names if contents.ties.get(name) in names},
                {**source.metadata, **metadata},
                source.layout,
            )
            with folder.create(shard) as file:
                _write_unchanged(target.known, file, part)
        with unchanged(contents.arrays.arrays), folder.create(target.layout.index_name) as file:
            file.write(index_text(target.layout, shards, contents.arrays).encode())
