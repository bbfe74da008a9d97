"""Copies of torch models, and trials in float64 throughout, also where code casts to a shorter type."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

_NOISE = 0.6  # every draw of a random number in a trial


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


def widened() -> AbstractContextManager[Any]:
    """Within it, torch gives float64 or complex128 wherever a shorter type of that kind is asked for by name.

    Norms and attention of many models cast to float32 and back. In a float64 copy that rounds, to 1e-7, where sums
    in another order should agree to 1e-13.
    """
    import torch
    from torch.overrides import TorchFunctionMode
    from torch.utils._pytree import tree_map_only

    wide = dict.fromkeys((torch.float16, torch.bfloat16, torch.float32), torch.float64)
    wide |= dict.fromkeys((torch.complex32, torch.complex64), torch.complex128)
    shortening = {torch.Tensor.half, torch.Tensor.bfloat16, torch.Tensor.float}
    shortening_complex = {getattr(torch.Tensor, name) for name in ("chalf", "cfloat")}

    grouped_products = {getattr(torch, "_grouped_mm", None), getattr(torch.nn.functional, "grouped_mm", None)}

    class Widened(TorchFunctionMode):
        def __torch_function__(
            self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
        ) -> Any:
            if function in shortening:
                return args[0].double()
            if function in shortening_complex:
                return args[0].to(torch.complex128)
            if function in grouped_products and args[0].dtype == torch.float64:
                return _grouped_product(*args, **(kwargs or {}))
            arguments = (args, kwargs or {})
            args, kwargs = tree_map_only(torch.dtype, lambda dtype: wide.get(dtype, dtype), arguments)
            return function(*args, **kwargs)

    mode: AbstractContextManager[Any] = Widened()
    return mode


def _grouped_product(rows: Any, weights: Any, offs: Any, **_: Any) -> Any:
    """Each run of rows times the weight of its group: torch has no such product in float64."""
    product = rows.new_zeros(rows.shape[0], weights.shape[-1])
    start = 0
    for weight, end in zip(weights, offs.tolist(), strict=True):
        product[start:end] = rows[start:end] @ weight
        start = end
    return product


def without_noise() -> AbstractContextManager[Any]:
    """Within it, every draw of a continuous distribution is one number, at every place and time.

    Independent draws in another order are such draws: a network with noise is preserved if it is with the same noise
    everywhere.
    """
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    aten = torch.ops.aten
    drawn = {aten.rand, aten.randn, aten.rand_like, aten.randn_like}
    in_place = {aten.normal_, aten.uniform_, aten.exponential_}

    class WithoutNoise(TorchDispatchMode):
        def __torch_dispatch__(
            self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
        ) -> Any:
            kwargs = kwargs or {}
            packet = getattr(function, "overloadpacket", None)
            if packet in in_place:
                return args[0].fill_(_NOISE)
            if packet is aten.normal:
                mean, std = (args + (0.0, 1.0)[len(args) :])[:2]
                return function(*args, **kwargs) * 0.0 + mean + std * _NOISE
            found = function(*args, **kwargs)
            return found.fill_(_NOISE) if packet in drawn else found

    mode: AbstractContextManager[Any] = WithoutNoise()
    return mode
