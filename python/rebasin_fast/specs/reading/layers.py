"""Layers and norms among parameters, in the names of torch, Flax and Keras."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rebasin_fast.specs.axis import Entry, blocks, tiled
from rebasin_fast.typing import Params

Kind: TypeAlias = Literal["dense", "conv", "transposed"]

_TRANSPOSED = re.compile(r"transpos|deconv|up_?conv|conv_?t(?![a-z])|convtr", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Layout:
    """Names and axes of parameters in a library: torch (out, in, taps), Flax and Keras (taps, in, out)."""

    kernel: str
    bias: str
    scale: str
    shift: str
    statistics: tuple[str, ...]
    channels_last: bool
    transposed_swapped: bool  # a transposed kernel holds inputs where a plain one holds outputs

    def flattened(self, channels: Entry, positions: int) -> Entry:
        """The entry of a feature map of ``positions`` pixels as one axis."""
        if positions == 1:
            return channels
        return tiled(channels, positions) if self.channels_last else blocks(channels, positions)

    def kernel_entries(self, kind: Kind, inputs: Entry, outputs: Entry, spatial: int) -> tuple[Entry, ...]:
        """The axes of a kernel."""
        taps: tuple[Entry, ...] = (None,) * spatial
        swapped = kind == "transposed" and self.transposed_swapped
        if self.channels_last:
            return (*taps, outputs, inputs) if swapped else (*taps, inputs, outputs)
        return (inputs, outputs, *taps) if swapped else (outputs, inputs, *taps)


_STATISTICS = (".running_mean", ".running_var", ".num_batches_tracked")
TORCH = Layout(".weight", ".bias", ".weight", ".bias", _STATISTICS, False, True)
FLAX = Layout("/kernel", "/bias", "/scale", "/bias", ("/mean", "/var"), True, False)
_KERAS_STATISTICS = ("/moving_mean", "/moving_variance")
KERAS = Layout("/kernel", "/bias", "/gamma", "/beta", _KERAS_STATISTICS, True, True)
KERAS_FILE = Layout(
    "/kernel:0",
    "/bias:0",
    "/gamma:0",
    "/beta:0",
    tuple(f"{name}:0" for name in _KERAS_STATISTICS),
    True,
    True,
)
LAYOUTS = {"torch": TORCH, "flax": FLAX, "keras": KERAS, "keras-file": KERAS_FILE}
LayoutName: TypeAlias = Literal["torch", "flax", "keras", "keras-file"]


@dataclass(frozen=True, slots=True)
class Layer:
    """A linear layer or a convolution under one of its readings."""

    name: str
    kind: Kind
    inputs: int
    outputs: int
    spatial: int
    bias: bool
    certain: bool = True  # False: only the chain implies that the convolution is transposed


@dataclass(frozen=True, slots=True)
class Norm:
    """Scale and shift of one axis, with or without statistics."""

    name: str
    width: int
    statistics: bool


@dataclass(frozen=True, slots=True)
class Layers:
    """The layers among the parameters, each with its possible readings, and the norms."""

    layout: LayoutName
    layers: dict[str, list[Layer]]
    norms: dict[str, Norm]


def read_layers(params: Params) -> Layers | None:
    """The layers and norms that the parameters are; None where one of them is neither."""
    for name, layout in LAYOUTS.items():
        found = _read(params, name, layout)  # type: ignore[arg-type]
        if found is not None:
            return found
    return None


def _read(params: Params, name: LayoutName, layout: Layout) -> Layers | None:
    rest = set(params)
    layers: dict[str, list[Layer]] = {}
    norms: dict[str, Norm] = {}
    for owner in _owners(params, (layout.kernel, layout.scale)):
        kernel = params.get(owner + layout.kernel)
        if kernel is not None and len(kernel.shape) > 1:
            readings = list(_readings_of(params, layout, owner))
            if not readings or len(kernel.shape) > 5:
                return None
            layers[owner] = readings
            rest -= {owner + layout.kernel, owner + layout.bias}
        else:
            norm = _norm(params, layout, owner)
            if norm is None:
                return None
            norms[owner] = norm
            rest -= {owner + part for part in (layout.scale, layout.shift, *layout.statistics)}
    return None if rest or not layers else Layers(name, layers, norms)


def _owners(params: Params, endings: tuple[str, str]) -> list[str]:
    found = [name.removesuffix(end) for name in params for end in endings if name.endswith(end)]
    return list(dict.fromkeys(found))


def _readings_of(params: Params, layout: Layout, owner: str) -> Iterator[Layer]:
    shape = tuple(int(size) for size in params[owner + layout.kernel].shape)
    taps = len(shape) - 2
    first, second = (shape[-1], shape[-2]) if layout.channels_last else (shape[0], shape[1])
    bias = params.get(owner + layout.bias)
    if bias is not None and len(bias.shape) != 1:
        return
    length = None if bias is None else int(bias.shape[0])
    marked = bool(_TRANSPOSED.search(owner)) and taps > 0
    if length in (None, first) and not (marked and layout.transposed_swapped):
        kind: Kind = "dense" if taps == 0 else "transposed" if marked else "conv"
        yield Layer(owner, kind, second, first, taps, bias is not None)
    if taps > 0 and layout.transposed_swapped and length in (None, second):
        certain = marked or (length == second and first != second)
        yield Layer(owner, "transposed", first, second, taps, bias is not None, certain)


def _norm(params: Params, layout: Layout, owner: str) -> Norm | None:
    scale, shift = params.get(owner + layout.scale), params.get(owner + layout.shift)
    if scale is None or shift is None or len(scale.shape) != 1 or scale.shape != shift.shape:
        return None
    return Norm(owner, int(scale.shape[0]), owner + layout.statistics[0] in params)
