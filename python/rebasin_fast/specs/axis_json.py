"""Axis entries as JSON values and back."""

from __future__ import annotations

from typing import Any

from rebasin_fast._untrusted import brief
from rebasin_fast.errors import SpecError
from rebasin_fast.specs.axis import Concat, Entry, Fixed, Joined, Product, Slice


def entry_to_json(entry: Entry) -> Any:
    """None and names as they are; every other entry as an object with one key."""
    if isinstance(entry, Fixed):
        return {"fixed": entry.length}
    if isinstance(entry, Slice):
        return {"slice": [entry.permutation, entry.start, entry.stop]}
    if isinstance(entry, Product):
        return {"product": [entry_to_json(entry.outer), entry_to_json(entry.inner)]}
    if isinstance(entry, Concat):
        return {"concat": [entry_to_json(piece) for piece in entry.pieces]}
    if isinstance(entry, Joined):
        return {"joined": entry_to_json(entry.inner)}
    return entry


def entry_from_json(value: Any) -> Entry:
    """The entry of a value of :func:`entry_to_json`; SpecError for other values."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, dict) and len(value) == 1:
        ((kind, content),) = value.items()
        if kind == "fixed" and isinstance(content, int):
            return Fixed(content)
        if kind == "slice" and isinstance(content, list) and len(content) == 3:
            name, start, stop = content
            if isinstance(start, int) and isinstance(stop, int):
                return Slice(name, start, stop)
        if kind == "product" and isinstance(content, list) and len(content) == 2:
            return Product(entry_from_json(content[0]), entry_from_json(content[1]))
        if kind == "joined":
            return Joined(entry_from_json(content))
        if kind == "concat" and isinstance(content, list):
            return Concat(*map(entry_from_json, content))
    raise SpecError(f"no axis entry is written as {brief(value)} in JSON")
