"""Keras weights: HDF5 files (.h5), and archives around one (.keras); read through h5py, not written."""

from __future__ import annotations

import math
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FileFormatError, MissingDependencyError
from .archive import MAX_FREE_INFLATION, MAX_RATIO, read_members
from .contents import FileFormat
from .mapped import DAMAGED, MappedFile
from .mapping.unpacked import check_unpacked
from .members.inflation import unpack
from .params import Entry, LoadedParams, ReadOptions, Source

_MAGIC = b"\x89HDF\r\n\x1a\n"
_INNER = "model.weights.h5"
_WEIGHTS = "model_weights"  # the group of the weights where a whole model was saved
_FREE_LINKS = 1000
_BYTES_PER_LINK = 16
_MAX_DEPTH = 64
_NEVER_THE_MODEL = ("optimizer", "optimizer_weights", "_optimizer")


def read(path: Path, options: ReadOptions) -> LoadedParams:
    """Read every dataset of numbers; nothing of the model's configuration is executed.

    Raises
    ------
    MissingDependencyError
        h5py is not installed.
    FileFormatError
        It is damaged, holds no weights, or refers to other files.
    """
    h5py = _import_h5py(path)
    try:
        opened, taken = _hdf5_of(path, options.memory_limit)
        with h5py.File(opened, "r") as file:
            root = file.get(_WEIGHTS, file)
            datasets = dict(_datasets(h5py, root, path, _Budget(path)))
            taken += sum(item.size * item.dtype.itemsize for item in datasets.values())
            check_unpacked(taken, options.memory_limit, str(path))
            arrays = {name: np.asarray(item[()]) for name, item in datasets.items()}
    except (OSError, KeyError, RuntimeError) as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(f"{path} cannot be read as HDF5 ({error}). Fetch it again.") from error
    if not arrays:
        raise FileFormatError(
            f"{path} holds no weights; a configuration alone has none. Save the model's weights."
        )
    entries = {name: Entry.of_array(array, name) for name, array in arrays.items()}
    left_out = {} if path.suffix.lower() != ".keras" else {"config.json": "it stands beside the weights"}
    return LoadedParams(entries, Source(path, FORMAT.name, left_out=left_out), library=options.library)


def recognises(head: bytes) -> bool:
    """Whether these first bytes are of HDF5, or of an archive that begins as Keras' do."""
    return head.startswith(_MAGIC) or (head.startswith(b"PK\x03\x04") and head[30:43] == b"metadata.json")


def _import_h5py(path: Path) -> Any:
    try:
        import h5py
    except ImportError as error:
        raise MissingDependencyError(
            f"{path}: reading a file of Keras needs h5py, which is not installed. Install it: pip install h5py"
        ) from error
    return h5py


def _hdf5_of(path: Path, memory_limit: int | None) -> tuple[Any, int]:
    """The argument of h5py.File, and its bytes in memory: the file itself, or the archive's member with the weights."""
    file = MappedFile(path)
    if file.map[:2] != b"PK":
        return path, 0
    members = read_members(file)
    if _INNER not in members:
        raise FileFormatError(
            f"{path} is an archive without {_INNER}: no model of Keras, or one without weights."
        )
    member = members[_INNER]
    if member.offset is not None:
        return BytesIO(file.map[member.start : member.end]), 0
    check_unpacked(member.size, memory_limit, str(path))
    return BytesIO(b"".join(unpack(file, member))), member.size


class _Budget:
    """The links and bytes that a file of some size can hold: groups may contain one another, and arrays be empty."""

    def __init__(self, path: Path) -> None:
        self.path, size = path, path.stat().st_size
        self.links = _FREE_LINKS + size // _BYTES_PER_LINK
        self.bytes = max(MAX_FREE_INFLATION, MAX_RATIO * size)

    def take_link(self, name: str) -> None:
        self.links -= 1
        if self.links < 0 or name.count("/") > _MAX_DEPTH:
            raise FileFormatError(f"{self.path}: its groups are nested without end. {DAMAGED}")

    def take_array(self, name: str, item: Any) -> None:
        self.bytes -= max(item.nbytes, math.prod(item.chunks or ()) * item.dtype.itemsize)
        if self.bytes < 0:
            raise FileFormatError(
                f"{self.path}: {name!r} of shape {item.shape} is far larger than its file. {DAMAGED}"
            )


def _datasets(
    h5py: Any, group: Any, path: Path, budget: _Budget, prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    """Datasets below ``group``, in the order of the file's names; links to other places are not followed."""
    for key in group:
        if not prefix and key in _NEVER_THE_MODEL:
            continue
        budget.take_link(prefix + key)
        if not isinstance(group.get(key, getlink=True), h5py.HardLink):
            raise FileFormatError(
                f"{path}: {prefix + key!r} is a link to another place. Save the weights anew."
            )
        item = group[key]
        if isinstance(item, h5py.Group):
            yield from _datasets(h5py, item, path, budget, f"{prefix}{key}/")
            continue
        if item.is_virtual or item.external:
            raise FileFormatError(f"{path}: {prefix + key!r} lies in another file. Save the weights anew.")
        if item.dtype.kind in "fiubc" and item.shape is not None:
            budget.take_array(prefix + key, item)
            yield f"{prefix}{key}".removesuffix(":0"), item


FORMAT = FileFormat("Keras", (".h5", ".hdf5", ".keras"), recognises, read)
