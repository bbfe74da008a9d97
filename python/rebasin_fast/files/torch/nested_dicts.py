"""One model as dictionaries within dictionaries, as Megatron-LM saves it: its names are joined by dots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import FileFormatError
from .objects import as_mapping

_MARK = "language_model"
_MAX_VISITS = 200_000
_MAX_DEPTH = 12

Paths = dict[str, tuple[str, ...]]


def nested_paths(mapping: Mapping[Any, Any]) -> Paths | None:
    """The keys that lead to every entry of a nested model, by dotted name; None for any other dictionary."""
    inner = as_mapping(mapping.get(_MARK)) if _MARK in mapping else None
    if inner is None or not any(as_mapping(value) is not None for value in inner.values()):
        return None
    paths: Paths = {}
    _collect(mapping, (), paths, [_MAX_VISITS])
    return paths


def at_path(node: Any, path: tuple[str, ...]) -> Any:
    """The entry that the keys lead to."""
    for key in path:
        node = (as_mapping(node) or {})[key]
    return node


def nested(flat: Mapping[str, Any], paths: Paths) -> dict[str, Any]:
    """The dictionaries again, filled from ``flat``; names without a path stand in the outermost one."""
    result: dict[str, Any] = {}
    for name, value in flat.items():
        *outer, last = paths.get(name, (name,))
        level = result
        for key in outer:
            level = level.setdefault(key, {})
        level[last] = value
    return result


def _collect(mapping: Mapping[Any, Any], path: tuple[str, ...], paths: Paths, budget: list[int]) -> None:
    for key, value in mapping.items():
        budget[0] -= 1
        if budget[0] < 0:
            raise FileFormatError("the dictionaries of this file are nested without end: damaged or hostile.")
        if not isinstance(key, str):
            continue
        inner = as_mapping(value) if len(path) < _MAX_DEPTH else None
        if inner:
            _collect(inner, (*path, key), paths, budget)
        else:
            paths[".".join((*path, key))] = (*path, key)
