"""``config.json`` beside a checkpoint: what it says of an architecture is believed, and contradicted aloud."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rebasin_fast.errors import SpecError
from rebasin_fast.files import LoadedParams
from rebasin_fast.typing import Params

_HEADS = ("num_attention_heads", "n_head", "num_heads", "n_heads", "encoder_attention_heads")
_WIDTHS = ("hidden_size", "n_embd", "d_model", "embed_dim", "dim")
_LARGEST = 4 << 20


def heads_beside(params: Params, given: int | None) -> int | None:
    """The number of heads: as given, or as the configuration beside the file says.

    Raises
    ------
    SpecError
        The two contradict one another.
    """
    found = _configuration(params) if isinstance(params, LoadedParams) else None
    if found is None or not isinstance(params, LoadedParams):
        return given
    path, fields = found
    said, width = _first_number(fields, _HEADS), _first_number(fields, _WIDTHS)
    if said is None or said < 1 or not _describes(params, width):
        return given
    if given is not None and given != said:
        raise SpecError(
            f"heads is {given}, and {path} beside the parameters says {said}; a spec for another number of heads "
            "changes the function of the model. Leave the option out, or move the file away if it belongs to another "
            "model"
        )
    return said


def _configuration(params: LoadedParams) -> tuple[Path, dict[str, Any]] | None:
    place = params.source.path
    path = (place if place.is_dir() else place.parent) / "config.json"
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return None
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return (path, fields) if isinstance(fields, dict) else None


def _first_number(fields: dict[str, Any], names: tuple[str, ...]) -> int | None:
    return next((int(fields[name]) for name in names if isinstance(fields.get(name), int)), None)


def _describes(params: LoadedParams, width: int | None) -> bool:
    """Whether the configuration can be that of these parameters: its width is the length of one of their axes."""
    return width is None or any(width in params.shape(name) for name in params)
