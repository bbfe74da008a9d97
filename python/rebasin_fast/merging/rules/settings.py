"""Values of a rule's parameters that differ by parameter name and by depth."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, TypeAlias

from rebasin_fast import _arguments
from rebasin_fast._untrusted import brief
from rebasin_fast.merging.rules.kinds import MergeRule, Parameter

# A number; a list of numbers, a gradient from the first layer to the last; or one of both by patterns of names.
Setting: TypeAlias = float | Sequence[float] | Mapping[str, float | Sequence[float]]

_LAYER = re.compile(r"(?:^|\.)(\d+)\.")
_GLOB = frozenset("*?[")


class Condition(NamedTuple):
    """The values, evenly spaced over the depth, of the parameters whose names a pattern matches; "*": all."""

    pattern: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Resolved:
    """The value of one parameter of a rule for every array; the first condition that matches gives it."""

    parameter: Parameter
    conditions: tuple[Condition, ...]

    def at(self, name: str, depth: float) -> Any:
        """The value for the array ``name``; ValueError where no pattern matches and there is no default."""
        for pattern, values in self.conditions:
            if matches(pattern, name):
                return _between(values, depth)
        if self.parameter.default is None:
            raise ValueError(
                f"{self.parameter.name} has no value for {name!r}, and no default: give one for the pattern '*'"
            )
        return self.parameter.default


def resolved(rule: MergeRule, parameter: Parameter, *settings: Setting | None) -> Resolved:
    """The settings of one parameter, those that come first before the others; ValueError, TypeError for others."""
    conditions = [
        condition for one in settings if one is not None for condition in _conditions(parameter, one)
    ]
    if not conditions and parameter.default is None:
        raise ValueError(f"rule {rule.name!r} needs {parameter.name}; got None")
    return Resolved(parameter, tuple(conditions))


def matches(pattern: str, name: str) -> bool:
    """Whether a part of ``name`` is ``pattern``, in which ``*``, ``?`` and ``[...]`` stand for other letters."""
    if _GLOB.isdisjoint(pattern):
        return pattern in name
    return fnmatchcase(name, f"*{pattern}*")


def depths(names: Sequence[str]) -> dict[str, float]:
    """How deep each parameter's layer lies, from 0 to 1: the first number in its name among those at its place.

    Parameters outside of numbered layers are at 0, and those of a single layer at 1.
    """
    found = {name: _LAYER.search(name) for name in names}
    places = {name: (name[: at.start()], int(at[1])) for name, at in found.items() if at}
    last: dict[str, int] = {}
    for stem, number in places.values():
        last[stem] = max(number, last.get(stem, 0))
    return {
        name: 0.0 if name not in places else _depth(places[name][1], last[places[name][0]]) for name in names
    }


def _depth(number: int, last: int) -> float:
    return number / last if last else 1.0


def _between(values: tuple[Any, ...], depth: float) -> Any:
    """The value at ``depth`` of a line through evenly spaced ``values``."""
    if isinstance(values[0], bool):
        return values[int(depth * (len(values) - 1))]
    scaled = depth * (len(values) - 1)
    below = int(scaled)
    above = min(len(values) - 1, below + 1)
    share = scaled - below
    return (1 - share) * values[below] + share * values[above]


def _conditions(parameter: Parameter, setting: Any) -> list[Condition]:
    if isinstance(setting, Mapping):
        patterns = list(setting)
        if not patterns or not all(isinstance(pattern, str) and pattern for pattern in patterns):
            raise ValueError(
                f"{parameter.name} maps patterns of names to numbers, such as {{'mlp': 0.5, '*': 1}}; "
                f"got {brief(setting)}"
            )
        return [Condition(pattern, _values(parameter, value)) for pattern, value in setting.items()]
    return [Condition("*", _values(parameter, setting))]


def _values(parameter: Parameter, value: Any) -> tuple[Any, ...]:
    listed = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    values = tuple(value) if listed else (value,)
    if not values:
        raise ValueError(f"{parameter.name} is an empty list; a gradient has one number or more")
    return tuple(_value(parameter, one) for one in values)


def _value(parameter: Parameter, value: Any) -> Any:
    name, least = parameter.name, parameter.least
    if parameter.kind is bool:
        return _arguments.flag(name, value)
    if parameter.kind is int:
        return _arguments.count(name, value, least=int(least))
    kinds = "a number, a list of numbers from the first layer to the last, or a mapping of patterns to those"
    return _arguments.number(name, value, least=least, most=parameter.most, of=kinds)


def all_resolved(
    rule: MergeRule, given: Mapping[str, Any], models: int
) -> dict[str, Resolved | list[Resolved]]:
    """Every parameter of ``rule``, from the settings ``given`` by name.

    Raises
    ------
    ValueError, TypeError
        A parameter that the rule does not have, that is missing, or that is out of its range.
    """
    for name in given:
        if rule.parameter(name) is None:
            known = ", ".join(parameter.name for parameter in rule.parameters)
            raise ValueError(f"rule {rule.name!r} has no parameter {name}; it has {known}")
    found: dict[str, Resolved | list[Resolved]] = {}
    for parameter in rule.parameters:
        setting = given.get(parameter.name)
        if parameter.per_model:
            found[parameter.name] = [
                resolved(rule, parameter, one) for one in _each(parameter, setting, models)
            ]
        else:
            found[parameter.name] = resolved(rule, parameter, setting)
    return found


def _each(parameter: Parameter, setting: Any, models: int) -> list[Any]:
    """The setting of each model."""
    if not isinstance(setting, Sequence) or isinstance(setting, str | bytes):
        return [setting] * models
    if len(setting) != models:
        raise ValueError(
            f"{parameter.name} is one setting for all, or a sequence with one for each model, the base excepted: "
            f"{models} here; got {len(setting)}"
        )
    return list(setting)
