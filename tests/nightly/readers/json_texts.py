"""JSON whose parts are of the wrong kind, doubled, deep, huge or no text: headers, indexes, notes, configurations."""

from __future__ import annotations

import contextlib
import json
import random
import struct
from functools import lru_cache
from typing import Any

from .bytes_changed import changed, valid_files
from .case import PERMUTATION_ERRORS, Case, read_heads, read_params, read_permutation


class Raw(str):
    """A text that stands in JSON as it is."""


NONSENSE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, 10**40, 1.5, -0.0, 1e308, "", "x", "F32", "é", "\0", "x" * 3000,
    [], {}, [[]], [0, 8], {"a": 1}, ["a", "a"], Raw("NaN"), Raw("Infinity"), Raw("1e999"), Raw("9" * 5000),
    Raw("-" + "9" * 4300),
    Raw(r'"\ud800"'), Raw(r'"\ud83d\ude00"'), Raw("[" * 70 + "]" * 70), Raw('{"a":' * 40 + "1" + "}" * 40),
    Raw("]" * 1000), Raw("[" + "[]," * 12_000 + "[]]"), Raw("nul"), Raw("'x'"), Raw("//"),
)  # fmt: skip


class Pairs(list[tuple[Any, Any]]):
    """An object by its pairs, which may have a key twice."""


def write(value: Any) -> str:
    """The text of a value with `Raw` and `Pairs` in it."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict | Pairs):
        items = value.items() if isinstance(value, dict) else value
        return (
            "{"
            + ", ".join(f"{key if isinstance(key, Raw) else json.dumps(key)}: {write(v)}" for key, v in items)
            + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(write, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def spoiled(draw: random.Random, value: Any, rate: float = 0.07) -> Any:
    """The value with some parts replaced, left out, or doubled."""
    if draw.random() < rate:
        return draw.choice(NONSENSE)
    if isinstance(value, dict):
        pairs = Pairs((_key(draw, key, rate), spoiled(draw, inner, rate)) for key, inner in value.items())
        if pairs and draw.random() < rate:
            draw.choice((pairs.pop, lambda: pairs.extend(pairs[:1] * _times(draw, pairs[0][1]))))()
        return pairs
    if isinstance(value, list):
        parts = [spoiled(draw, inner, rate) for inner in value]
        return parts * (_times(draw, *parts) if draw.random() < rate / 2 else 1)
    return value


def _times(draw: random.Random, *values: Any) -> int:
    """How often a part stands there: once where it holds others, or the text would double at every level."""
    return 1 if any(len(write(value)) > 100 for value in values) else draw.choice((2, 500))


def _key(draw: random.Random, key: str, rate: float) -> str:
    return (
        key
        if draw.random() > rate / 3
        else draw.choice(("", "x", "__metadata__", "\0", "é" * 99, Raw(r'"\udfff"')))
    )


def text_of(draw: random.Random, value: Any) -> bytes:
    """The JSON of a spoiled value; some bytes of every eighth are changed."""
    raw = write(spoiled(draw, value)).encode()
    raw = draw.choice((raw, raw, raw, b"\xef\xbb\xbf" + raw, raw + b"\xff", raw.decode().encode("utf-16")))
    return changed(draw, raw, 3) if draw.random() < 0.12 else raw


def _header(draw: random.Random) -> dict[str, Any]:
    header: dict[str, Any] = {"__metadata__": {"format": "pt", "tied": "w0"}}
    end = 0
    for number in range(draw.randint(0, 4)):
        dtype, size = draw.choice(
            (("F32", 4), ("BF16", 2), ("F64", 8), ("BOOL", 1), ("F8_E4M3", 1), ("C64", 8))
        )
        shape = draw.choice(([], [0], [3], [2, 3], [1] * 6))
        count = size
        for length in shape:
            count *= length
        header[f"w{number}"] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + count]}
        end += count
    return header


def safetensors_of(draw: random.Random) -> bytes:
    """A file of safetensors with a spoiled header and as much data as the right one describes."""
    header = _header(draw)
    end = max((info["data_offsets"][1] for name, info in header.items() if name != "__metadata__"), default=0)
    raw = text_of(draw, header)
    length = len(raw) if draw.random() < 0.95 else draw.choice((0, 1, 2**31, 2**63, len(raw) + 1))
    return struct.pack("<Q", length) + raw + bytes(end)


def header_case(draw: random.Random) -> Case:
    """A file of safetensors."""
    return Case({"header.safetensors": safetensors_of(draw)}, "header.safetensors", read_params)


@lru_cache(maxsize=1)
def _shards() -> dict[str, bytes]:
    def shard(*names: str) -> bytes:
        infos = {
            n: {"dtype": "F32", "shape": [1], "data_offsets": [4 * i, 4 * i + 4]} for i, n in enumerate(names)
        }
        raw = json.dumps(infos).encode()
        return struct.pack("<Q", len(raw)) + raw + bytes(4 * len(names))

    return {"one.safetensors": shard("a", "b"), "two.safetensors": shard("c")}


def index_case(draw: random.Random) -> Case:
    """An index with two files beside it."""
    places = {"a": "one.safetensors", "b": "one.safetensors", "c": "two.safetensors"}
    if draw.random() < 0.3:
        elsewhere = ("../one.safetensors", "/etc/passwd", "x" * 300, "one.safetensors\0", ".", "two.npz",
                     "model.safetensors.index.json", "C:one", "é.safetensors")  # fmt: skip
        places[draw.choice("abcd")] = draw.choice(elsewhere)
    index = {"metadata": {"total_size": 12}, "weight_map": places}
    name = "model.safetensors.index.json"
    return Case({name: text_of(draw, index)} | _shards(), name, read_params)


def permutation_case(draw: random.Random) -> Case:
    """A permutation file whose notes are spoiled, the spec and its digest among them."""
    from rebasin_fast.files import spec_digest

    from .specs import spec_json

    spec = write(spec_json(draw))
    digest = "0" * 64
    with contextlib.suppress(ValueError):
        digest = spec_digest(spec)
    notes = {"format": "rebasin_fast.permutation", "spec": spec, "spec_sha256": digest}
    index = {"dtype": draw.choice(("I64", "I32", "U8", "F32")), "shape": [2], "data_offsets": [0, 16]}
    if index["dtype"] != "I64":
        index["data_offsets"][1] = {"I32": 8, "U8": 2, "F32": 8}[index["dtype"]]
    data = struct.pack("<qq", 1, 0) if draw.random() < 0.6 else draw.randbytes(16)
    raw = text_of(draw, {"__metadata__": notes, "P": index})
    content = struct.pack("<Q", len(raw)) + raw + data[: index["data_offsets"][1]]
    name = "notes.safetensors"
    return Case({name: content}, name, read_permutation, PERMUTATION_ERRORS)


def configuration_case(draw: random.Random) -> Case:
    """A model with a ``config.json`` beside it."""
    fields = {
        "num_attention_heads": 4,
        "hidden_size": 4,
        "n_head": 2,
        "architectures": ["A"],
        "vision": {"heads": 3},
    }
    files = {"model.safetensors": valid_files()["plain.safetensors"], "config.json": text_of(draw, fields)}
    return Case(files, "", read_heads)
