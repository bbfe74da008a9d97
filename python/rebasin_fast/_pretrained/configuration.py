"""A model's ``config.json``: read within bounds, refused where it asks for code or for more than the weights hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rebasin_fast._untrusted import brief, parse_json, read_small_file
from rebasin_fast.errors import FileFormatError
from rebasin_fast.files import LoadedParams

NAME = "config.json"
_LARGEST_FILE = 4 << 20
# No axis, vocabulary or position of a published model is as long.
_LARGEST_NUMBER = 1 << 24
_COUNTS = re.compile(r"layers?|blocks?|depths?|stages?|experts?|heads?|groups?|levels?")
# Counts that are no numbers of parts of the model that the weights hold.
_FEW = 1024
# A folder of weights may be of a model with every array split over experts, and tied ones left out.
_PER_ARRAY = 4


class OtherModelError(FileFormatError):
    """A ``config.json`` of another model than that of the weights beside it, or of another version of the library."""


@dataclass(frozen=True)
class Configuration:
    """The entries of a ``config.json`` that names a class of transformers or diffusers."""

    path: Path
    library: Literal["transformers", "diffusers"]
    fields: Mapping[str, Any]

    @property
    def architecture(self) -> str:
        """The name of the model's class, or its type where the class is not given."""
        named = self.fields.get("_class_name") or (self.fields.get("architectures") or [None])[0]
        return str(named or self.fields["model_type"])


def configuration_beside(params: LoadedParams) -> Configuration | None:
    """The configuration in the folder of ``params``; None where there is none, or where it names no class.

    Raises
    ------
    FileFormatError
        It asks for code of its own, for quantised weights, or for numbers that no model has.
    """
    place = params.source.path
    path = (place if place.is_dir() else place.parent) / NAME
    fields = _fields_of(path)
    names = fields.get("architectures")
    if isinstance(fields.get("_class_name"), str):
        library: Literal["transformers", "diffusers"] = "diffusers"
    elif isinstance(fields.get("model_type"), str) and (names is None or _are_texts(names)):
        library = "transformers"
    else:
        return None
    _refuse_code(path, fields)
    _refuse_quantised(path, fields)
    _refuse_sizes(path, fields, most=max(_FEW, _PER_ARRAY * len(params)))
    return Configuration(path, library, fields)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)


def _fields_of(path: Path) -> dict[str, Any]:
    """The entries of a JSON object; none where the file is missing or something else."""
    try:
        fields = parse_json(read_small_file(path, _LARGEST_FILE))
    except (OSError, ValueError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _entries(fields: Any, place: str = "") -> Iterator[tuple[str, str, Any]]:
    """Every entry, of nested objects too: its place, its own name, its value."""
    pairs = fields.items() if isinstance(fields, Mapping) else ((place, item) for item in fields)
    for key, value in pairs:
        inside = f"{place}.{key}" if place and isinstance(fields, Mapping) else str(key)
        yield inside, str(key), value
        if isinstance(value, Mapping | list):
            yield from _entries(value, inside)


def _refuse_code(path: Path, fields: Mapping[str, Any]) -> None:
    for place, key, value in _entries(fields):
        if key in ("auto_map", "custom_pipelines") and value:
            raise FileFormatError(
                f"{path} names code of its own ({place}: {brief(value)}), which is never run here. "
                "Give the spec: --spec FILE, or --trace module:factory with a model that you have made yourself"
            )


def _refuse_quantised(path: Path, fields: Mapping[str, Any]) -> None:
    if fields.get("quantization_config"):
        raise FileFormatError(
            f"{path} describes quantised weights (quantization_config). Codes cannot be averaged: dequantise the model "
            "first (model.dequantize() of transformers), and save it"
        )


def _refuse_sizes(path: Path, fields: Mapping[str, Any], most: int) -> None:
    for place, key, value in _entries(fields):
        if type(value) is not int:
            continue
        if abs(value) > _LARGEST_NUMBER and not key.endswith("_id"):
            raise FileFormatError(
                f"{path}: {place} is {value:,}; no model has more than {_LARGEST_NUMBER:,}. The file is damaged or "
                "hostile: fetch it again"
            )
        if value > most and _COUNTS.search(key):
            raise FileFormatError(
                f"{path}: {place} is {value:,}, and the weights beside it have too few arrays for it. The file belongs "
                "to another model, or is damaged: fetch both again"
            )
