"""Array libraries behind one interface, found by type among those the user brought; none is imported here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.arrays.generic import GenericArrays
from rebasin_fast.arrays.interface import ArrayLibrary
from rebasin_fast.arrays.torch import TorchArrays

if TYPE_CHECKING:
    from rebasin_fast.typing import Array

__all__ = ["ArrayLibrary", "check_arrays", "check_mapping", "library_of", "of_one_library"]

# The first that recognises an array handles it; a new library is one file and one line here.
_LIBRARIES: tuple[ArrayLibrary, ...] = (TorchArrays(), GenericArrays())


def library_of(array: Array) -> ArrayLibrary:
    """The library that ``array`` belongs to; TypeError for something that is no array."""
    for library in _LIBRARIES:
        if library.owns(array):
            return library
    raise TypeError(
        f"expected an array (NumPy, torch, JAX, CuPy), got {type(array).__module__}.{type(array).__qualname__}"
    )


def check_mapping(params: object, what: str) -> None:
    """TypeError unless ``params`` is a mapping; a model in its place is the usual mistake."""
    if not isinstance(params, Mapping):
        hint = "; pass model.state_dict()" if hasattr(params, "state_dict") else ""
        raise TypeError(f"{what} are a mapping of names to arrays, got {type(params).__qualname__}{hint}")


def of_one_library(arrays: Sequence[Array]) -> list[Array]:
    """``arrays`` with those of other libraries brought, in float64, to that of the first by way of the host."""
    library = library_of(arrays[0])
    return [array if library.owns(array) else library.adopt(_wide_on_host(array)) for array in arrays]


def _wide_on_host(array: Array) -> NDArray[np.float64]:
    library = library_of(array)
    host: NDArray[np.float64] = library.to_host(library.widen(array))
    return host


def check_arrays(params: object, what: str) -> None:
    """TypeError, naming the entry, unless ``params`` is a mapping whose every value has a shape."""
    check_mapping(params, what)
    assert isinstance(params, Mapping)
    for name, array in params.items():
        if hasattr(array, "shape"):
            continue
        inner = f"; if these are the parameters, pass params[{name!r}]" if isinstance(array, Mapping) else ""
        raise TypeError(
            f"{what}: {name!r} is no array but a {type(array).__qualname__}{inner}. Leave out what is not an array"
        )
