"""Example inputs with their long axes cut, for proofs that run a model many times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from math import prod
from typing import Any

from rebasin_fast.specs.tracing.graph import tensors_in

# Axes up to this length are left as they are, the first of a batch excepted.
LEAST = 32
# Least samples of a batch, and least numbers of all inputs: units of small networks may all be off for a few.
_LEAST_BATCH, _LEAST_NUMBERS = 2, 4096
_GROWTH = 4


def shortened(inputs: Any, runs: Callable[[Any], bool]) -> Iterator[Any]:
    """The inputs with every long axis cut as far as ``runs`` allows, the shortest first; nothing where none is long.

    Axes of one length are taken for one and the same, and cut together. Where all tensors have one first axis, it is
    taken for that of a batch. The caller checks that every parameter still has a part in the outputs.
    """
    if _may_fault(inputs):
        return
    least, batch = LEAST, _LEAST_BATCH
    while True:
        cut = _cut_as_far(inputs, least, batch, runs)
        if cut is inputs:
            return
        yield cut
        least, batch = least * _GROWTH, batch * _GROWTH


def _cut_as_far(inputs: Any, least: int, batch: int, runs: Callable[[Any], bool]) -> Any:
    """The inputs with every axis as short as ``runs``, but not shorter than ``least``; ``inputs`` where none is cut."""
    shapes = [tuple(tensor.shape) for tensor in tensors_in(inputs)]
    firsts = {shape[0] if shape else 1 for shape in shapes}
    first = firsts.pop() if len(firsts) == 1 else 0
    numbers = sum(prod(shape) for shape in shapes)
    batch = max(batch, -(-_LEAST_NUMBERS * first // max(numbers, 1)))
    if first > batch:
        # Other axes of this length are not the batch's.
        cut = _mapped(inputs, lambda tensor: tensor.narrow(0, 0, batch))
        if runs(cut):
            inputs = cut
    for size in sorted({size for shape in shapes for size in shape}, reverse=True):
        length = least
        while 4 * length <= 3 * size:
            cut = _mapped(inputs, partial(_narrowed, size=size, length=length))
            if runs(cut):
                inputs = cut
                break
            length *= 2
    return inputs


def _narrowed(tensor: Any, size: int, length: int) -> Any:
    for axis, found in enumerate(tensor.shape):
        if found == size:
            tensor = tensor.narrow(axis, 0, length)
    return tensor


def _mapped(inputs: Any, change: Callable[[Any], Any]) -> Any:
    import torch
    from torch.utils._pytree import tree_map_only

    return tree_map_only(torch.Tensor, change, inputs)


def _may_fault(inputs: Any) -> bool:
    """Whether an index that is out of range would leave a device in a state of error, instead of raising one here."""
    return any(
        tensor.device.type != "cpu" and not (tensor.is_floating_point() or tensor.is_complex())
        for tensor in tensors_in(inputs)
    )
