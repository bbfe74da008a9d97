"""One network under two sets of names: prefixes of wrappers, mapped where only one map fits."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from rebasin_fast._arrays.derived import DerivedParams
from rebasin_fast.errors import ParamsError
from rebasin_fast.typing import Array, Params

# Prefixes of torch.compile and data parallelism, within names too.
_WITHIN = re.compile(r"(?:^|(?<=\.))(?:_orig_mod|module)\.")

Shapes = Mapping[str, tuple[int, ...] | None]


class RenamedParams(Mapping[str, "Array"]):
    """Parameters under other names: a view that reads the arrays of ``params`` on access."""

    def __init__(self, params: Params, names: Mapping[str, str]) -> None:
        self.params = params
        self.sources = (params,)
        self.names = dict(names)  # the name here -> the name there

    def __getitem__(self, name: str) -> Array:
        return self.params[self.names[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def restored(self, result: Params) -> Params:
        """``result`` under the original names; parameters that this view left out are unchanged."""
        here = {there: name for name, there in self.names.items()}

        def compute(name: str) -> Array:
            return result[here[name]] if name in here and here[name] in result else self.params[name]

        return DerivedParams(self.params, compute, [self.params, result])


def shapes_of(params: Mapping[str, Any]) -> Shapes:
    """The shape of every parameter, of a file's without reading it."""
    known = getattr(params, "shape", None)
    if callable(known):
        return {name: tuple(known(name)) for name in params}
    return {name: tuple(array.shape) for name, array in params.items()}


def without_prefix(params: Params, prefix: str) -> RenamedParams | None:
    """The parameters whose names begin with ``prefix``, without it; None where there are none."""
    names = {name.removeprefix(prefix): name for name in params if name.startswith(prefix)}
    return RenamedParams(params, names) if names else None


def names_like(found: Shapes, expected: Shapes) -> dict[str, str] | None:
    """The found name of every expected one; None where the names are the same, or no map fits.

    Raises
    ------
    ParamsError
        Several sets of the found names fit, such as a model and its moving average.
    """
    wanted = {name: shape for name, shape in expected.items() if shape != ()}
    if not wanted or all(name in found for name in wanted):
        return None
    maps: dict[str, dict[str, str]] = {}
    for inside in (False, True):
        there = {_cleaned(name, inside): name for name in found}
        here = {_cleaned(name, inside): name for name in expected}
        if len(there) < len(found) or len(here) < len(expected):
            continue
        for prefix in _prefixes(there):
            group = {
                name.removeprefix(prefix): original
                for name, original in there.items()
                if name.startswith(prefix)
            }
            for common in _common_prefixes(here):
                mapped = {
                    original: group[short]
                    for name, original in here.items()
                    if (short := name.removeprefix(common)) in group
                }
                if mapped not in maps.values() and _fits(mapped, group, found, wanted):
                    maps[prefix] = mapped
        if maps:
            break
    if len(maps) > 1:
        sets = ", ".join(repr(prefix) for prefix in maps)
        raise ParamsError(
            f"names that begin with {sets} fit equally well (a model and its moving average, perhaps); "
            "choose one with --prefix, or give the parameters of one"
        )
    return next(iter(maps.values()), None)


def change_of_names(names: Mapping[str, str]) -> str:
    """One line about the map, with its first name as the example."""
    here, there = next(iter(names.items()))
    return f"{there!r} is taken for {here!r}, and the other {len(names) - 1:,} names alike"


def _cleaned(name: str, inside: bool) -> str:
    return _WITHIN.sub("", name) if inside else name


def _fits(mapped: Mapping[str, str], group: Mapping[str, str], found: Shapes, wanted: Shapes) -> bool:
    """Every expected parameter is there in its shape, and the group has no others."""
    if any(name not in mapped for name in wanted):
        return False
    if any(shape is not None and found[mapped[name]] not in (None, shape) for name, shape in wanted.items()):
        return False
    used = set(mapped.values())
    return all(name in used or found[name] == () for name in group.values())


def _prefixes(names: Mapping[str, str]) -> list[str]:
    """The prefixes of all names, up to a dot; the empty prefix first."""
    found = {"": None}
    for name in names:
        parts = name.split(".")
        for depth in range(1, min(len(parts), 5)):
            found.setdefault(".".join(parts[:depth]) + ".", None)
    return list(found)


def _common_prefixes(names: Mapping[str, str]) -> list[str]:
    """The prefixes that all names share, up to a dot; the empty prefix first."""
    first = next(iter(names))
    return [prefix for prefix in _prefixes({first: first}) if all(name.startswith(prefix) for name in names)]
