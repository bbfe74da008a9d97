"""Schemas of values from files: each field with its kind, range and shape, checked whole before any is used.

A length is a number, or a name that stands for one number in the whole file: ``ArrayOf("f", ("points",))`` beside
``ListOf(Text(), "points")`` are as many numbers as texts. The ``names`` of mappings are alike: one set in the file.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from rebasin_fast._untrusted.brief import brief

Length: TypeAlias = int | str | None
Lengths: TypeAlias = dict[str, Any]  # name -> number, or name -> set of names

REAL = "f"  # kinds of dtypes
WHOLE = "iu"

MAX_COUNT = 2**53  # every number that JSON's readers agree on


class SchemaError(ValueError):
    """A value is not of its kind; the message names the field, the value found and the kind."""

    def __init__(self, where: str, found: object, expected: str) -> None:
        super().__init__(f"{where} is {brief(found)}, not {expected}")


class Kind:
    """What a value may be."""

    def check(self, value: Any, where: str, lengths: Lengths) -> None:
        """SchemaError unless ``value``, which the file holds at ``where``, is of this kind."""
        raise NotImplementedError


@dataclass(frozen=True)
class Count(Kind):
    """A whole number in a range; True is none."""

    least: int = 0
    most: int = MAX_COUNT

    def check(self, value: Any, where: str, lengths: Lengths) -> None:
        if type(value) is not int or not self.least <= value <= self.most:
            raise SchemaError(where, value, f"a whole number from {self.least} to {self.most}")


@dataclass(frozen=True)
class Number(Kind):
    """A real number in a range, infinities and NaN only where they are allowed."""

    least: float = -math.inf
    most: float = math.inf
    infinite: bool = False
    nan: bool = False

    def check(self, value: Any, where: str, lengths: Lengths) -> None:
        real = type(value) is float or (type(value) is int and abs(value) <= MAX_COUNT)
        if real and math.isnan(value) and self.nan:
            return
        if not (real and self.least <= value <= self.most and (self.infinite or math.isfinite(value))):
            ranged = (self.least, self.most) != (-math.inf, math.inf)
            bounds = f" from {self.least:g} to {self.most:g}" if ranged else ""
            raise SchemaError(where, value, f"a {'' if self.infinite else 'finite '}number{bounds}")


# Of a measurement that may fail: a loss that overflows, a norm of NaN.
MEASURED = Number(infinite=True, nan=True)


@dataclass(frozen=True)
class Flag(Kind):
    """True or false."""

    def check(self, value: Any, where: str, lengths: Lengths) -> None:
        if type(value) is not bool:
            raise SchemaError(where, value, "true or false")


@dataclass(frozen=True)
class Text(Kind):
    """A text; one of some where ``among`` holds any."""

    among: tuple[str, ...] = ()

    def check(self, value: Any, where: str, lengths: Lengths) -> None:
        if not isinstance(value, str) or (self.among and value not in self.among):
            raise SchemaError(where, value, " or ".join(map(repr, self.among)) or "a text")


@dataclass(frozen=True)
class Optional(Kind):
    """Null, or a value of a kind."""

    of: Kind

    def check(self, value: Any, where: str, lengths: Lengths) -> None:
        if value is not None:
            self.of.check(value, where, lengths)


@dataclass(frozen=True)
class AnyOf(Kind):
    """A value of one of some kinds."""

    kinds: tuple[Kind, ...]

    def check(self, value: Any, where: str, lengths: Lengths) -> None:
        faults = []
        for kind in self.kinds:
            try:
                return kind.check(value, where, lengths)
            except ValueError as fault:
                faults.append(fault)
        raise faults[0]


@dataclass(frozen=True)
class ListOf(Kind):
    """A list of values of one kind."""

    of: Kind
    length: Length = None

    def check(self, value: Any, where: str, lengths: Lengths) -> None:
        if not isinstance(value, list):
            raise SchemaError(where, value, "a list")
        _check_length(len(value), self.length, where, lengths)
        for number, item in enumerate(value):
            self.of.check(item, f"{where}[{number}]", lengths)


@dataclass(frozen=True)
class Names(Kind):
    """A list of different texts, as many as ``length``; the set of them is that of the mappings of this name."""

    length: str

    def check(self, value: Any, where: str, lengths: Lengths) -> None:
        ListOf(Text(), self.length).check(value, where, lengths)
        if len(set(value)) != len(value):
            raise SchemaError(where, value, "a list of different names")
        lengths[f"names of {self.length}"] = set(value)


@dataclass(frozen=True)
class Row(Kind):
    """A list of a fixed number of values, each of a kind of its own."""

    kinds: tuple[Kind, ...]

    def check(self, value: Any, where: str, lengths: Lengths) -> None:
        if not isinstance(value, list) or len(value) != len(self.kinds):
            raise SchemaError(where, value, f"a list of {len(self.kinds)}")
        for number, (kind, item) in enumerate(zip(self.kinds, value, strict=True)):
            kind.check(item, f"{where}[{number}]", lengths)


@dataclass(frozen=True)
class MapOf(Kind):
    """Texts mapped to values of one kind; ``names`` is the name of the set of the texts."""

    of: Kind
    names: str | None = None

    def check(self, value: Any, where: str, lengths: Lengths) -> None:
        if not isinstance(value, Mapping):
            raise SchemaError(where, value, "a mapping")
        if self.names is not None and set(value) != lengths.setdefault(f"names of {self.names}", set(value)):
            raise ValueError(f"{where} is of other {self.names} than the fields before it")
        for name, item in value.items():
            self.of.check(item, f"{where}[{brief(name)}]", lengths)


@dataclass(frozen=True)
class Fields(Kind):
    """A mapping of known names; those of ``optional`` may be missing."""

    kinds: Mapping[str, Kind]
    optional: Collection[str] = ()

    def check(self, value: Any, where: str, lengths: Lengths) -> None:
        if not isinstance(value, Mapping):
            raise SchemaError(where, value, "a mapping")
        inner = f"{where}." if where else ""
        for name, kind in self.kinds.items():
            if name in value:
                kind.check(value[name], inner + name, lengths)
            elif name not in self.optional:
                raise ValueError(f"{inner}{name} is missing")
        unknown = next((name for name in value if name not in self.kinds), None)
        if unknown is not None:
            raise ValueError(f"{where or 'it'} holds {brief(unknown)}, which no such file has")


@dataclass(frozen=True)
class ArrayOf(Kind):
    """A NumPy array: letters of its kinds of dtypes, shape, least entry, finite or not; without letters any array."""

    kinds: str = ""
    shape: tuple[Length, ...] | None = None
    least: float | None = None
    finite: bool = False

    def check(self, value: Any, where: str, lengths: Lengths) -> None:
        if not hasattr(value, "shape") or (self.kinds and not isinstance(value, np.ndarray)):
            raise SchemaError(where, value, "an array")
        if self.kinds and value.dtype.kind not in self.kinds:
            raise ValueError(f"{where} is an array of {value.dtype}, not of {_DTYPES[self.kinds]}")
        if self.shape is not None:
            if value.ndim != len(self.shape):
                raise ValueError(f"{where} has {value.ndim} axes, not {len(self.shape)}")
            for size, length in zip(value.shape, self.shape, strict=True):
                _check_length(size, length, where, lengths)
        if self.finite and not np.isfinite(value).all():
            raise ValueError(f"{where} holds NaN or infinities, not finite numbers")
        if self.least is not None and value.size and value.min() < self.least:
            raise ValueError(f"{where} holds {value.min()}, not numbers of {self.least:g} or more")


@dataclass(frozen=True)
class Anything(Kind):
    """Checked by its reader, which has what it takes to judge it."""

    def check(self, value: Any, where: str, lengths: Lengths) -> None:
        pass


@dataclass(frozen=True)
class Schema:
    """The values of one file, at the top and below the slash in the names of its arrays.

    ``account`` is of the JSON, ``arrays`` of the arrays as :func:`nested` gives them; a name of a length stands for
    the same number in both.
    """

    account: Kind = field(default_factory=Anything)
    arrays: Kind = field(default_factory=Anything)

    def check(self, account: Any, arrays: Mapping[str, Any]) -> None:
        """ValueError that names the first field that is wrong, its value, and the value expected."""
        lengths: Lengths = {}
        self.account.check(account, "", lengths)
        self.arrays.check(nested(arrays), "", lengths)


def nested(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """``{"a/b": x, "a/c/d": y, "e": z}`` as ``{"a": {"b": x, "c/d": y}, "e": z}``."""
    found: dict[str, Any] = {}
    for name, array in arrays.items():
        group, slash, rest = name.partition("/")
        inside = found.setdefault(group, {}) if slash else found
        if not isinstance(inside, dict) or (not slash and name in found):
            raise ValueError(f"it holds an array {brief(group)} and arrays below that name")
        inside[rest if slash else name] = array
    return found


def _check_length(found: int, length: Length, where: str, lengths: Lengths) -> None:
    if length is None:
        return
    wanted = length if isinstance(length, int) else lengths.setdefault(length, found)
    if found != wanted:
        raise ValueError(f"{where} has {found} entries along an axis, not {wanted}")


_DTYPES = {REAL: "real numbers", WHOLE: "whole numbers"}
