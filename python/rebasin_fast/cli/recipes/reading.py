"""A recipe read: the models, the rule and its settings, or an error that names the key and what is supported."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rebasin_fast._terminal.legible import legible
from rebasin_fast._untrusted import brief, read_small_file
from rebasin_fast.errors import FileFormatError, MissingDependencyError
from rebasin_fast.merging.rules.kinds import MergeRule
from rebasin_fast.merging.rules.precision import NAMES
from rebasin_fast.merging.rules.registry import RULES

MAX_RECIPE = (
    1 << 16
)  # bytes; a number to the base of 60, which YAML has, takes time in the square of its length
_KEYS = ("merge_method", "base_model", "models", "slices", "parameters", "dtype", "out_dtype")
# Of mergekit's names those that differ here; int8_mask changes how a mask is stored, and no number.
_PARAMETERS = {"weight": "weights"}
_WITHOUT_EFFECT = ("int8_mask",)


@dataclass(frozen=True)
class Recipe:
    """What a recipe asks for.

    Attributes
    ----------
    rule : MergeRule
    models : tuple of str
        As they are named in it, without the base.
    base : str or None
    settings : dict
        Of the rule's parameters, by their names; those per model as lists in the order of ``models``.
    layers : int or None
        The number of layers that the slice of a recipe with ``slices`` takes, from the first.
    dtype, out_dtype : str or None
    """

    rule: MergeRule
    models: tuple[str, ...]
    base: str | None
    settings: dict[str, Any]
    layers: int | None
    dtype: str | None
    out_dtype: str | None


def read_recipe(path: Path) -> Recipe:
    """The recipe in a YAML file.

    Raises
    ------
    FileFormatError
        It is no YAML, or asks for something that is not supported; the key is named.
    MissingDependencyError
        PyYAML is not installed.
    """
    try:
        import yaml
    except ImportError as error:
        raise MissingDependencyError(
            f"{path}: reading a recipe needs PyYAML, which is not installed. Install it: pip install "
            "'rebasin-fast[recipes]'"
        ) from error
    try:
        found = yaml.safe_load(read_small_file(path, MAX_RECIPE))
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f"line {error.problem_mark.line + 1}: "
        raise _unreadable(path, f"{line}{error.problem}") from None
    except RecursionError:
        raise _unreadable(path, "it is nested too deep") from None
    except (yaml.YAMLError, ValueError, OSError) as error:
        raise _unreadable(path, str(error)) from None
    try:
        return _recipe(_mapping(found, "the recipe", _KEYS))
    except _NotSupportedError as error:
        raise FileFormatError(f"{path}: {error}") from None


def _unreadable(path: Path, reason: str) -> FileFormatError:
    return FileFormatError(f"{path} cannot be read as a recipe: {legible(reason)[:200]}.")


class _NotSupportedError(Exception):
    """What of a recipe is not honoured."""


def _recipe(found: Mapping[str, Any]) -> Recipe:
    rule = RULES.get(found["merge_method"]) if isinstance(found.get("merge_method"), str) else None
    if rule is None:
        raise _NotSupportedError(
            f"merge_method is {brief(found.get('merge_method'))}; supported: {', '.join(RULES)}"
        )
    sources, layers, between = _sources(found)
    names = [_model(source, place) for place, source in sources]
    base = found.get("base_model")
    if base is not None:
        base = _model({"model": base}, "base_model")
    if rule.base == "none" and base is not None and base not in names:
        raise _NotSupportedError(
            f"merge_method {rule.name} has no base_model: list {base!r} among the models"
        )
    if rule.base != "none" and base is None:
        raise _NotSupportedError(f"merge_method {rule.name} needs base_model")
    kept = [number for number, name in enumerate(names) if rule.base == "none" or name != base]
    own = [(place, source.get("parameters")) for place, source in sources]
    settings = _settings(rule, [own[n] for n in kept], [*between, ("parameters", found.get("parameters"))])
    return Recipe(
        rule,
        tuple(names[number] for number in kept),
        base if rule.base != "none" else None,
        settings,
        layers,
        _dtype(found, "dtype"),
        _dtype(found, "out_dtype"),
    )


def _sources(
    found: Mapping[str, Any],
) -> tuple[list[tuple[str, Mapping[str, Any]]], int | None, list[tuple[str, Any]]]:
    """The models with the places of their entries, the layers taken, and the parameters of the slice."""
    if ("models" in found) == ("slices" in found):
        raise _NotSupportedError("a recipe has either models or slices")
    if "models" in found:
        entries = _list(found["models"], "models")
        of_models = ("model", "parameters")
        return (
            [(f"models[{n}]", _mapping(one, f"models[{n}]", of_models)) for n, one in enumerate(entries)],
            None,
            [],
        )
    slices = _list(found["slices"], "slices")
    if len(slices) != 1:
        raise _NotSupportedError(
            f"slices has {len(slices)} entries; one is supported, of all layers: models are not stacked here"
        )
    one = _mapping(slices[0], "slices[0]", ("sources", "parameters"))
    entries = _list(one.get("sources"), "slices[0].sources")
    keys = ("model", "layer_range", "parameters")
    places = [f"slices[0].sources[{n}]" for n in range(len(entries))]
    sources = [(place, _mapping(entry, place, keys)) for place, entry in zip(places, entries, strict=True)]
    ranges = [source.get("layer_range") for _, source in sources]
    first = ranges[0]
    layers = first[1] if isinstance(first, list) and len(first) == 2 and first[0] == 0 else None
    if type(layers) is not int or any(other != first for other in ranges):
        raise _NotSupportedError(
            f"layer_range is {brief(ranges)}; one range for all sources, of all layers from 0, is supported"
        )
    return sources, layers, [("slices[0].parameters", one.get("parameters"))]


def _settings(rule: MergeRule, own: list[tuple[str, Any]], common: list[tuple[str, Any]]) -> dict[str, Any]:
    """The settings of every parameter that is given; the model's own come before the common ones."""
    per_model = [parameter.name for parameter in rule.parameters if parameter.per_model]
    every = [parameter.name for parameter in rule.parameters]
    of_model = [_known(scope, place, per_model) for place, scope in own]
    of_all = [_known(scope, place, every) for place, scope in common]
    settings: dict[str, Any] = {}
    for name in every:
        scopes = [[one, *of_all] for one in of_model] if name in per_model else [of_all]
        found = [_first_of_each_pattern([s[name] for s in chain if name in s]) for chain in scopes]
        if any(found):
            settings[name] = [one or None for one in found] if name in per_model else found[0]
    return settings


