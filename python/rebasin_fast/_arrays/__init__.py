"""Array libraries behind one interface, found by type among those the user brought; none is imported here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from rebasin_fast._arrays.generic import GenericArrays
from rebasin_fast._arrays.interface import ArrayLibrary
from rebasin_fast._arrays.torch import TorchArrays

if TYPE_CHECKING:
    from rebasin_fast.typing import Array

__all__ = ["ArrayLibrary", "check_arrays", "check_mapping", "library_of", "of_one_library", "wide_on_host"]

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
    return [array if library.owns(array) else library.adopt(wide_on_host(array)) for array in arrays]


def wide_on_host(array: Array) -> NDArray[Any]:
    """``array`` as NumPy's, in float64 or complex128."""
    library = library_of(array)
    return library.to_host(library.widen(array))


_TREE = (
    ", and these are a nested tree, as Flax has them: name every array by its path, "
    "flax.traverse_util.flatten_dict(params, sep='/')"
)


def _is_tree(params: Mapping[Any, object]) -> bool:
    """Whether arrays lie at several depths or places, as in a tree of layers, not in one dictionary among others."""
    inner = [value for value in params.values() if isinstance(value, Mapping)]
    flat = [value for value in inner if all(hasattr(array, "shape") for array in value.values())]
    dotted = any("." in str(name) for value in flat for name in value)
    return bool(inner) and not dotted and (len(flat) == len(params) > 1 or any(map(_is_tree, inner)))


def check_arrays(params: object, what: str) -> None:
    """TypeError, naming the entry, unless ``params`` is a mapping whose every value has a shape."""
    check_mapping(params, what)
    assert isinstance(params, Mapping)
    for name, array in params.items():
        if hasattr(array, "shape"):
            continue
        inner = ""
        if isinstance(array, Mapping):
            inner = _TREE if _is_tree(params) else f"; if these are the parameters, pass params[{name!r}]"
        raise TypeError(
            f"{what}: {name!r} is no array but a {type(array).__qualname__}{inner}. Leave out what is not an array"
        )
