"""`load_params`: the parameters of a file of any format."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import replace
from pathlib import Path
from typing import Literal

from .. import _arguments
from .folders.locate import locate
from .folders.sharded import read_index
from .formats import INDEX_SUFFIX, format_of_file
from .guard import reading
from .mapping.unpacked import check_unpacked
from .params import LoadedParams, ReadOptions

Library = Literal["numpy", "torch"]


@_arguments.checked()
def load_params(
    path: str | os.PathLike[str],
    *,
    entry: str | None = None,
    library: Library | None = None,
    memory_limit: int | None = None,
) -> LoadedParams:
    """Read the parameters of a checkpoint.

    Nothing is executed, and little is read: the arrays are views of the mapped file, so that even a
    checkpoint larger than the memory opens at once.

    Parameters
    ----------
    path : path
        A file: .safetensors, .npz, of torch (.pt, .pth, .th, .bin, .ckpt, .pth.tar: a state dict, a whole
        module, NumPy arrays), of Stable-Baselines3 (.zip), or of Keras (.h5, .keras, with h5py); an index of a
        set of files (``….index.json``); or a folder of transformers or diffusers.
    entry : str, optional
        For torch files: which entry is the state dict (``"state_dict_ema"``, ``"nets/generator"``). Without
        it the usual names are tried.
    library : {"numpy", "torch"}, optional
        The library of the arrays. Default: torch tensors on the CPU from torch files (where torch is installed),
        NumPy arrays from all others. bfloat16 as NumPy arrays needs `ml_dtypes`.
    memory_limit : int, optional
        Most bytes that arrays may take which must be unpacked: those of a compressed .npz and of Keras.

    Returns
    -------
    LoadedParams
        A read-only mapping from names, as they are in the file (prefixes like ``module.`` included), to
        arrays of the file's shapes and dtypes. NumPy arrays are read-only views; torch tensors share the
        file's pages and are copied when written to. None requires a gradient. ``.source.left_out`` lists
        the file's other contents with the reason for each, ``.ties`` the names of one array.

    Raises
    ------
    MissingFileError
        No such file; a `FileNotFoundError` that names the nearest ones.
    FileFormatError
        Truncated, damaged, hostile, or of another format than that of its name. Raised before memory of a declared
        size is taken.
    ChangedFileError
        The file was shortened or rewritten in place, now or before an array was read for the first time.
    MemoryError
        Compressed arrays need more than `memory_limit`; nothing is unpacked.
    MissingDependencyError
        `library="torch"` without torch; on reading an array, bfloat16 without `ml_dtypes`.

    Notes
    -----
    Opening takes time in the number of arrays, not in their size. Replacing a file whose arrays are in use, as
    `save_params` does, is harmless. Functions of this package refuse parameters of a file that was shortened or
    rewritten in place (`ChangedFileError`); elsewhere, reading behind its new end ends the process. The pickle of a
    torch file is read as data by `rebasin_fast.files.torch.pickle_reader`, never unpickled.

    Examples
    --------
    >>> import os, tempfile, numpy as np, rebasin_fast as rf
    >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
    >>> rf.save_params(path, {"weight": np.ones((2, 3), np.float32)})
    >>> params = rf.load_params(path)
    >>> params["weight"].shape, params.dtype("weight")
    ((2, 3), 'float32')
    """
    given = _arguments.path("path", path)
    if library is not None:
        _arguments.choice("library", library, ("numpy", "torch"))
    if entry is not None and not isinstance(entry, str):
        raise TypeError(f"entry is the name of an entry or None, got {type(entry).__qualname__}")
    _arguments.optional_count(
        "memory_limit", memory_limit, least=0, of="a number of bytes, such as 2 * 10**9,"
    )
    with reading(given):
        found = locate(given)
        if found.name.endswith(INDEX_SUFFIX):
            params = read_index(found, ReadOptions(entry, library or _library_of_set(found), memory_limit))
        else:
            known = format_of_file(found)
            options = ReadOptions(entry, library or default_library(known.library), memory_limit)
            params = known.load(found, options)
    check_unpacked(params.bytes_to_unpack, memory_limit, str(given))
    if given.is_dir():
        params.source = replace(params.source, folder=given)
    return params


def default_library(library: str) -> str:
    """Torch's files give NumPy arrays where there is no torch."""
    return "torch" if library == "torch" and importlib.util.find_spec("torch") else "numpy"


def _library_of_set(index: Path) -> str:
    return "numpy" if ".safetensors" in index.name else default_library("torch")
