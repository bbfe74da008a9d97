"""Example inputs with their long axes cut, for proofs that run a model many times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

# Axes up to this length are left as they are.
LONG = 1024
_MULTIPLE = 64  # of what is left, for strides and patches


def shortened(inputs: Any, lengths: Iterable[int]) -> Iterator[Any]:
    """The inputs with their longest axis cut to an eighth, a quarter, a half; nothing where no axis is long.

    ``lengths`` are those of the axes of parameters: what is cut stays longer than any of them, since a table of
    positions must be read as far as it was.
    """
    import torch
    from torch.utils._pytree import tree_flatten, tree_map_only

    leaves, _ = tree_flatten(inputs)
    sizes = {size for leaf in leaves if isinstance(leaf, torch.Tensor) for size in leaf.shape}
    longest, least = max(sizes, default=0), max(lengths, default=0)
    if longest <= LONG:
        return

    def cut(tensor: Any, length: int) -> Any:
        for axis, size in enumerate(tensor.shape):
            if size == longest:
                tensor = tensor.narrow(axis, 0, length)
        return tensor

    for share in (8, 4, 2):
        length = -(-longest // (share * _MULTIPLE)) * _MULTIPLE
        if least < length < longest:
            yield tree_map_only(torch.Tensor, partial(cut, length=length), inputs)
