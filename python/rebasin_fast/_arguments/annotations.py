"""The annotations of public functions as checks of values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args, get_origin

from rebasin_fast._arguments import kinds
from rebasin_fast._untrusted import brief

# Takes the name of an argument and its value; raises TypeError or ValueError, naming both.
Check = Callable[[str, Any], None]
# A description, and whether a value is of it.
Kind = tuple[str, kinds.Fits]

_PATH: Kind = ("a path (text or pathlib.Path)", kinds.is_path)
_PARAMS: Kind = ("a mapping of names to arrays", kinds.is_params)
_FUNCTION: Kind = ("a function", kinds.is_function)
_STREAM: Kind = ("an iterable of batches, such as a list or a DataLoader", kinds.is_stream)
_PERMUTATION: Kind = (
    "a permutation (a mapping of names to index arrays, or a Matching, which has one)",
    kinds.is_permutation,
)
_INFINITE: Kind = ("a number", kinds.is_real)
_KINDS: dict[str, Kind] = {
    "bool": ("True or False", kinds.is_flag),
    "float": ("a number, finite", kinds.is_number),
    "str": ("a text", kinds.is_text),
    "ArrayLike": ("a number or an array of numbers, finite", kinds.are_numbers),
    "type": ("a class", lambda value: isinstance(value, type)),
    **dict.fromkeys(("os.PathLike[str]", "PathLike[str]", "PathLike", "Path"), _PATH),
    **dict.fromkeys(("Params", "Mapping[str, Array]", "Mapping[str, Any]"), _PARAMS),
    **dict.fromkeys(("Loss", "ProgressCallback", "Rule"), _FUNCTION),
    **dict.fromkeys(("Iterable[Any]", "Inputs", "Iterable[tuple[Any, Any]]"), _STREAM),
    "Batches": (
        "an iterable of batches, such as a list or a DataLoader, or a function that gives one",
        lambda value: kinds.is_stream(value) or kinds.is_function(value),
    ),
    "Schedule": (
        "a number, finite, or a function of the number of the episode that gives one",
        lambda value: kinds.is_function(value) or kinds.is_number(value),
    ),
    "Rng": ("a seed (a whole number of 0 or more), a numpy.random.Generator or None", kinds.is_seed),
    "np.random.Generator": ("a numpy.random.Generator", kinds.instance_of("Generator")),
    "PermutationSpec": ("a PermutationSpec", kinds.instance_of("PermutationSpec")),
    "Permutation": ("a mapping of names to index arrays", kinds.is_mapping),
    "Mapping[str, NDArray[np.int64]]": ("a mapping of names to index arrays", kinds.is_mapping),
    "Found": _PERMUTATION,
    "Sequence[Found]": ("a sequence of those", kinds.sequence_of(kinds.is_permutation)),
    "Sequence[Permutation]": (
        "a sequence of permutations, each a mapping of names to index arrays",
        kinds.sequence_of(kinds.is_mapping),
    ),
    "Matching": ("the result of a matching function", kinds.instance_of("Matching")),
    "ManyMatching": ("the result of merge_many", kinds.instance_of("ManyMatching")),
    "Adapter": ("an adapter of load_adapter", kinds.instance_of("Adapter")),
    "SinkhornOptions": ("SinkhornOptions", kinds.instance_of("SinkhornOptions")),
    "StraightThroughOptions": ("StraightThroughOptions", kinds.instance_of("StraightThroughOptions")),
    "Sequence[Params]": (
        "a sequence of models, each a mapping of names to arrays",
        kinds.sequence_of(kinds.is_params),
    ),
    "Mapping[str, Params]": (
        "a mapping of names to models, each a mapping of names to arrays",
        kinds.mapping_to(kinds.is_params),
    ),
    "Sequence[str]": ("a sequence of names", kinds.sequence_of(kinds.is_text)),
    "Collection[str]": ("a collection of names", kinds.sequence_of(kinds.is_text, sets=True)),
    "Sequence[str | None]": (
        "a sequence of names and None",
        kinds.sequence_of(lambda item: item is None or kinds.is_text(item)),
    ),
    "tuple[str, str]": ("two texts", kinds.sequence_of(kinds.is_text, least=2, most=2)),
    "tuple[float, float]": ("two finite numbers", kinds.sequence_of(kinds.is_number, least=2, most=2)),
    "tuple[int, int]": ("two whole numbers", kinds.sequence_of(kinds.is_whole, least=2, most=2)),
    "Mapping[str, Sequence[str | None]]": (
        "a mapping of parameters to sequences of names and None",
        kinds.mapping_to(kinds.sequence_of(lambda item: item is None or kinds.is_text(item))),
    ),
    "Sequence[float]": ("a sequence of finite numbers", kinds.sequence_of(kinds.is_number)),
    "Mapping[str, str]": ("a mapping of texts to texts", kinds.mapping_to(kinds.is_text)),
    "Mapping[str, int]": ("a mapping of names to whole numbers", kinds.mapping_to(kinds.is_whole)),
    "Mapping[str, LossCurve]": (
        "a mapping of labels to loss curves",
        kinds.mapping_to(kinds.instance_of("LossCurve")),
    ),
    "TapNames": (
        "a mapping of permutations to the names of modules",
        kinds.mapping_to(lambda value: kinds.is_text(value) or kinds.sequence_of(kinds.is_text)(value)),
    ),
    "Sequence[tuple[int, int]]": (
        "a sequence of pairs of the models' numbers, 0, 1 and 2",
        kinds.sequence_of(kinds.is_pair_of_models),
    ),
    "Mapping[str, ParamsPath | NDArray[np.float64]]": (
        "a mapping of labels to paths, or to their points in the plane (k, 2)",
        kinds.mapping_to(kinds.is_place),
    ),
    "Sequence[Any]": ("a sequence", kinds.sequence_of(lambda item: True)),
    "ParamsPath": ("an object whose at(t) gives parameters", kinds.having("at")),
    "Entry": ("an axis entry (rebasin_fast.axis)", kinds.is_entry),
    "Sequence[Entry]": ("a sequence of axis entries", kinds.sequence_of(kinds.is_entry)),
    "Sequence[Shortcut]": (
        "a sequence of None, names, numbers of channels or pairs of those",
        kinds.sequence_of(kinds.is_shortcut),
    ),
    "Axes": ("matplotlib axes", kinds.instance_of("Axes", "_AxesBase")),
    "Figure": ("a matplotlib figure", kinds.instance_of("Figure", "FigureBase")),
}


def check_of(annotation: str, names: Mapping[str, Any], *, default: Any, least: int) -> Check | None:
    """The check of an annotation; None where a part of it is unknown.

    Parameters
    ----------
    annotation : str
    names : Mapping[str, object]
        Those of the function's module, where aliases of ``Literal`` are looked up.
    default : object
        Passes without standing in the annotation where it is None or an infinite number.
    least : int
        The smallest whole number.
    """
    parts = parts_of(annotation)
    if any(_KINDS.get(part) is _PATH for part in parts):
        parts = [part for part in parts if part != "str"]
    optional = default is None or "None" in parts
    infinite = isinstance(default, float) and default == math.inf
    found = [
        _INFINITE if infinite and part == "float" else _kind(part, names, least)
        for part in parts
        if part != "None"
    ]
    known = [kind for kind in found if kind is not None]
    if len(known) < len(found) or not known:
        return None
    expected = " or ".join(dict.fromkeys(described for described, _ in known))
    expected += " or None" * (optional and not expected.endswith("None"))

    def check(name: str, value: Any) -> None:
        if value is None and optional:
            return
        fault = ""
        error_type: type[Exception] = TypeError
        for _, fits in known:
            try:
                if fits(value):
                    return
            except ValueError as error:
                fault, error_type = str(error), type(error)
        raise error_type(f"{name} is {expected}; got {fault or brief(value)}{_hint(value)}")

    return check


def parts_of(annotation: str) -> list[str]:
    """The alternatives of a union, without the marks of forward references."""
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(annotation):
        depth += (letter in "[(") - (letter in ")]")
        if letter == "|" and depth == 0:
            parts.append(annotation[start:place])
            start = place + 1
    return [part.strip().strip("'\"") for part in [*parts, annotation[start:]]]


def _kind(part: str, names: Mapping[str, Any], least: int) -> Kind | None:
    if part == "int":
        return f"a whole number, {least} or more", lambda value: kinds.is_whole(value, least)
    if part == "Sequence[int]":
        each = kinds.sequence_of(lambda item: kinds.is_whole(item, least), least=min(least, 1))
        return f"a sequence of whole numbers, {least} or more", each
    if part.startswith("Callable["):
        return _FUNCTION
    if part in _KINDS:
        return _KINDS[part]
    inner = _kind(part[len("Sequence[") : -1], names, least) if part.startswith("Sequence[") else None
    if inner is not None:
        return f"a sequence, each {inner[0]}", kinds.sequence_of(inner[1])
    alias = eval(part, {"Literal": Literal}) if part.startswith("Literal[") else names.get(part)
    if get_origin(alias) is Literal:
        allowed = get_args(alias)
        return " or ".join(map(repr, allowed)), kinds.choice(allowed)
    return None


def _hint(value: Any) -> str:
    if hasattr(value, "state_dict"):
        return "; pass model.state_dict()"
    return "; pass matching.permutation" if isinstance(getattr(value, "permutation", None), Mapping) else ""
