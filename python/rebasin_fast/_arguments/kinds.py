"""Whether a value is of a kind: the predicates behind annotations.

Each gives False for a value of another type, and raises ValueError, with the part at fault, for a value that has the
right type and makes no sense. Classes of this package and of libraries are known by their names: nothing is imported
for a check.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sized
from typing import Any

import numpy as np

from rebasin_fast._untrusted import brief
from rebasin_fast.errors import ParamsError

Fits = Callable[[Any], bool]
MOST = 2**62  # what a machine counts to


def is_whole(value: Any, least: int = 0) -> bool:
    """A whole number of at least ``least``, no bool, at most what a machine counts to."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        return False
    if not least <= value <= MOST:
        raise ValueError(brief(int(value)))
    return True


def is_flag(value: Any) -> bool:
    """True or False, or 0 or 1."""
    return isinstance(value, bool | np.bool_) or (isinstance(value, int | np.integer) and value in (0, 1))


def is_real(value: Any) -> bool:
    """A real number, NaN and infinity too, but no bool; arrays without axes too."""
    if not isinstance(value, int | float | np.integer | np.floating):
        if getattr(value, "shape", None) != () or not hasattr(value, "item") or is_without_numbers(value):
            return False
        value = value.item()
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """A finite real number, as :func:`is_real`."""
    if not is_real(value):
        return False
    value = value if isinstance(value, int) else float(value)
    if (isinstance(value, int) and abs(value) > MOST) or not math.isfinite(value):
        raise ValueError(brief(value))
    return True


def is_without_numbers(value: Any) -> bool:
    """A tensor on the meta device, or a sparse one."""
    device, layout = getattr(value, "device", None), str(getattr(value, "layout", ""))
    return getattr(device, "type", "") == "meta" or (
        layout.startswith("torch.") and layout != "torch.strided"
    )


def are_numbers(value: Any) -> bool:
    """Finite real numbers, as an array of any shape."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError):
        return False
    if array.dtype.kind not in "iuf" or is_without_numbers(value):
        return False
    if not np.isfinite(array).all():
        raise ValueError("NaN or infinite ones")
    return True


def is_text(value: Any) -> bool:
    """A text."""
    return isinstance(value, str)


def is_path(value: Any) -> bool:
    """A text or a path, which can be the name of a file."""
    if not isinstance(value, str | os.PathLike) or not isinstance(os.fspath(value), str):
        return False
    name = os.fspath(value)
    if not name or "\0" in name:
        raise ValueError(f"{brief(name)}, the name of no file")
    return True


def is_mapping(value: Any) -> bool:
    """A mapping whose names are texts; what they map to is checked where it is read."""
    if not isinstance(value, Mapping):
        return False
    strange = next((name for name in value if not isinstance(name, str)), None)
    if strange is not None:
        raise ValueError(f"{brief(strange)} among its names, which are texts")
    return True


def is_params(value: Any) -> bool:
    """A mapping of names of parameters; ParamsError for a name that is no text."""
    if not isinstance(value, Mapping):
        return False
    strange = next((name for name in value if not isinstance(name, str)), None)
    if strange is not None:
        raise ParamsError(f"{brief(strange)}, which is no name of a parameter: a non-empty text is expected")
    return True


def mapping_to(fits: Fits) -> Fits:
    """A mapping of texts to values that are of a kind."""

    def is_one(value: Any) -> bool:
        return is_mapping(value) and _all_fit(value.values(), fits)

    return is_one


def sequence_of(fits: Fits, *, least: int = 0, most: float = math.inf, sets: bool = False) -> Fits:
    """Values of a kind in an order, at least so many; with ``sets`` in none."""

    def is_one(value: Any) -> bool:
        if isinstance(value, str | bytes | Mapping | type) or (
            isinstance(value, set | frozenset) and not sets
        ):
            return False
        if not isinstance(value, Iterable) or not isinstance(value, Sized):
            return False
        if len(getattr(value, "shape", (0,))) != 1 or is_without_numbers(value):
            return False
        if not least <= len(value) <= most:
            raise ValueError(f"{len(value)} of them")
        return _all_fit(value, fits)

    return is_one


def _all_fit(values: Iterable[Any], fits: Fits) -> bool:
    for item in values:
        if not fits(item):
            raise ValueError(f"{brief(item)} in it")
    return True


def is_function(value: Any) -> bool:
    """Something to call: a class only where its objects take steps, as torch's optimizers do."""
    return callable(value) and (not isinstance(value, type) or hasattr(value, "step"))


def is_stream(value: Any) -> bool:
    """Batches one after the other: no text, no mapping."""
    if isinstance(value, str | bytes | type | Mapping) or getattr(value, "shape", None) == ():
        return False
    return isinstance(value, Iterable)


def is_seed(value: Any) -> bool:
    """A whole number of 0 or more, of any size, a generator of NumPy, or None."""
    if isinstance(value, int | np.integer) and not isinstance(value, bool) and value < 0:
        raise ValueError(brief(int(value)))
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return (
        value is None
        or whole
        or isinstance(value, np.random.Generator | np.random.SeedSequence | np.random.BitGenerator)
    )


def instance_of(*classes: str) -> Fits:
    """An object of a class of one of these names, or of a subclass."""
    return lambda value: any(base.__name__ in classes for base in type(value).__mro__)


def is_place(value: Any) -> bool:
    """A path through the space of parameters, or points in a plane, (k, 2)."""
    return callable(getattr(value, "at", None)) or (
        hasattr(value, "dtype") and len(getattr(value, "shape", ())) == 2
    )


def is_pair_of_models(value: Any) -> bool:
    """Two of the numbers 0, 1 and 2."""
    return sequence_of(lambda item: is_whole(item) and item < 3, least=2, most=2)(value)


def having(method: str) -> Fits:
    """An object with a method, which is no class."""
    return lambda value: callable(getattr(value, method, None)) and not isinstance(value, type)


_is_entry_object = instance_of("Fixed", "Slice", "Product", "Concat", "Joined")


def is_entry(value: Any) -> bool:
    """An entry of an axis."""
    return value is None or is_text(value) or _is_entry_object(value)


def is_shortcut(value: Any) -> bool:
    """The shortcut of a stage of a residual network."""
    if isinstance(value, tuple | list):
        return len(value) == 2 and all(map(is_whole, value))
    return value is None or is_text(value) or is_whole(value)


def is_permutation(value: Any) -> bool:
    """A mapping of names to index arrays, or a result that has one."""
    return is_mapping(getattr(value, "permutation", value))


def choice(allowed: tuple[Any, ...]) -> Fits:
    """One of the values of a ``Literal``."""
    types = {type(one) for one in allowed}

    def is_one(value: Any) -> bool:
        value = int(value) if isinstance(value, np.integer) else value
        if type(value) in types and value not in allowed:
            raise ValueError(brief(value))
        return type(value) in types

    return is_one