def _known(scope: Any, place: str, known: Collection[str]) -> dict[str, dict[str, Any]]:
    if scope is None:
        return {}
    place = place if place.endswith("parameters") else f"{place}.parameters"
    spelt = [next((theirs for theirs, ours in _PARAMETERS.items() if ours == name), name) for name in known]
    found = _mapping(scope, place, (*spelt, *_WITHOUT_EFFECT))
    return {
        _PARAMETERS.get(name, name): _patterns(value, f"{place}.{name}")
        for name, value in found.items()
        if name not in _WITHOUT_EFFECT
    }


def _patterns(value: Any, place: str) -> dict[str, Any]:
    """A parameter's values by patterns of names, "*" for all."""
    conditions = [value] if isinstance(value, dict) else value
    if not isinstance(conditions, list) or not any(isinstance(one, dict) for one in conditions):
        return {"*": _numbers(value, place)}
    found: dict[str, Any] = {}
    for number, one in enumerate(conditions):
        here = f"{place}[{number}]"
        condition = _mapping(one, here, ("filter", "value"))
        pattern = condition.get("filter") or "*"
        if not isinstance(pattern, str):
            raise _NotSupportedError(f"{here}.filter is {brief(pattern)}; a part of a name is expected")
        found.setdefault(pattern, _numbers(condition.get("value"), f"{here}.value"))
    return found


def _numbers(value: Any, place: str) -> Any:
    if isinstance(value, list) and value:
        return [_number(one, place) for one in value]
    return _number(value, place)


def _number(value: Any, place: str) -> Any:
    if isinstance(value, bool | int | float):
        return value
    try:
        return float(value)  # "1e-5" is a text in YAML 1.1
    except (TypeError, ValueError):
        raise _NotSupportedError(f"{place} is {brief(value)}; a number is expected") from None


def _first_of_each_pattern(scopes: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for scope in scopes:
        for pattern, value in scope.items():
            found.setdefault(pattern, value)
    return found


def _model(source: Mapping[str, Any], place: str) -> str:
    name = source.get("model")
    if isinstance(name, str) and name:
        return name
    raise _NotSupportedError(f"{place}: model is {brief(name)}; the path of a model is expected")


def _dtype(found: Mapping[str, Any], key: str) -> str | None:
    name = found.get(key)
    if name is None or name in NAMES:
        return name
    raise _NotSupportedError(f"{key} is {brief(name)}; supported: {', '.join(NAMES)}")


def _mapping(found: Any, place: str, known: Collection[str]) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise _NotSupportedError(f"{place} is {brief(found)}; expected a mapping of {', '.join(known)}")
    for key in found:
        if key not in known:
            raise _NotSupportedError(
                f"{brief(key)} in {place} is not supported; supported: {', '.join(known)}"
            )
    return found


def _list(found: Any, place: str) -> list[Any]:
    if isinstance(found, list) and found:
        return found
    raise _NotSupportedError(f"{place} is {brief(found)}; a list is expected")
