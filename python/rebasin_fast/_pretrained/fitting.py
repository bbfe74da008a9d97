"""The class whose parameters a file holds, all of them and no others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rebasin_fast._arrays import find_ties
from rebasin_fast._pretrained.budget import Budget
from rebasin_fast._pretrained.configuration import Configuration, OtherModelError
from rebasin_fast._pretrained.form import Piece, whole_pieces, written_pieces
from rebasin_fast._pretrained.libraries import built, classes
from rebasin_fast._pretrained.narrow import narrowed
from rebasin_fast.errors import FileFormatError, ParamsError, SpecError
from rebasin_fast.files import LoadedParams
from rebasin_fast.specs.renaming import Shapes, names_like, shapes_of

# Tables that earlier versions of transformers kept in files, and that no class reads.
_TABLES = (r"\.attn\.(masked_)?bias$", r"(^|\.)position_ids$", r"rotary_emb\.inv_freq$")


@dataclass(frozen=True)
class Fit:
    """A class without weights, and the pieces of its parameters that the arrays of a file are."""

    cls: Any
    model: Any
    shapes: Shapes
    pieces: Mapping[str, Piece]


def fit(params: LoadedParams, configuration: Configuration) -> Fit:
    """The first class that a configuration can mean which fits the file.

    Raises
    ------
    OtherModelError
        None does: the message names the entries that are left over or missing.
    """
    found = shapes_of(params)
    faults = []
    for cls in classes(configuration):
        model = built(cls, configuration, configuration.fields, Budget.of(found))
        state = model.state_dict(keep_vars=True)
        shapes: Shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
        ties = find_ties(state)
        expected = {name: shape for name, shape in found.items() if not _is_table(name, cls, shapes)}
        pieces, fault = _fitted(expected, whole_pieces(shapes), ties)
        if pieces is None and configuration.library == "transformers":
            pieces, fault = _fitted_as_written(cls, configuration, expected, shapes, ties)
        if pieces is not None:
            return Fit(cls, model, shapes, pieces)
        faults.append(f"{cls.__name__}: {fault}")
    raise OtherModelError(
        f"{configuration.path} does not fit the weights beside it ({'; '.join(faults)}). Fetch both again, or give "
        "the spec: --spec FILE, or --trace module:factory"
    )


def _fitted_as_written(
    cls: Any, configuration: Configuration, found: Shapes, shapes: Shapes, ties: Mapping[str, str]
) -> tuple[dict[str, Piece] | None, str]:
    try:
        copy = built(cls, configuration, narrowed(configuration.fields), None)
        pieces = written_pieces(copy, shapes)
    except (SpecError, FileFormatError) as error:
        return None, str(error)
    return _fitted(found, pieces, ties)


def _fitted(
    found: Shapes, pieces: Mapping[str, Piece], ties: Mapping[str, str]
) -> tuple[dict[str, Piece] | None, str]:
    """The pieces of the file's arrays, under its names; or the fault."""
    lengths: Shapes = {name: piece.shape for name, piece in pieces.items()}
    own: Shapes = {name: tuple(n for n in shape or () if n != 1) for name, shape in found.items()}
    if not set(own) <= set(lengths):
        single = {name: shape for name, shape in lengths.items() if pieces[name].parameter not in ties}
        try:
            names = names_like(own, single)
        except ParamsError as error:
            return None, str(error)
        if names is not None:
            pieces = {there: pieces[here] for here, there in names.items()}
            lengths = {there: lengths[here] for here, there in names.items()}
    left = [name for name in own if name not in lengths]
    if left:
        return None, f"{_few(left)} is none of its parameters"
    held = {pieces[name].parameter for name in own}
    held |= {first for name, first in ties.items() if name in held}
    lacking = [p.parameter for p in pieces.values() if ties.get(p.parameter, p.parameter) not in held]
    if lacking:
        return None, f"{_few(lacking)} is not in the file"
    for name, shape in own.items():
        if lengths[name] != shape:
            return None, f"{name!r} has the shape {found[name]}, and {lengths[name]} is expected"
    return {name: pieces[name] for name in own}, ""


def _is_table(name: str, cls: Any, shapes: Shapes) -> bool:
    if any(own.endswith(name) for own in shapes):  # the patterns of some classes fit their own parameters
        return False
    patterns = (*_TABLES, *(getattr(cls, "_keys_to_ignore_on_load_unexpected", None) or ()))
    return any(re.search(pattern, name) for pattern in patterns)


def _few(names: list[str]) -> str:
    more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
    return f"{names[0]!r:.200}{more}"
