"""torch checkpoints: finding the state dict in what was saved around it, and putting the frame back."""

from __future__ import annotations

import shlex
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any

from ..._arrays import foreign_library
from ..._arrays.torch import TorchArrays
from ...errors import FileFormatError, MissingDependencyError
from ..arrays import element_code, to_numpy, to_torch
from ..contents import Contents, FileFormat
from ..mapped import MappedFile
from ..params import Entry, LoadedParams, ReadOptions, Source
from .container import read_container
from .modules import is_module, state_of_module
from .nested_dicts import at_path, nested, nested_paths
from .numpy_pickles import is_numpy_array, numpy_array
from .objects import NotPlain, Tensor, as_mapping, plain, tensor
from .objects import is_tensor as is_torch_tensor
from .pickle_reader import Call
from .stable_baselines import inner_file

# fmt: off
_USUAL_NAMES = (
    "state_dict", "model_state_dict", "model", "params", "net", "network", "weights", "module", "generator",
    "params_ema", "state_dict_ema", "model_ema", "ema", "swa_state_dict", "swa_model", "averaged_model",
)
# fmt: on
_NEVER_THE_MODEL = ("optim", "sched", "scaler", "lr_", "amp", "rng", "loss", "callback")
_MAX_DEPTH = 4
_HOLE = object()


@dataclass(frozen=True)
class TorchLayout:
    """The frame around the parameters: what is put back when a file is written like the one that was read.

    Attributes
    ----------
    levels : list of dict
        The dictionaries around the state dict, outermost first; the next level goes where the hole is.
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
    keys, node = _find(root, options.entry, path)
    if is_module(node):
        left_out[str(node.function)] = "a class, which is not executed; the output is the module's state_dict"
    levels = [_frame(level, key, left_out) for level, key in zip(_levels(root, keys), keys, strict=True)]
    entries, ties, extras = _entries(node, file, left_out)
    paths = nested_paths(as_mapping(node) or {})
    layout = TorchLayout(levels, extras, not isinstance(node, dict), _versions(node), paths)
    source = Source(path, "torch", left_out=left_out, layout=layout)
    return LoadedParams(entries, source, ties, options.library)


def write(file: IO[bytes], contents: Contents) -> None:
    """`torch.save` the tensors in the frame that the input had, or as a plain state dict."""
    try:
        import torch
    except ImportError as error:
        raise MissingDependencyError(
            "writing a torch checkpoint needs torch, which is not installed. "
            "Install it: pip install 'rebasin-fast[torch]' (or write a .safetensors file, which needs "
            "nothing)"
        ) from error
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
    torch.save(result, file)


def recognises(head: bytes) -> bool:
    """Whether a file that begins like this is torch's."""
    return (head.startswith(b"PK\x03\x04") and b".npy" not in head[30:300]) or head[:1] == b"\x80"


def _tensor(array: Any, name: str) -> Any:
    if isinstance(foreign_library(array), TorchArrays):
        return array.detach().cpu().resolve_conj().resolve_neg()
    return to_torch(to_numpy(array), element_code(array, name))


def _compact(array: Any) -> Any:
    """Cut a small part out of a large storage: torch would write all of it."""
    whole = array.untyped_storage().nbytes()
    return array.clone() if whole > 2 * array.numel() * array.element_size() else array


def _find(root: Any, entry: str | None, path: Path) -> tuple[list[Any], Any]:
    """Find the way to the state dict: keys from the outside in, and the dictionary itself."""
    if entry is not None:
        return _named(root, entry, path)
    keys: list[Any] = []
    node = root
    while len(keys) <= _MAX_DEPTH:
        mapping = _mapping(node)
        if mapping is None:
            break
        inner = [key for key, value in mapping.items() if _may_be_model(key) and _holds_tensors(value)]
        chosen = next((name for name in _USUAL_NAMES if name in inner), None)
        if chosen is None and any(isinstance(k, str) and _is_array(v) for k, v in mapping.items()):
            return keys, node
        if chosen is None and len(inner) > 1:
            raise FileFormatError(
                f"{path} holds several sets of parameters: {', '.join(map(repr, inner))}. Say which: "
                f"load_params(path, entry={inner[0]!r}), or --entry {shlex.quote(inner[0])} on the command line."
            )
        if chosen is None and not inner:
            break
        keys.append(inner[0] if chosen is None else chosen)
        node = mapping[keys[-1]]
    raise FileFormatError(_nothing_found(root, path))


def _mapping(node: Any) -> dict[Any, Any] | None:
    """The items of a dictionary, of a module's state, or of one model's nested dictionaries."""
    if is_module(node):
        return state_of_module(node)
    mapping = as_mapping(node)
    paths = nested_paths(mapping) if mapping is not None else None
    return mapping if paths is None else {name: at_path(node, path) for name, path in paths.items()}


