"""What the writers need to know of an array, whichever library it comes from (none is imported for it)."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingDependencyError, ParamsError
from .dtypes import CODE_OF_NUMPY, CODE_OF_TORCH, ELEMENT_TYPES, numpy_dtype, opaque_code


def is_torch(array: object) -> bool:
    """Whether it is a torch tensor or parameter, told by the names of its classes."""
    return any(c.__name__ == "Tensor" and c.__module__ == "torch" for c in type(array).__mro__)


def element_code(array: Any, name: str) -> str:
    """Tell the element type of an array as a key of `ELEMENT_TYPES`.

    Raises
    ------
    ParamsError
        For types that no format here can hold (objects, strings, quantised, sparse).
    """
    if is_torch(array):
        if str(array.layout) != "torch.strided" or array.is_quantized:
            raise ParamsError(
                f"parameter {name!r} is a {array.layout} tensor; make it dense first: t.to_dense()"
            )
        code = CODE_OF_TORCH.get(str(array.dtype).removeprefix("torch."))
        found = str(array.dtype)
    else:
        dtype = getattr(array, "dtype", None)
        found = str(np.asarray(array).dtype if dtype is None else dtype)
        code = CODE_OF_NUMPY.get(found.removeprefix("<").removeprefix(">"))
        if code is None:
            code = CODE_OF_NUMPY.get(np.asarray(array).dtype.name)
    if code is None:
        raise ParamsError(
            f"parameter {name!r} has element type {found}, which cannot be written "
            f"(possible: {', '.join(e.numpy for e in ELEMENT_TYPES.values())}). Convert it first."
        )
    return code


def shape_of(array: Any) -> tuple[int, ...]:
    """Give the shape as plain integers."""
    return tuple(int(n) for n in np.shape(array)) if not is_torch(array) else tuple(array.shape)


def to_numpy(array: Any) -> NDArray[Any]:
    """Give the array as NumPy's, without a copy where it lies in this machine's memory."""
    if is_torch(array):
        tensor = array.detach().cpu().resolve_conj().resolve_neg()
        code = CODE_OF_TORCH[str(tensor.dtype).removeprefix("torch.")]
        if opaque_code(code) != code:
            return raw_bytes(tensor).view(numpy_dtype(code)).reshape(tuple(tensor.shape))
        result: NDArray[Any] = tensor.numpy()
        return result
    if hasattr(array, "__cuda_array_interface__") and hasattr(array, "get"):
        array = array.get()
    return np.asarray(array)


def to_torch(array: NDArray[Any], code: str) -> Any:
    """Turn a NumPy array, maybe of integers that carry the bytes, into a tensor of type `code`.

    Shares memory where the array may be written to; a read-only one is copied, because torch knows no such
    thing and a write to a mapped file would end the process.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingDependencyError(
            "torch tensors were asked for, and torch is not installed. Install it: pip install "
            "'rebasin-fast[torch]'"
        ) from error
    carrier = np.dtype(ELEMENT_TYPES[opaque_code(code)].numpy)
    plain = array.astype(array.dtype.newbyteorder("="), copy=False).view(carrier)
    if not plain.flags.writeable or any(step < 0 for step in plain.strides):
        plain = plain.copy()
    tensor = torch.from_numpy(plain)
    return tensor if opaque_code(code) == code else tensor.view(getattr(torch, ELEMENT_TYPES[code].torch))


def raw_bytes(array: Any) -> NDArray[np.uint8]:
    """Give the elements in C order, little endian, as bytes; a copy only where the layout differs."""
    if is_torch(array):
        import torch

        tensor = array.detach().cpu().resolve_conj().resolve_neg().contiguous()
        # Not reshape(-1): axes of length 0 and 1 may have any stride, which view() would then refuse.
        flat = tensor.as_strided((tensor.numel(),), (1,), tensor.storage_offset())
        result: NDArray[np.uint8] = flat.view(torch.uint8).numpy()
        return result
    plain = to_numpy(array)
    little = plain.dtype.newbyteorder("<")
    return np.ascontiguousarray(plain, dtype=little).reshape(-1).view(np.uint8)


def cast(array: Any, code: str, name: str) -> Any:
    """Convert floating elements to another floating type, but no number to infinity."""
    found = element_code(array, name)
    target = ELEMENT_TYPES[code]
    if found == code or not (target.floating and ELEMENT_TYPES[found].floating):
        return array
    if is_torch(array):
        import torch

        result = array.detach().to(getattr(torch, target.torch))
        wide = array.detach() if found == "F64" else array.detach().float()
        lost = bool((~torch.isfinite(result.float()) & torch.isfinite(wide)).any())
    else:
        plain = to_numpy(array)
        with np.errstate(over="ignore", invalid="ignore"):
            result = plain.astype(numpy_dtype(code))
            lost = bool((~np.isfinite(result.astype(np.float32)) & np.isfinite(plain)).any())
    if lost:
        raise ParamsError(
            f"parameter {name!r} holds numbers too large for {target.numpy}, the type it had in the input. "
            "Save without like= to keep its present type."
        )
    return result


def identity(array: Any) -> Hashable:
    """Equal for two arrays that are the same elements of the same memory: tied parameters."""
    if is_torch(array):
        if array.numel() == 0:
            return id(array)
        lazy = (array.is_conj(), array.is_neg())  # the same memory, read as other numbers
        return (
            str(array.device),
            array.data_ptr(),
            tuple(array.shape),
            array.stride(),
            str(array.dtype),
            lazy,
        )
    if isinstance(array, np.ndarray) and array.size:
        address = array.__array_interface__["data"][0]
        return ("cpu", address, array.shape, array.strides, array.dtype.str)
    return id(array)


def find_ties(arrays: Mapping[str, Any]) -> dict[str, str]:
    """Which names are other names of an earlier array: ``{later name: first name}``.

    Parameters
    ----------
    arrays : mapping
        Must keep its arrays alive (a dict does), because memory is compared.
    """
    first: dict[Hashable, str] = {}
    ties: dict[str, str] = {}
    for name, array in arrays.items():
        kept = first.setdefault(identity(array), name)
        if kept != name:
            ties[name] = kept
    return ties


def equal(a: Any, b: Any) -> bool:
    """Bitwise equality of elements, shape and type."""
    if a is b or identity(a) == identity(b):
        return True
    same = shape_of(a) == shape_of(b) and element_code(a, "") == element_code(b, "")
    return same and bool(np.array_equal(raw_bytes(a), raw_bytes(b)))
