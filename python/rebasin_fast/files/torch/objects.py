"""The objects of a torch checkpoint as its pickle describes them: tensors, dictionaries, and the rest."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._arrays.elements import ELEMENT_TYPES
from ..._untrusted import brief
from ...errors import FileFormatError
from ..mapped import DAMAGED, MAX_NDIM, MappedFile, checked_shape
from .container import View, code_of_dtype
from .pickle_reader import Call, Global, checked_key

_MAX_EXPANDED = 1 << 22
_MAX_NODES = 100_000
_MAX_NODES_OF_FILE = 2_000_000
_MAX_DEPTH = 30


@dataclass(frozen=True)
class Tensor:
    """A tensor in the file; offset in bytes from the file's beginning, strides in elements.

    `conjugate` and `negative` are torch's lazy bits: the operation is still pending on the elements of the storage.
    """

    code: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    conjugate: bool = False
    negative: bool = False

    @property
    def lazy(self) -> bool:
        """Whether the elements differ from those of the storage."""
        return self.conjugate or self.negative

    def load(self, file: MappedFile, code: str) -> NDArray[Any]:
        """The elements, a view of the file unless they are lazy; `code` may name a carrier of the bytes."""
        array = file.array(code, self.shape, self.offset, self.strides)
        if self.conjugate:
            array = np.conjugate(array)
        if not self.negative:
            return array
        if code != self.code:
            # Floating-point numbers inside integers: only their first bit is the sign.
            flipped: NDArray[Any] = array ^ np.array(
                1 << (8 * array.itemsize - 1), f"u{array.itemsize}"
            ).view(array.dtype)
            return flipped
        result: NDArray[Any] = np.negative(array)
        return result


class UnsupportedObject(Exception):  # noqa: N818 - a signal between two functions, not an error of the user
    """An object other than numbers, text and containers of them; the message names it."""


def as_mapping(node: Any) -> dict[Any, Any] | None:
    """The items of a dict or OrderedDict; None for anything else."""
    if isinstance(node, dict):
        return node
    if not isinstance(node, Call):
        return None
    if node.mapping is None and str(node.function) == "collections.OrderedDict":
        pairs = node.args[0] if node.args and isinstance(node.args[0], list) else []
        node.work.take(len(pairs) + len(node.items))
        items = [(checked_key(p[0]), p[1]) for p in pairs if isinstance(p, list | tuple) and len(p) == 2]
        node.mapping = dict([*items, *node.items])
    return node.mapping


def is_tensor(node: Any) -> bool:
    """Whether it describes a tensor or parameter of any kind."""
    if not isinstance(node, Call) or not isinstance(node.function, Global):
        return False
    return node.function.module in ("torch._utils", "torch._tensor") and node.function.name.startswith(
        "_rebuild_"
    )


def tensor(node: Call, file: MappedFile, where: str) -> Tensor:
    """Check the description of a tensor.

    Raises
    ------
    FileFormatError
        It is sparse or quantised, reaches outside of its storage, or is far larger than the file.
    """
    name, args = node.function.name, node.args
    try:
        if name in ("_rebuild_parameter", "_rebuild_parameter_with_state"):
            return tensor(args[0], file, where)
        if name == "_rebuild_from_type_v2":
            return tensor(Call(args[0], _tuple(args[2])), file, where)
        if name in ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3"):
            view, start, shape, strides = args[:4]
            newer = name == "_rebuild_tensor_v3"
            code = code_of_dtype(args[6], where) if newer else view.storage.code
            found = _checked(view, code, start, _tuple(shape), _tuple(strides), file, where)
            return _with_lazy_bits(found, args[7:8] if newer else args[6:7], where)
    except (IndexError, AttributeError, TypeError, RecursionError) as error:
        raise FileFormatError(f"{where} is described wrongly ({error}). {DAMAGED}") from error
    kind = name.removeprefix("_rebuild_").replace("_", " ")
    raise FileFormatError(
        f"{where} is a {kind}, not a dense tensor. Save it dense: t.to_dense() or t.dequantize()."
    )


def _with_lazy_bits(found: Tensor, metadata: tuple[Any, ...], where: str) -> Tensor:
    """A tensor with its bits: torch saves a view by ``conj()`` or ``imag`` as its storage and the pending operation."""
    notes = (as_mapping(metadata[0]) or {}) if metadata else {}
    conjugate, negative = (notes.get(bit, False) for bit in ("conj", "neg"))
    if not all(isinstance(bit, bool) for bit in (conjugate, negative)) or notes.keys() - {"conj", "neg"}:
        raise FileFormatError(
            f"{where} has the notes {brief(notes)}; expected the bits conj and neg of torch. Save it again with "
            "its values resolved: t.resolve_conj().resolve_neg().clone()"
        )
    impossible = (
        "conj" if conjugate and not found.code.startswith("C") else "neg" if found.code == "BOOL" else ""
    )
    if impossible and notes.get(impossible):
        raise FileFormatError(f"{where}: the bit {impossible} does not fit its element type. {DAMAGED}")
    return replace(found, conjugate=conjugate, negative=negative)


def _tuple(found: Any) -> tuple[Any, ...]:
    """A tuple, or that of a torch.Size or short list; a long list, shared by many tensors, would be copied for each."""
    if isinstance(found, Call) and str(found.function) == "torch.Size":
        found = found.args[0]
    if not isinstance(found, tuple) and not (isinstance(found, list) and len(found) <= MAX_NDIM):
        raise TypeError(f"{brief(found)} is no tuple")
    return tuple(found)


def _checked(
    view: View,
    code: str,
    start: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    file: MappedFile,
    where: str,
) -> Tensor:
    shape = checked_shape(shape, where)
    if len(strides) != len(shape) or not all(type(n) is int and n >= 0 for n in (start, *strides)):
        raise FileFormatError(f"{where}: strides {brief(strides)} do not fit its shape {shape}. {DAMAGED}")
    itemsize = ELEMENT_TYPES[code].itemsize
    count = math.prod(shape)
    last = start + sum((n - 1) * step for n, step in zip(shape, strides, strict=True)) if count else start - 1
    end = view.start + (last + 1) * itemsize
    if end > view.storage.nbytes:
        raise FileFormatError(f"{where}: shape {shape} reaches outside of its storage. {DAMAGED}")
    if count * itemsize > max(file.size, _MAX_EXPANDED):
        raise FileFormatError(f"{where}: shape {shape} is far larger than the file that holds it. {DAMAGED}")
    return Tensor(code, shape, strides, view.storage.offset + view.start + start * itemsize)


class PlainObjects:
    """The notes of one file, copied: objects of numbers, text and containers of them.

    An object that stands in a thousand places is copied a thousand times, so the copies of a file are counted.
    """

    def __init__(self) -> None:
        self.left = _MAX_NODES_OF_FILE

    def of(self, node: Any) -> Any:
        """The object itself, without anything of the reader's.

        Raises
        ------
        UnsupportedObject
            It holds a tensor or an object of some class, or is too large to be a note beside weights.
        """
        budget = [min(_MAX_NODES, self.left)]
        try:
            return _plain(node, budget, 0)
        finally:
            self.left -= min(_MAX_NODES, self.left) - max(0, budget[0])


def _plain(node: Any, budget: list[int], depth: int) -> Any:
    budget[0] -= 1
    if budget[0] < 0 or depth > _MAX_DEPTH:
        raise UnsupportedObject("it is nested too deeply or too large")
    if node is None or isinstance(node, bool | int | float | str | bytes | complex):
        return node
    if isinstance(node, list | tuple | set):
        return type(node)(_plain(item, budget, depth + 1) for item in node)
    mapping = as_mapping(node)
    if mapping is not None:
        items = [(_plain(k, budget, depth + 1), _plain(v, budget, depth + 1)) for k, v in mapping.items()]
        return dict(items) if isinstance(node, dict) else OrderedDict(items)
    if is_tensor(node):
        raise UnsupportedObject("it holds tensors that do not move with the units")
    if isinstance(node, Call):
        raise UnsupportedObject(f"it is an object of {node.function}, which is not executed")
    raise UnsupportedObject(
        f"it is {node}, which is not executed" if isinstance(node, Global) else "it is no plain data"
    )
