"""Array libraries behind one interface, recognised by the types of the user's arrays; none is imported here."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from rebasin_fast._arrays.cupy import CupyArrays
from rebasin_fast._arrays.interface import ArrayLibrary, DeviceLibrary
from rebasin_fast._arrays.jax import JaxArrays
from rebasin_fast._arrays.numpy import NumpyArrays
from rebasin_fast._arrays.torch import TorchArrays
from rebasin_fast._untrusted import brief
from rebasin_fast.errors import ParamsError

if TYPE_CHECKING:
    from rebasin_fast.typing import Array

__all__ = [
    "ArrayLibrary",
    "DeviceLibrary",
    "address_of",
    "check_arrays",
    "check_mapping",
    "device_library",
    "find_ties",
    "foreign_library",
    "identity",
    "library_of",
    "numbers_on_host",
    "of_one_library",
    "wide_on_host",
]

_NUMPY, _TORCH, _CUPY, _JAX = NumpyArrays(), TorchArrays(), CupyArrays(), JaxArrays()
# By the root of the module and the name of a class. A new library is one file and one line here.
_LIBRARIES: dict[tuple[str, str], ArrayLibrary] = {
    ("numpy", "ndarray"): _NUMPY,
    ("numpy", "generic"): _NUMPY,
    ("torch", "Tensor"): _TORCH,
    ("cupy", "ndarray"): _CUPY,
    ("jax", "Array"): _JAX,
    ("jax", "ArrayImpl"): _JAX,
    ("jaxlib", "ArrayImpl"): _JAX,
}
_GENERIC = ArrayLibrary()


def library_of(array: Array) -> ArrayLibrary:
    """The library that ``array`` belongs to; TypeError for something that is no array."""
    library = _library_of_type(type(array))
    if library is not None:
        return library
    if all(hasattr(array, method) for method in ("take", "astype", "reshape", "dtype", "shape")):
        return _GENERIC
    raise TypeError(
        f"expected an array (NumPy, torch, JAX, CuPy), got {type(array).__module__}.{type(array).__qualname__}"
    )


def foreign_library(value: object) -> ArrayLibrary | None:
    """The library of a torch, CuPy or JAX array; None for NumPy's arrays, lists and anything else."""
    library = _library_of_type(type(value))
    return None if library is _NUMPY else library


def device_library(value: object) -> DeviceLibrary | None:
    """The library of an array that lies on a CUDA device; None for anything else."""
    library = _library_of_type(type(value))
    return library if isinstance(library, DeviceLibrary) and library.on_device(value) else None


def _library_of_type(kind: object) -> ArrayLibrary | None:
    return _recognised(kind)


@lru_cache(256)
def _recognised(kind: Any) -> ArrayLibrary | None:
    for base in kind.__mro__:
        library = _LIBRARIES.get((base.__module__.partition(".")[0], base.__name__))
        if library is not None:
            return library
    return None


def of_one_library(arrays: Sequence[Array]) -> list[Array]:
    """``arrays`` with those of other libraries converted, in float64 and through the host, to that of the first."""
    first, library = arrays[0], library_of(arrays[0])
    return [
        array if library_of(array) is library else library.put(first, wide_on_host(array)) for array in arrays
    ]


def wide_on_host(array: Array) -> NDArray[Any]:
    """``array`` as NumPy's, in float64 or complex128; not to be changed, since it may be ``array`` itself."""
    wide: NDArray[Any] = _NUMPY.widen(numbers_on_host(array))
    return wide


def numbers_on_host(array: Array) -> NDArray[Any]:
    """``array`` as NumPy's, without a copy where it lies in host memory; bfloat16 widened to float32."""
    return library_of(array).numbers(array)


def identity(array: Array) -> Hashable:
    """Equal for two living arrays that are the same elements of the same memory: tied parameters."""
    library = _library_of_type(type(array))
    return id(array) if library is None else library.identity(array)


def address_of(array: object) -> int | None:
    """Where the elements of an array of NumPy or torch lie in host memory; None for anything else."""
    library = _library_of_type(type(array))
    return None if library is None else library.address(array)


def find_ties(arrays: Mapping[str, Array]) -> dict[str, str]:
    """Which names are other names of an earlier array: ``{later name: first name}``.

    ``arrays`` must keep its arrays alive (a dict does), because memory is compared.
    """
    first: dict[Hashable, str] = {}
    kept = {name: first.setdefault(identity(array), name) for name, array in arrays.items()}
    return {name: earlier for name, earlier in kept.items() if earlier != name}


def check_mapping(params: object, what: str) -> None:
    """TypeError unless ``params`` is a mapping; a model in its place is the usual mistake."""
    if not isinstance(params, Mapping):
        hint = "; pass model.state_dict()" if hasattr(params, "state_dict") else ""
        raise TypeError(f"{what} are a mapping of names to arrays, got {type(params).__qualname__}{hint}")
    for name in params:
        if not isinstance(name, str):
            raise ParamsError(
                f"{what}: {brief(name)} is no name of a parameter: a non-empty text is expected"
            )


def check_arrays(params: object, what: str) -> None:
    """TypeError, naming the entry, unless ``params`` is a mapping whose every value has a shape.

    ParamsError for a sparse tensor.
    """
    check_mapping(params, what)
    assert isinstance(params, Mapping)
    for name, array in params.items():
        if hasattr(array, "shape"):
            layout = str(getattr(array, "layout", ""))
            if layout.startswith("torch.") and layout != "torch.strided":
                raise ParamsError(f"{what}: {name!r} is a {layout} tensor; make it dense first: t.to_dense()")
            continue
        inner = ""
        if isinstance(array, Mapping):
            inner = _TREE if _is_tree(params) else f"; if these are the parameters, pass params[{name!r}]"
        raise TypeError(
            f"{what}: {name!r} is no array but a {type(array).__qualname__}{inner}. Leave out what is not an array"
        )


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
