"""Where REPAIR corrects a network: layers whose outputs can be rescaled by their own parameters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rebasin_fast import _arguments
from rebasin_fast._models.inference import call, device_of, evaluating


@dataclass(frozen=True)
class Point:
    """A layer whose output's units, along ``axis``, get their mean and deviation corrected."""

    name: str
    axis: int
    has_bias: bool

    def rows(self, output: Any) -> Any:
        """``output`` as (samples and positions, units)."""
        units = output.detach().movedim(self.axis, -1)
        return units.reshape(-1, units.shape[-1])

    def along(self, values: Any, output: Any) -> Any:
        """(n,) ``values`` in the dtype of ``output``, shaped to broadcast along its units."""
        shape = [1] * output.ndim
        shape[self.axis] = -1
        return values.to(device=output.device, dtype=output.dtype).reshape(shape)

    def fold(self, module: Any, scale: Any, shift: Any) -> None:
        """Make ``scale`` * output + ``shift`` the output of ``module``; without a bias ``shift`` must be zero."""
        weight = module.weight
        scale, shift = (v.to(device=weight.device, dtype=v.dtype) for v in (scale, shift))
        factors = _factors(module, scale).to(weight.dtype)
        weight.mul_(factors)
        if self.has_bias:
            module.bias.copy_((module.bias.double() * scale + shift).to(module.bias.dtype))


def find_points(model: Any, batch: Any, layers: Sequence[str] | None) -> list[Point]:
    """The points of ``model`` in the order in which they run on ``batch``; ``layers`` names them instead.

    Raises
    ------
    ValueError
        There is none, or a named layer cannot be corrected.
    """
    modules = dict(model.named_modules())
    run, normalised, returned = _observe(model, modules, batch)
    able = {name for name in run if _can_be_folded(modules[name], _owners(model))}
    if layers is not None:
        _arguments.names("layers", layers)
        unfit = [name for name in layers if name not in able]
        if unfit:
            raise ValueError(
                f"layers names {unfit[0]!r}, which is no Linear, convolution or BatchNorm layer with parameters of "
                f"its own that runs on these batches"
            )
        chosen = [name for name in run if name in layers]
    else:
        outputs = returned | {next((name for name in reversed(run) if not _is_norm(modules[name])), "")}
        chosen = [name for name in run if name in able and name not in normalised | outputs]
    if not chosen:
        raise ValueError(
            "the model has no hidden Linear, convolution or BatchNorm layer that can be corrected"
        )
    return [Point(name, _axis(modules[name]), modules[name].bias is not None) for name in chosen]


def _observe(model: Any, modules: Mapping[str, Any], batch: Any) -> tuple[list[str], set[str], set[str]]:
    """Layers in the order of their runs; those whose output BatchNorm reads; those whose output is returned."""
    from torch.utils._pytree import tree_flatten

    run: dict[str, None] = {}
    normalised: set[str] = set()
    makers: list[tuple[Any, str]] = []  # holds the tensors, so that none takes another's place in memory

    def hook_of(name: str) -> Any:
        def hook(module: Any, args: tuple[Any, ...], output: Any) -> None:
            if _is_norm(module):
                normalised.update(maker for tensor, maker in makers if args and tensor is args[0])
            run[name] = None
            makers.append((output, name))

        return hook

    handles = [
        module.register_forward_hook(hook_of(name)) for name, module in modules.items() if _is_layer(module)
    ]
    try:
        with evaluating(model):
            leaves, _ = tree_flatten(call(model, batch, device_of(model), 0))
    finally:
        for handle in handles:
            handle.remove()
    returned = {maker for tensor, maker in makers if any(tensor is leaf for leaf in leaves)}
    return list(run), normalised, returned


def _is_norm(module: Any) -> bool:
    from torch import nn

    return isinstance(module, nn.modules.batchnorm._BatchNorm)


def _is_layer(module: Any) -> bool:
    from torch import nn

    kinds = (nn.Linear, nn.modules.conv._ConvNd)
    return _is_norm(module) or isinstance(module, kinds) or type(module).__name__ == "Conv1D"


def _owners(model: Any) -> Counter[int]:
    """How many names each parameter has: one that is shared cannot be rescaled for one layer alone."""
    return Counter(id(p) for _, p in model.named_parameters(remove_duplicate=False))


def _can_be_folded(module: Any, owners: Counter[int]) -> bool:
    own = [module._parameters.get(name) for name in ("weight", "bias")]
    return own[0] is not None and all(p is None or owners[id(p)] == 1 for p in own)


def _axis(module: Any) -> int:
    if _is_norm(module):
        return 1
    return -1 - len(module.kernel_size) if hasattr(module, "kernel_size") else -1


def _factors(module: Any, scale: Any) -> Any:
    """``scale`` of the outputs, shaped to multiply the weight."""
    weight = module.weight
    if type(module).__name__ == "Conv1D":
        return scale  # (inputs, outputs)
    if getattr(module, "transposed", False):  # (inputs, outputs of a group, ...)
        by_group = scale.reshape(module.groups, -1).repeat_interleave(weight.shape[0] // module.groups, 0)
        return by_group.reshape(*by_group.shape, *[1] * (weight.ndim - 2))
    return scale.reshape(-1, *[1] * (weight.ndim - 1))
