"""Some of torch's operations as plain arithmetic, so that their results have forward derivatives of every order."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Literal

Statistics = Literal["running", "batch"]


def plain_arithmetic(statistics: Statistics) -> AbstractContextManager[Any]:
    """Operations whose nested forward derivatives torch lacks, or has wrong, are replaced within the block.

    torch 2.13 takes the means and deviations of BatchNorm, LayerNorm and InstanceNorm for constants in a second
    derivative, without a word, and running statistics in the first; SiLU, Mish, GLU and the hard sigmoid have no
    second one.

    Parameters
    ----------
    statistics : {"running", "batch"}
        Of BatchNorm. Layers in eval mode use running statistics, if they have them; with "batch" all layers use those
        of the batch, and running statistics are neither read nor written.
    """
    import torch

    functional = torch.nn.functional
    norm = _batch_norm(statistics)
    replacements: dict[Any, Callable[..., Any]] = {
        functional.batch_norm: norm,
        torch.batch_norm: lambda x, weight, bias, mean, variance, *rest: norm(
            x, mean, variance, weight, bias, *rest[:3]
        ),
        functional.layer_norm: _layer_norm,
        torch.layer_norm: _layer_norm,
        functional.instance_norm: _instance_norm,
        functional.silu: _silu,
        functional.mish: _mish,
        functional.glu: _glu,
        functional.hardsigmoid: _hard_sigmoid,
    }
    mode: Any = torch.overrides.TorchFunctionMode

    class PlainArithmetic(mode):  # type: ignore[misc]
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return replacements.get(function, function)(*args, **(kwargs or {}))

    return PlainArithmetic()


def _batch_norm(statistics: Statistics) -> Callable[..., Any]:
    def batch_norm(
        input: Any, running_mean: Any, running_var: Any, weight: Any = None, bias: Any = None, training: bool = False,
        momentum: float = 0.1, eps: float = 1e-5,
    ) -> Any:  # fmt: skip
        own = training or statistics == "batch"
        axes = [axis for axis in range(input.ndim) if axis != 1]
        return _by_channel(input, axes if own else None, running_mean, running_var, weight, bias, eps)

    return batch_norm


def _instance_norm(
    input: Any, running_mean: Any = None, running_var: Any = None, weight: Any = None, bias: Any = None,
    use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-5,
) -> Any:  # fmt: skip
    axes = list(range(2, input.ndim))
    return _by_channel(input, axes if use_input_stats else None, running_mean, running_var, weight, bias, eps)


def _by_channel(
    x: Any, axes: list[int] | None, mean: Any, variance: Any, weight: Any, bias: Any, eps: float
) -> Any:
    """Channels (axis 1) normalised by their moments over ``axes``, or by those that are given."""
    shape = (1, -1) + (1,) * (x.ndim - 2)
    if axes is None:
        centred, variance = x - mean.reshape(shape), variance.reshape(shape)
    else:
        centred, variance = _moments(x, axes)
    return _affine(centred, variance, eps, *(v if v is None else v.reshape(shape) for v in (weight, bias)))


def _layer_norm(
    input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5, *_: Any
) -> Any:
    centred, variance = _moments(input, list(range(-len(normalized_shape), 0)))
    return _affine(centred, variance, eps, weight, bias)


def _moments(x: Any, axes: list[int]) -> tuple[Any, Any]:
    centred = x - x.mean(axes, keepdim=True)
    return centred, centred.square().mean(axes, keepdim=True)


def _affine(centred: Any, variance: Any, eps: float, weight: Any, bias: Any) -> Any:
    normalised = centred * (variance + eps).rsqrt()
    scaled = normalised if weight is None else normalised * weight
    return scaled if bias is None else scaled + bias


def _silu(input: Any, inplace: bool = False) -> Any:
    return input * input.sigmoid()


def _mish(input: Any, inplace: bool = False) -> Any:
    import torch

    return input * torch.nn.functional.softplus(input).tanh()


def _glu(input: Any, dim: int = -1) -> Any:
    values, gates = input.chunk(2, dim)
    return values * gates.sigmoid()


def _hard_sigmoid(input: Any, inplace: bool = False) -> Any:
    return (input / 6 + 0.5).clamp(0.0, 1.0)
