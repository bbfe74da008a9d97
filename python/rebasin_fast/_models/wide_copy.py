"""Copies of torch models: as they are, and in float64 and complex128 for trials."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any


def model_copy(model: Any) -> Any:
    """A deep copy of ``model``, also after it has computed.

    Hook-based reparametrisations (``weight_norm``, ``spectral_norm``, pruning) keep the weight that they computed
    last as an attribute. torch does not copy such a tensor with its history; here it is copied without it, and the
    hook computes it again at the next call.
    """
    return copy.deepcopy(model, dict(_detached(model)))


def wide_copy(model: Any) -> Any:
    """A copy of ``model`` in eval mode whose parameters and buffers have the widest type of their kind."""
    copied = model_copy(model).double()
    for module in copied.modules():
        for tensors in (module._parameters, module._buffers):
            for name, tensor in tensors.items():
                if tensor is not None and tensor.is_complex():
                    tensors[name] = _as_complex128(tensor)
    return copied.eval()


def _detached(model: Any) -> Iterator[tuple[int, Any]]:
    """The copies that ``copy.deepcopy`` is to take for tensors with a history."""
    import torch

    stack = [value for module in model.modules() for value in vars(module).values()]
    while stack:
        value = stack.pop()
        if isinstance(value, torch.Tensor):
            if not value.is_leaf:
                yield id(value), value.detach().clone()
        elif isinstance(value, Mapping):
            stack.extend(value.values())
        elif isinstance(value, list | tuple):
            stack.extend(value)


def _as_complex128(tensor: Any) -> Any:
    import torch

    wide = tensor.detach().to(torch.complex128)
    return torch.nn.Parameter(wide, tensor.requires_grad) if isinstance(tensor, torch.nn.Parameter) else wide
