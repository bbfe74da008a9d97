"""Whole modules in a torch file: the state of ``nn.Module`` objects is data, read without their classes."""

from __future__ import annotations

from typing import Any

from ...errors import FileFormatError
from .objects import as_mapping
from .pickle_reader import Call

_MAX_MODULES = 200_000
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
    found: dict[str, Any] = {}
    _collect(node, "", found, [_MAX_MODULES], 0)
    return found


def _collect(node: Call, prefix: str, found: dict[str, Any], budget: list[int], depth: int) -> None:
    budget[0] -= 1  # modules that refer to one another a thousand times would grow without bound
    if depth > _MAX_DEPTH or budget[0] < 0:
        raise FileFormatError("the modules of this file are nested without end: it is damaged or hostile.")
    passing = _members(node.state.get("_non_persistent_buffers_set"))
    for part in ("_parameters", "_buffers"):
        for name, value in (as_mapping(node.state[part]) or {}).items():
            if value is not None and isinstance(name, str) and not (part == "_buffers" and name in passing):
                found[prefix + name] = value
    for name, child in (as_mapping(node.state["_modules"]) or {}).items():
        if is_module(child) and isinstance(name, str):
            _collect(child, f"{prefix}{name}.", found, budget, depth + 1)


def _members(node: Any) -> Any:
    """The members of a set, which older protocols of pickle describe as a call with a list."""
    if isinstance(node, Call) and str(node.function) in ("__builtin__.set", "builtins.set") and node.args:
        node = node.args[0]
    return node if isinstance(node, set | frozenset | list | tuple) else ()
