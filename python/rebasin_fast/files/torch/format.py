"""torch checkpoints: the tensors of the state dict, and the dictionaries around it put back when one is written."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

from ..._arrays import foreign_library
from ..._arrays.torch import TorchArrays, resolved
from ..._untrusted import brief
from ...errors import FileFormatError
from ..archive import MAX_FREE_INFLATION, MAX_RATIO
from ..arrays import element_code, to_numpy, to_torch
from ..contents import Contents, FileFormat
from ..mapped import DAMAGED, MappedFile
from ..params import Entry, LoadedParams, ReadOptions, Source
from .container import read_container
from .modules import is_module
from .nested_dicts import nested, nested_paths
from .numpy_pickles import is_numpy_array, numpy_array
from .objects import PlainObjects, Tensor, UnsupportedObject, as_mapping, is_tensor, tensor
from .pickle_reader import Call
from .stable_baselines import inner_file
from .state_dict import find_state_dict, items_of
from .watched_file import WatchedFile

_HOLE = object()
_WEIGHT_IN_PICKLE = MAX_RATIO // 4  # the bytes of NumPy's arrays stand in the pickle: a few copies at most


@dataclass(frozen=True)
class TorchLayout:
    """The form of a checkpoint around its parameters, restored when a file is written like it.

    Attributes
    ----------
    levels : list of dict
        The dictionaries around the state dict, outermost first; a placeholder marks the place of the next level.
    extras : dict
        Plain entries between the tensors of the state dict.
    ordered : bool
        Whether the state dict was an OrderedDict.
    versions : object
        Its ``_metadata``: the versions of torch's modules.
    paths : dict of tuple
        Where the state dict was one of dictionaries: the keys of each name.
    """

    levels: list[dict[Any, Any]] = field(default_factory=list)
    extras: dict[str, Any] = field(default_factory=dict)
    ordered: bool = True
    versions: Any = None
    paths: dict[str, tuple[str, ...]] | None = None


def read(path: Path, options: ReadOptions) -> LoadedParams:
    """Find the state dict in a file of torch.save and map its tensors. Nothing is unpickled."""
    left_out: dict[str, str] = {}
    file = inner_file(MappedFile(path, options.library), options.library, left_out)
    root = read_container(file).value
    around, node = find_state_dict(root, options.entry, path)
    if is_module(node):
        left_out[str(node.function)] = "a class, which is not executed; the output is the module's state_dict"
    notes = PlainObjects()
    levels = [_frame(level, key, notes, left_out) for level, key in around]
    entries, ties, extras = _entries(node, file, notes, left_out)
    paths = nested_paths(as_mapping(node) or {})
    layout = TorchLayout(levels, extras, not isinstance(node, dict), _versions(node, notes), paths)
    source = Source(path, "torch", left_out=left_out, layout=layout)
    return LoadedParams(entries, source, ties, options.library, file.sources)


def write(file: IO[bytes], contents: Contents) -> None:
    """`torch.save` the tensors within the dictionaries of the input, or as a plain state dict."""
    import torch

    layout = contents.layout if isinstance(contents.layout, TorchLayout) else TorchLayout()
    state: dict[str, Any] = OrderedDict() if layout.ordered else {}
    for name, array in contents.arrays.items():
        first = contents.ties.get(name)
        state[name] = state[first] if first in state else _compact(_tensor(array, name))
    state.update((name, value) for name, value in layout.extras.items() if name not in state)
    if layout.versions is not None and isinstance(state, OrderedDict):
        state._metadata = layout.versions  # type: ignore[attr-defined]
    result: Any = state if layout.paths is None else nested(state, layout.paths)
    for level in reversed(layout.levels):
        result = {key: result if value is _HOLE else value for key, value in level.items()}
    watched = WatchedFile(file)
    try:
        torch.save(result, cast("IO[bytes]", watched))
    except RuntimeError:
        # torch reports every failure of the file, Ctrl-C included, as one of its own: the cause is told instead.
        if watched.failure is not None:
            raise watched.failure from None
        raise


def recognises(head: bytes) -> bool:
    """Whether these first bytes are of a file of torch.save."""
    return (head.startswith(b"PK\x03\x04") and b".npy" not in head[30:300]) or head[:1] == b"\x80"


def _tensor(array: Any, name: str) -> Any:
    if isinstance(foreign_library(array), TorchArrays):
        return resolved(array)
    return to_torch(to_numpy(array), element_code(array, name))


def _compact(array: Any) -> Any:
    """Cut a small part out of a large storage: torch would write all of it."""
    whole = array.untyped_storage().nbytes()
    return array.clone() if whole > 2 * array.numel() * array.element_size() else array


def _frame(level: dict[Any, Any], key: Any, notes: PlainObjects, left_out: dict[str, str]) -> dict[Any, Any]:
    frame: dict[Any, Any] = {}
    for other, value in level.items():
        if other == key:
            frame[other] = _HOLE
            continue
        try:
            frame[notes.of(other)] = notes.of(value)
        except UnsupportedObject as reason:
            left_out[_shown(other)] = str(reason)
    return frame


def _shown(key: Any) -> str:
    return key if isinstance(key, str) else brief(key)


def _entries(
    node: Any, file: MappedFile, notes: PlainObjects, left_out: dict[str, str]
) -> tuple[dict[str, Entry], dict[str, str], dict[str, Any]]:
    entries: dict[str, Entry] = {}
    extras: dict[str, Any] = {}
    ties: dict[str, str] = {}
    seen: dict[Tensor, str] = {}
    total = 0
    for name, value in (items_of(node) or {}).items():
        if isinstance(name, str) and is_numpy_array(value):
            entries[name] = Entry.of_array(numpy_array(value, f"{file.path}: parameter {name!r}"), name)
            total += entries[name].nbytes * _WEIGHT_IN_PICKLE
        elif isinstance(name, str) and is_tensor(value):
            found = tensor(value, file, f"{file.path}: parameter {name!r}")
            viewed = file.aligned(found.code, found.offset) and not found.lazy
            entries[name] = Entry(found.code, found.shape, partial(found.load, file), viewed)
            first = seen.setdefault(found, name)
            if first != name and 0 not in found.shape:
                ties[name] = first
            if first == name:
                total += entries[name].nbytes
        else:
            try:
                extras[name] = notes.of(value)
            except UnsupportedObject as reason:
                left_out[_shown(name)] = str(reason)
        if total > max(MAX_FREE_INFLATION, MAX_RATIO * file.size):
            raise FileFormatError(f"{file.path}: its arrays are far larger than the file. {DAMAGED}")
    return entries, ties, extras


def _versions(node: Any, notes: PlainObjects) -> Any:
    state = node.state if isinstance(node, Call) else None
    if not isinstance(state, dict) or "_metadata" not in state:
        return None
    try:
        return notes.of(state["_metadata"])
    except UnsupportedObject:
        return None


FORMAT = FileFormat(
    "torch",
    (".pt", ".pth", ".th", ".bin", ".ckpt", ".tar"),
    recognises,
    read,
    write,
    library="torch",
    needs="torch",
    has_entries=True,
)
