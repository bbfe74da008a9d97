"""The search for the state dict among the dictionaries of a checkpoint."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from ..._untrusted import brief
from ...errors import FileFormatError
from .modules import is_module, state_of_module
from .nested_dicts import at_path, nested_paths
from .numpy_pickles import is_numpy_array
from .objects import as_mapping, is_tensor
from .pickle_reader import Call

# fmt: off
_USUAL_NAMES = (
    "state_dict", "model_state_dict", "model", "params", "net", "network", "weights", "module", "generator",
    "params_ema", "state_dict_ema", "model_ema", "ema", "swa_state_dict", "swa_model", "averaged_model",
)
# fmt: on
_NEVER_THE_MODEL = ("optim", "sched", "scaler", "lr_", "amp", "rng", "loss", "callback")
_MAX_DEPTH = 4
_SHOWN = 12


Level = tuple[dict[Any, Any], Any]
Known = dict[tuple[int, int], bool]


def find_state_dict(root: Any, entry: str | None, path: Path) -> tuple[list[Level], Any]:
    """The dictionaries around the state dict with the key that leads inwards, outermost first, and the dict itself.

    Raises
    ------
    FileFormatError
        No entry of that name, no dictionary with tensors, or several of them.
    """
    if entry is not None:
        return _named(root, entry, path)
    levels: list[Level] = []
    node = root
    known: Known = {}
    while len(levels) <= _MAX_DEPTH:
        mapping = items_of(node)
        if mapping is None:
            break
        inner = [key for key, value in mapping.items() if _may_be_model(key) and _holds_tensors(value, known)]
        chosen = next((name for name in _USUAL_NAMES if name in inner), None)
        if chosen is None and any(isinstance(k, str) and is_array(v) for k, v in mapping.items()):
            return levels, node
        if chosen is None and len(inner) > 1:
            raise FileFormatError(
                f"{path} holds several sets of parameters: {_some(inner)}. Choose one: "
                f"load_params(path, entry={inner[0]!r}), or --entry {shlex.quote(inner[0])} on the command line."
            )
        if chosen is None and not inner:
            break
        levels.append((mapping, chosen or inner[0]))
        node = mapping[chosen or inner[0]]
    raise FileFormatError(_nothing_found(root, path))


def items_of(node: Any) -> dict[Any, Any] | None:
    """The items of a dictionary, of a module's state, or of one model's nested dictionaries."""
    if is_module(node):
        return state_of_module(node)
    mapping = as_mapping(node)
    paths = nested_paths(mapping) if mapping is not None else None
    return mapping if paths is None else {name: at_path(node, path) for name, path in paths.items()}


def is_array(node: Any) -> bool:
    """Whether it describes a tensor of torch or an array of NumPy."""
    return is_tensor(node) or is_numpy_array(node)


def _named(root: Any, entry: str, path: Path) -> tuple[list[Level], Any]:
    levels: list[Level] = []
    node = root
    for key in [entry] if entry in (items_of(root) or {}) else entry.split("/"):
        mapping = items_of(node) or {}
        if key not in mapping:
            raise FileFormatError(f"{path} has no entry {entry!r}; it has {_some(mapping)}.")
        levels.append((mapping, key))
        node = mapping[key]
    if not any(is_array(value) for value in (items_of(node) or {}).values()):
        raise FileFormatError(f"{path}: the entry {entry!r} holds no tensors.")
    return levels, node


def _may_be_model(key: Any) -> bool:
    return isinstance(key, str) and not key.lower().startswith(_NEVER_THE_MODEL)


def _holds_tensors(node: Any, known: Known, depth: int = 0) -> bool:
    """Whether tensors stand in a dictionary or below it; ``known`` holds those visited, as many may refer to one."""
    visit = (id(node), depth)
    if visit not in known:
        known[visit] = False  # of a dictionary that contains itself
        known[visit] = _searched(node, known, depth)
    return known[visit]


def _searched(node: Any, known: Known, depth: int) -> bool:
    mapping = None if depth > _MAX_DEPTH else items_of(node)
    if mapping is None:
        return False
    if any(isinstance(key, str) and is_array(value) for key, value in mapping.items()):
        return True
    return any(
        _may_be_model(key) and _holds_tensors(value, known, depth + 1) for key, value in mapping.items()
    )


def _some(keys: Iterable[Any]) -> str:
    shown = [brief(key) for key in islice(keys, _SHOWN + 1)]
    return ", ".join([*shown[:_SHOWN], *["…"] * (len(shown) > _SHOWN)]) or "none"


def _nothing_found(root: Any, path: Path) -> str:
    nodes = [root, *(items_of(root) or {}).values()]
    whole = next(
        (node for node in nodes if isinstance(node, Call) and not is_array(node) and node.state), None
    )
    if whole is not None and as_mapping(whole) is None:
        return (
            f"{path} holds a whole model (an object of {whole.function}), which would have to be executed "
            "and is not. If you trust it, save its weights where its code is installed: "
            "torch.save(torch.load(old, weights_only=False).state_dict(), new)"
        )
    found = _some(items_of(root) or {}) if items_of(root) else type(root).__name__
    return f"{path} holds no named tensors (found: {found}). Expected a state_dict, alone or inside a dictionary."
