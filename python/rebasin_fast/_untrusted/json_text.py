"""JSON of strangers: bounded in depth and in containers before any is made, with no key twice."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

MAX_DEPTH = 64
FREE_CONTAINERS = 10_000
BYTES_PER_CONTAINER = 4  # an empty list takes two bytes of text and sixty of memory

_SURROGATE_PAIR = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises
    ------
    ValueError
        It is no JSON in UTF-8, is nested deeper than `MAX_DEPTH`, has more lists and objects than its length lets
        expect, has a key twice in one object, or half of a pair of surrogates, which no file can hold.

    Examples
    --------
    >>> from rebasin_fast._untrusted import parse_json
    >>> parse_json(b'{"a": [1, 2]}')
    {'a': [1, 2]}
    >>> parse_json("[" * 100 + "]" * 100)
    Traceback (most recent call last):
    ValueError: it is nested more than 64 levels deep
    """
    try:
        raw = text.encode() if isinstance(text, str) else text
    except UnicodeEncodeError:
        raise ValueError("its text holds half of a pair of surrogates") from None
    _check_structure(raw)
    escaped = raw.replace(b"\\\\", b"__")
    if _SURROGATE.search(_SURROGATE_PAIR.sub(b"", escaped)):
        raise ValueError("a text in it holds half of a pair of surrogates")
    return json.loads(raw.decode("utf-8"), object_pairs_hook=_unique_keys)


def _check_structure(raw: bytes) -> None:
    # Two passes of `replace` leave no escaped quote: a backslash stands for itself only as the second of two.
    plain = np.frombuffer(raw.replace(b"\\\\", b"__").replace(b'\\"', b"__"), np.uint8)
    outside = np.bitwise_xor.accumulate(plain == ord('"')) == 0 if plain.size else np.zeros(0, bool)
    opening = outside & ((plain == ord("[")) | (plain == ord("{")))
    closing = outside & ((plain == ord("]")) | (plain == ord("}")))
    steps = (opening.view(np.int8) - closing.view(np.int8))[opening | closing]
    depth = np.cumsum(steps, dtype=np.int32)  # a text of gigabytes would not be read at all
    if depth.size and depth.max() > MAX_DEPTH:
        raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep")
    containers, allowed = int(opening.sum()), FREE_CONTAINERS + len(raw) // BYTES_PER_CONTAINER
    if containers > allowed:
        raise ValueError(f"it has {containers:,} lists and objects in {len(raw):,} bytes")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice[:80]!r} occurs twice")
    return result
