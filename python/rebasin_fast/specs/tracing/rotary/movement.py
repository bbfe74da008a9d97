"""Views, carried out on arrays that stand for tensors: an axis has its length, or 1 where the index is left open."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.specs.tracing.symmetries.handlers import packet

if TYPE_CHECKING:
    from rebasin_fast.specs.tracing.record import Executed

Numbers = NDArray[np.int64]
LARGEST = 1 << 18

SAME = {"to", "_to_copy", "clone", "contiguous", "detach", "alias", "float", "double", "half", "bfloat16", "type_as",
        "lift_fresh_copy"}  # fmt: skip
_RESHAPED = {"view", "reshape", "_unsafe_view", "flatten", "unflatten", "view_as", "reshape_as", "ravel",
             "_reshape_alias", "unsqueeze", "squeeze"}  # fmt: skip
_PARTED = {"split", "split_with_sizes", "chunk", "unsafe_split", "unsafe_chunk", "unsafe_split_with_sizes"}
_PERMUTED = {"permute", "transpose", "swapaxes", "swapdims", "movedim", "t", "mT", "numpy_T"}


def moved(executed: Executed, numbers: Numbers) -> list[Numbers] | None:
    """The arrays of the results of a view; None for other operations, and where an open index is cut."""
    name, call = packet(executed.call.operation), executed.call
    before = executed.arguments[0].value.shape
    after = [result.value.shape for result in executed.results]
    if name in SAME:
        return [numbers]
    if name in _RESHAPED:
        reshaped = _reshaped(numbers, before, after[0])
        return None if reshaped is None else [reshaped]
    if name in _PERMUTED:
        return [_permuted(name, call.arguments, numbers)]
    if name in ("expand", "broadcast_to", "expand_as"):
        return [_expanded(numbers, before, after[0])]
    if name == "repeat_interleave" and isinstance(call["repeats"], int) and call["dim"] is not None:
        axis = call["dim"] % len(before)
        whole = numbers.shape[axis] == before[axis]
        return [np.repeat(numbers, call["repeats"], axis)] if whole else None
    pieces = _pieces(name, call.arguments, before, after)
    if pieces is None:
        return None
    axis, chosen = pieces
    if numbers.shape[axis] != before[axis]:
        return [numbers] if len(chosen) == 1 and after[0] == before else None
    return [numbers[(slice(None),) * axis + (piece,)] for piece in chosen]


def _reshaped(numbers: Numbers, before: Sequence[int], after: Sequence[int]) -> Numbers | None:
    """None where a run of axes that are merged or cut holds an open one."""
    shape: list[int] = []
    i = j = 0
    while i < len(before) or j < len(after):
        start = i
        n, m = before[i : i + 1], after[j : j + 1]
        i, j = min(i + 1, len(before)), min(j + 1, len(after))
        while (size := int(np.prod(n))) != (other := int(np.prod(m))):
            if size < other:
                n, i = (*n, before[i]), i + 1
            else:
                m, j = (*m, after[j]), j + 1
        held = numbers.shape[start:i]
        if tuple(held) == tuple(n):
            shape += m
        elif all(length == 1 for length in held) or (len(n) == len(m) == 1):
            shape += [1] * len(m)
        else:
            return None
    return numbers.reshape(shape)


def _permuted(name: str, arguments: Any, numbers: Numbers) -> Numbers:
    found: Numbers
    if name == "permute":
        found = numbers.transpose([axis % numbers.ndim for axis in arguments["dims"]])
    elif name == "movedim":
        found = np.moveaxis(numbers, arguments["source"], arguments["destination"])
    elif name in ("t", "numpy_T"):
        found = numbers.T
    elif name == "mT":
        found = numbers.swapaxes(-1, -2)
    else:
        axes = [arguments[key] for key in ("dim0", "dim1", "axis0", "axis1") if key in arguments]
        found = numbers.swapaxes(*axes)
    return found


def _expanded(numbers: Numbers, before: Sequence[int], after: Sequence[int]) -> Numbers:
    """Axes of one entry are repeated, unless that makes a large array; then their index is left open."""
    added = len(after) - len(before)
    numbers = numbers.reshape((1,) * added + numbers.shape)
    lengths: tuple[int, ...] = numbers.shape
    shape: list[int] = [
        new if old == 1 else length
        for old, new, length in zip((1,) * added + tuple(before), after, lengths, strict=True)
    ]
    small = np.prod(shape) <= LARGEST
    return np.broadcast_to(numbers, shape) if small else numbers


def _pieces(
    name: str, arguments: Any, before: Sequence[int], after: Sequence[Sequence[int]]
) -> tuple[int, list[Any]] | None:
    """The axis that is cut, and what each result holds of it."""
    rank = len(before)
    if name == "slice":
        axis = (arguments["dim"] or 0) % rank
        return axis, [slice(arguments["start"], arguments["end"], arguments["step"])]
    if name == "select":
        return arguments["dim"] % rank, [arguments["index"]]
    if name == "narrow" and isinstance(arguments["start"], int):
        return arguments["dim"] % rank, [slice(arguments["start"], arguments["start"] + arguments["length"])]
    if name == "unbind":
        axis = (arguments["dim"] or 0) % rank
        return axis, list(range(before[axis]))
    if name in _PARTED:
        axis = (arguments["dim"] or 0) % rank
        ends = np.cumsum([0, *(shape[axis] for shape in after)])
        return axis, [slice(start, stop) for start, stop in pairwise(ends)]
    return None
