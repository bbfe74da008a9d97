"""Calls whose result is refused where a file that they read has changed meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from ... import _core
from ..._arrays import address_of
from ..errors import ChangedFileError
from .guarded_map import GuardedMap, check_state, living_maps, state_of

_P = ParamSpec("_P")
_R = TypeVar("_R")

# Outside of a watch a file that is shortened ends the process, as the system does it: nobody would ask for the mark.
watching_files = _core.MappingWatch


@contextmanager
def unchanged(*values: object) -> Iterator[None]:
    """A block that reads parameters: no file that they come from may change, before or in it.

    Parameters
    ----------
    values : object
        Mappings of parameters, alone or in lists; anything else is passed over.

    Raises
    ------
    ChangedFileError
        A file was shortened or rewritten in place since it was opened; in place of any error of the block.
    """
    maps = maps_of(values)
    if not maps:
        yield
        return
    check_maps(maps)
    with _core.MappingWatch():
        try:
            yield
        except Exception as error:  # numbers that changed can fail anywhere
            _check_after(lambda: check_maps(maps), error)
            raise
        check_maps(maps)


def refuses_changed_files(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """A function whose arguments may be parameters of files, within `unchanged`."""

    @wraps(function)
    def checked(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with unchanged(*args, *kwargs.values()):
            return function(*args, **kwargs)

    return checked


@contextmanager
def unchanged_file(path: Path) -> Iterator[None]:
    """A block that reads this file, which may not change in it; raises as `unchanged` does."""
    before = state_of(os.stat(path))
    with _core.MappingWatch():
        try:
            yield
        except Exception as error:
            _check_after(lambda: check_state(path, before), error)
            raise
    check_state(path, before)


def check_maps(maps: list[GuardedMap]) -> None:
    """ChangedFileError, as `GuardedMap.check`."""
    for found in maps:
        found.check()


def maps_of(values: object) -> list[GuardedMap]:
    """The mapped files in which arrays of these parameters lie."""
    living = living_maps()
    found: dict[int, GuardedMap] = {}
    if living:
        _collect(values, living, found)
    return list(found.values())


def _check_after(check: Callable[[], None], error: Exception) -> None:
    try:
        check()
    except ChangedFileError as changed:
        raise changed from error


def _collect(value: Any, living: list[GuardedMap], found: dict[int, GuardedMap]) -> None:
    if isinstance(value, GuardedMap):
        found[id(value)] = value
    elif isinstance(value, list | tuple):
        for part in value:
            _collect(part, living, found)
    elif isinstance(value, dict):
        _collect_arrays(value, living, found)
    elif isinstance(value, Mapping):
        # Views of other parameters and parameters of a file name their sources; any other would be computed here.
        _collect(getattr(value, "sources", ()), living, found)


def _collect_arrays(params: dict[Any, Any], living: list[GuardedMap], found: dict[int, GuardedMap]) -> None:
    for array in params.values():
        address = address_of(array)
        if address is not None:
            found.update((id(each), each) for each in living if each.holds(address))
