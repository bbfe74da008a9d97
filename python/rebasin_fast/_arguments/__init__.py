"""Arguments of public functions, checked at the border: the name, the value found, the value expected.

:func:`checked` checks all that a signature says; the others one argument each, with its range.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._arguments import kinds
from rebasin_fast._arguments.checked import check_fields as check_fields
from rebasin_fast._arguments.checked import checked as checked
from rebasin_fast._untrusted import brief


def count(name: str, value: Any, *, least: int = 1, of: str = "a whole number") -> int:
    """``value`` as an int of at least ``least``; bool is no number.

    Raises
    ------
    TypeError
        It is no whole number.
    ValueError
        It is below ``least``, or above every number that a machine counts to.
    """
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} is {of}, {least} or more; got {brief(value)}")
    if not least <= value <= kinds.MOST:
        raise ValueError(f"{name} is {of}, {least} or more; got {brief(int(value))}")
    return int(value)


def optional_count(name: str, value: Any, *, least: int = 1, of: str = "a whole number") -> int | None:
    """As :func:`count`, and None."""
    return None if value is None else count(name, value, least=least, of=of)


def number(
    name: str,
    value: Any,
    *,
    least: float = -math.inf,
    above: float = -math.inf,
    most: float = math.inf,
    of: str = "a number",
) -> float:
    """``value`` as a finite float of at least ``least``, above ``above`` and at most ``most``.

    Raises
    ------
    TypeError
        It is no real number.
    ValueError
        It is NaN, infinite, or out of the range.
    """
    real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not real and getattr(value, "shape", None) == () and getattr(value, "dtype", None) is not None:
        value, real = value.item(), not isinstance(value.item(), bool | complex | str)
    if not real:
        raise TypeError(f"{name} is {of}, got {brief(value)}")
    if not (math.isfinite(value) and value >= least and above < value <= most):
        bound = (
            f" of at least {least:g}"
            if least > -math.inf
            else f" above {above:g}"
            if above > -math.inf
            else ""
        )
        bound += f" up to {most:g}" if most < math.inf else ""
        raise ValueError(f"{name} is {of}, finite{bound}; got {brief(value)}")
    return float(value)


def flag(name: str, value: Any) -> bool:
    """``value`` as a bool; TypeError unless it is one, or 0 or 1."""
    if isinstance(value, bool | np.bool_) or (isinstance(value, int | np.integer) and value in (0, 1)):
        return bool(value)
    raise TypeError(f"{name} is True or False, got {brief(value)}")


def choice(name: str, value: Any, allowed: Sequence[str]) -> str:
    """``value``; ValueError unless it is one of the ``allowed`` texts."""
    if isinstance(value, str) and value in allowed:
        return value
    raise ValueError(f"{name} is {' or '.join(map(repr, allowed))}; got {brief(value)}")


def generator(name: str, value: Any) -> np.random.Generator:
    """``numpy.random.default_rng(value)``; ValueError for a value that seeds none."""
    try:
        if not kinds.is_seed(value):
            raise ValueError
        return np.random.default_rng(value)
    except ValueError:
        raise ValueError(
            f"{name} is a seed (a whole number of 0 or more), a numpy.random.Generator or None; got {brief(value)}"
        ) from None


def array(name: str, value: Any, of: str) -> NDArray[Any]:
    """``value`` as an array of NumPy; TypeError where there is no such array, as of a tensor on the meta device."""
    try:
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"{name} is {of}: {error}") from None


def function(name: str, value: Any) -> Any:
    """``value``; TypeError unless it can be called."""
    if not callable(value) or isinstance(value, type):
        raise TypeError(f"{name} is a function, got {brief(value)}")
    return value


def stream(name: str, value: Any, of: str, *, functions: bool = True) -> Any:
    """``value``; TypeError unless it is an iterable of ``of``, or, with ``functions``, a function that gives one."""
    iterable = isinstance(value, Iterable) and not isinstance(value, str | bytes | type)
    if not iterable and not (functions and callable(value) and not isinstance(value, type)):
        also = " or a function that gives one" if functions else ""
        raise TypeError(
            f"{name} is an iterable of {of}, such as a list or a DataLoader{also}; got {brief(value)}"
        )
    return value


def names(name: str, value: Any, *, least: int = 1) -> list[str]:
    """``value`` as a list of different, non-empty texts.

    Raises
    ------
    TypeError
        It is no sequence of texts.
    ValueError
        It has fewer than ``least``, or one twice.
    """
    axes = len(getattr(value, "shape", (0,)))
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable) or axes != 1:
        raise TypeError(f"{name} is a list of names, got {brief(value)}")
    found = list(value)
    if not all(isinstance(item, str) and item for item in found):
        raise TypeError(f"{name} is a list of names, got {brief(found)}")
    twice = next((item for item, times in Counter(found).items() if times > 1), None)
    if len(found) < least or twice is not None:
        fault = f"{twice!r} occurs twice" if twice is not None else f"got {len(found)}"
        raise ValueError(f"{name} is a list of at least {least} different names; {fault}")
    return found


def path(name: str, value: Any) -> Path:
    """``value`` as a path.

    Raises
    ------
    TypeError
        It is no text and no path.
    ValueError
        It is empty or holds a NUL, so that no file has the name.
    """
    if not isinstance(value, str | os.PathLike) or not isinstance(os.fspath(value), str):
        raise TypeError(f"{name} is a path (text or pathlib.Path), got {brief(value)}")
    if not os.fspath(value) or "\0" in os.fspath(value):
        raise ValueError(f"{name} is a path, and {brief(os.fspath(value))} is the name of no file")
    return Path(value)


def vector(name: str, value: Any) -> NDArray[np.float64]:
    """``value`` as a vector of float64.

    Raises
    ------
    TypeError
        It is no array of real numbers.
    ValueError
        It has other than one axis.
    """
    try:
        array = np.asarray(value)
        numbers = array.dtype.kind in "iuf" or array.size == 0
    except (TypeError, ValueError, RuntimeError):
        numbers = False
    if not numbers:
        raise TypeError(f"{name} is a vector of numbers, got {brief(value)}")
    if array.ndim != 1:
        raise ValueError(f"{name} is a vector of numbers, got an array of shape {array.shape}")
    return array.astype(np.float64, copy=False)


def texts(name: str, value: Any) -> dict[str, str]:
    """``value`` as a dict; TypeError unless it maps texts to texts."""
    if not isinstance(value, Mapping) or not all(isinstance(t, str) for item in value.items() for t in item):
        raise TypeError(f"{name} maps text to text, such as {{'step': '7'}}; got {brief(value)}")
    return dict(value)
