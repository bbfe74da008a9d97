"""The number of heads in a ``config.json`` beside a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rebasin_fast._untrusted import parse_json, read_small_file
from rebasin_fast.errors import SpecError
from rebasin_fast.files import LoadedParams
from rebasin_fast.typing import Params

_HEADS = ("num_attention_heads", "n_head", "num_heads", "n_heads", "encoder_attention_heads")
_WIDTHS = ("hidden_size", "n_embd", "d_model", "embed_dim", "dim")
_LARGEST = 4 << 20


def heads_beside(params: Params, given: int | None) -> int | None:
    """The number of heads: the given one, or that of the configuration beside the file.

    Raises
    ------
    SpecError
        The two contradict one another.
    """
    if not isinstance(params, LoadedParams):
        return given
    place = params.source.path
    path = (place if place.is_dir() else place.parent) / "config.json"
    fields = _fields_of(path)
    heads, width = _first_number(fields, _HEADS), _first_number(fields, _WIDTHS)
    # The configuration can be that of these parameters where its width is the length of one of their axes.
    describes = width is None or any(width in params.shape(name) for name in params)
    if heads is None or heads < 1 or not describes:
        return given
    if given is not None and given != heads:
        raise SpecError(
            f"heads is {given}, and {path} beside the parameters has {heads}; a spec for another number of heads "
            "changes the function of the model. Leave the option out, or move the file away if it belongs to another "
            "model"
        )
    return heads


def _fields_of(path: Path) -> dict[str, Any]:
    """The entries of a JSON object; none where the file is missing, too large or something else."""
    try:
        fields = parse_json(read_small_file(path, _LARGEST))
    except (OSError, ValueError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _first_number(fields: dict[str, Any], names: tuple[str, ...]) -> int | None:
    return next((int(fields[name]) for name in names if type(fields.get(name)) is int), None)
