"""The inputs and outputs of each kind of torch layer, and the units of a spec along their axes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from rebasin_fast.specs.axis import Entry, Fixed, Joined, Product, tiled
from rebasin_fast.specs.layout import length_of

Entries: TypeAlias = Mapping[str, tuple[Entry, ...]]
Read: TypeAlias = Callable[[Any, tuple[Any, ...], dict[str, Any], Any], Any]


@dataclass(frozen=True)
class LayerRead:
    """A tensor that passes through a module, with the units of ``entry`` along ``axis``.

    ``read(module, args, kwargs, output)`` gives the tensor, or None when this call had none. ``consumed``: it is an
    input of the module; otherwise an output. ``part``: the positions of ``entry`` that the tensor holds,
    where several projections are stacked in one parameter.
    """

    entry: Entry
    axis: int
    read: Read
    consumed: bool
    part: tuple[int, int] | None = None


def layer_reads(module: Any, entries: Entries, sizes: Mapping[str, int]) -> list[LayerRead]:
    """The tensors of one module whose own parameters have these ``entries``; none for layers not known here."""
    from torch import nn

    weight = entries.get("weight", ())
    if isinstance(module, nn.MultiheadAttention):
        return list(_attention(module, entries))
    if isinstance(module, nn.RNNBase):
        return list(_recurrent(module, entries))
    if not weight:
        return []
    if isinstance(module, nn.modules.conv._ConvNd):
        return _convolution(module, weight, sizes)
    if isinstance(module, nn.Linear):
        return [_reads(weight[1], -1), _puts_out(weight[0], -1)]
    if type(module).__name__ == "Conv1D" and len(weight) == 2:  # transformers': the weight is (in, out)
        return [_reads(weight[0], -1), _puts_out(weight[1], -1)]
    if isinstance(module, nn.Embedding):
        return [_puts_out(weight[1], -1)]
    if len(weight) == 1:
        by_channel = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.PReLU)
        return [_puts_out(weight[0], 1 if isinstance(module, by_channel) else -1)]
    return []


def first_tensor(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], _output: Any) -> Any:
    """The first argument of a call."""
    return args[0] if args else kwargs.get("input", next(iter(kwargs.values()), None))


def output_tensor(_module: Any, _args: tuple[Any, ...], _kwargs: dict[str, Any], output: Any) -> Any:
    """The output of a call, the first one of several."""
    return output[0] if isinstance(output, tuple | list) else output


def _reads(entry: Entry, axis: int) -> LayerRead:
    return LayerRead(entry, axis, first_tensor, consumed=True)


def _puts_out(entry: Entry, axis: int) -> LayerRead:
    return LayerRead(entry, axis, output_tensor, consumed=False)


def _convolution(module: Any, weight: tuple[Entry, ...], sizes: Mapping[str, int]) -> list[LayerRead]:
    axis = -1 - len(module.kernel_size)
    if module.transposed:
        if module.groups > 1:  # its inputs stand alone on the first axis
            return [_reads(weight[0], axis)]
        return [_reads(weight[0], axis), _puts_out(weight[1], axis)]
    if module.groups == 1:
        return [_reads(weight[1], axis), _puts_out(weight[0], axis)]
    return [_reads(_grouped_inputs(module, weight, sizes), axis), _puts_out(weight[0], axis)]


def _grouped_inputs(module: Any, weight: tuple[Entry, ...], sizes: Mapping[str, int]) -> Entry:
    """The entry of a grouped convolution's inputs: its groups, each with the inputs of one group."""
    outputs, inputs = weight[0], weight[1]
    groups: Entry = None
    while isinstance(outputs, Product) and length_of(outputs, sizes) > module.groups:
        outputs = outputs.outer
    if outputs is not None and length_of(outputs, sizes) == module.groups:
        groups = outputs
    within = inputs.inner if isinstance(inputs, Joined) else inputs
    per_group = module.in_channels // module.groups
    if per_group == 1:
        return groups
    if within is None:
        return None if groups is None else Product(groups, Fixed(per_group))
    return tiled(within, module.groups) if groups is None else Product(groups, within)


def _attention(module: Any, entries: Entries) -> Iterator[LayerRead]:
    """Inputs of the projections, and the projections computed once more: the module returns neither."""
    for place, name in enumerate(("query", "key", "value")):
        weight = "in_proj_weight" if "in_proj_weight" in entries else f"{name[0]}_proj_weight"
        if weight not in entries:
            continue
        stacked = weight == "in_proj_weight"
        yield LayerRead(entries[weight][1], -1, _argument(place, name), consumed=True)
        part = (place * module.embed_dim, (place + 1) * module.embed_dim) if stacked else None
        yield LayerRead(entries[weight][0], -1, _projection(place, name), consumed=False, part=part)


def _argument(place: int, name: str) -> Read:
    def read(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], _output: Any) -> Any:
        return args[place] if len(args) > place else kwargs.get(name)

    return read


def _projection(place: int, name: str) -> Read:
    argument = _argument(place, name)

    def read(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
        from torch.nn.functional import linear

        rows = slice(place * module.embed_dim, (place + 1) * module.embed_dim)
        weight = (
            module.in_proj_weight[rows]
            if module.in_proj_weight is not None
            else getattr(module, f"{name[0]}_proj_weight")
        )
        bias = None if module.in_proj_bias is None else module.in_proj_bias[rows]
        return linear(argument(module, args, kwargs, output), weight, bias)

    return read


def _recurrent(module: Any, entries: Entries) -> Iterator[LayerRead]:
    """The states after the last step: those between the steps stay within the module."""
    directions = 2 if module.bidirectional else 1
    for layer in range(module.num_layers):
        for direction in range(directions):
            suffix = f"l{layer}{'_reverse' if direction else ''}"
            index = layer * directions + direction
            if index == 0 and "weight_ih_l0" in entries:
                yield _reads(entries["weight_ih_l0"][1], -1)
            for which, name in enumerate((f"weight_hh_{suffix}", f"weight_hr_{suffix}")):  # h_n, c_n
                if name in entries:
                    yield LayerRead(entries[name][1], -1, _state(which, index), consumed=False)


def _state(which: int, index: int) -> Read:
    def read(_module: Any, _args: tuple[Any, ...], _kwargs: dict[str, Any], output: Any) -> Any:
        states = output[1]
        return (states[which] if isinstance(states, tuple) else states)[index]

    return read