def _is_array(node: Any) -> bool:
    return is_torch_tensor(node) or is_numpy_array(node)


def _numpy_entry(array: Any, name: str) -> Entry:
    code = element_code(array, name)
    return Entry(code, array.shape, lambda _: array)


def _named(root: Any, entry: str, path: Path) -> tuple[list[Any], Any]:
    keys: list[Any] = []
    node = root
    for key in [entry] if entry in (_mapping(root) or {}) else entry.split("/"):
        mapping = _mapping(node) or {}
        if key not in mapping:
            raise FileFormatError(
                f"{path} has no entry {entry!r}; it has {', '.join(repr(k) for k in mapping) or 'none'}."
            )
        keys.append(key)
        node = mapping[key]
    if not any(_is_array(value) for value in (_mapping(node) or {}).values()):
        raise FileFormatError(f"{path}: the entry {entry!r} holds no tensors.")
    return keys, node


def _may_be_model(key: Any) -> bool:
    return isinstance(key, str) and not key.lower().startswith(_NEVER_THE_MODEL)


def _holds_tensors(node: Any, depth: int = 0, seen: set[int] | None = None) -> bool:
    seen = set() if seen is None else seen
    mapping = None if id(node) in seen or depth > _MAX_DEPTH else _mapping(node)
    if mapping is None:
        return False
    seen.add(id(node))  # a dictionary that is referred to a thousand times is looked at once
    if any(isinstance(key, str) and _is_array(value) for key, value in mapping.items()):
        return True
    return any(
        _may_be_model(key) and _holds_tensors(value, depth + 1, seen) for key, value in mapping.items()
    )


def _nothing_found(root: Any, path: Path) -> str:
    nodes = [root, *(_mapping(root) or {}).values()]
    whole = next(
        (node for node in nodes if isinstance(node, Call) and not _is_array(node) and node.state), None
    )
    if whole is not None and as_mapping(whole) is None:
        return (
            f"{path} holds a whole model (an object of {whole.function}), which would have to be executed "
            "and is not. If you trust it, save its weights where its code is installed: "
            "torch.save(torch.load(old, weights_only=False).state_dict(), new)"
        )
    found = ", ".join(repr(key) for key in (_mapping(root) or {})) or type(root).__name__
    return (
        f"{path} holds no named tensors (found: {found:.200}). "
        "Expected a state_dict, alone or inside a dictionary."
    )


def _levels(root: Any, keys: list[Any]) -> Iterator[dict[Any, Any]]:
    node = root
    for key in keys:
        mapping = _mapping(node) or {}
        yield mapping
        node = mapping[key]


def _frame(level: dict[Any, Any], key: Any, left_out: dict[str, str]) -> dict[Any, Any]:
    frame: dict[Any, Any] = {}
    for other, value in level.items():
        if other == key:
            frame[other] = _HOLE
            continue
        try:
            frame[plain(other)] = plain(value)
        except NotPlain as reason:
            left_out[str(other)] = str(reason)
    return frame


def _entries(
    node: Any, file: MappedFile, left_out: dict[str, str]
) -> tuple[dict[str, Entry], dict[str, str], dict[str, Any]]:
    entries: dict[str, Entry] = {}
    extras: dict[str, Any] = {}
    ties: dict[str, str] = {}
    seen: dict[Tensor, str] = {}
    for name, value in (_mapping(node) or {}).items():
        if isinstance(name, str) and is_numpy_array(value):
            entries[name] = _numpy_entry(numpy_array(value, f"{file.path}: parameter {name!r}"), name)
            continue
        if isinstance(name, str) and _is_array(value):
            found = tensor(value, file, f"{file.path}: parameter {name!r}")
            viewed = file.aligned(found.code, found.offset) and not found.lazy
            entries[name] = Entry(found.code, found.shape, partial(found.load, file), viewed)
            first = seen.setdefault(found, name)
            if first != name and 0 not in found.shape:
                ties[name] = first
            continue
        try:
            extras[name] = plain(value)
        except NotPlain as reason:
            left_out[str(name)] = str(reason)
    return entries, ties, extras


def _versions(node: Any) -> Any:
    state = node.state if isinstance(node, Call) else None
    if not isinstance(state, dict) or "_metadata" not in state:
        return None
    try:
        return plain(state["_metadata"])
    except NotPlain:
        return None


FORMAT = FileFormat(
    "torch",
    (".pt", ".pth", ".th", ".bin", ".ckpt", ".tar"),
    recognises,
    read,
    write,
    library="torch",
    needs="torch",
)
