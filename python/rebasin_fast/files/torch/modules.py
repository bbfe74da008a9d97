"""Whole modules in a torch file: the state of ``nn.Module`` objects is data, read without their classes."""

from __future__ import annotations

from typing import Any

from ...errors import FileFormatError
from .objects import as_mapping
from .pickle_reader import Call

_MAX_DEPTH = 100
_PARTS = ("_parameters", "_buffers", "_modules")


def is_module(node: Any) -> bool:
    """Whether an object's state is that of an ``nn.Module``: parameters, buffers and submodules by name."""
    return isinstance(node, Call) and isinstance(node.state, dict) and all(p in node.state for p in _PARTS)


def state_of_module(node: Call) -> dict[str, Any]:
    """The entries of the module's ``state_dict()``, by dotted names.

    Raises
    ------
    FileFormatError
        Submodules that contain themselves, or far more names than any model has.
    """
    if node.state_dict is None:
        node.state_dict = {}
        _collect(node, "", node.state_dict, 0)
    return node.state_dict


def _collect(node: Call, prefix: str, found: dict[str, Any], depth: int) -> None:
    members = {part: as_mapping(node.state[part]) or {} for part in _PARTS}
    passing = _members(node.state.get("_non_persistent_buffers_set"))
    node.work.take(1 + len(passing) + sum(map(len, members.values())))
    if depth > _MAX_DEPTH:
        raise FileFormatError("the modules of this file are nested without end: it is damaged or hostile.")
    hidden = {name for name in passing if isinstance(name, str)}
    for part in ("_parameters", "_buffers"):
        for name, value in members[part].items():
            if value is not None and isinstance(name, str) and not (part == "_buffers" and name in hidden):
                found[prefix + name] = value
    for name, child in members["_modules"].items():
        if is_module(child) and isinstance(name, str):
            _collect(child, f"{prefix}{name}.", found, depth + 1)


def _members(node: Any) -> Any:
    """The members of a set, which older protocols of pickle describe as a call with a list."""
    if isinstance(node, Call) and str(node.function) in ("__builtin__.set", "builtins.set") and node.args:
        node = node.args[0]
    return node if isinstance(node, set | frozenset | list | tuple) else ()
