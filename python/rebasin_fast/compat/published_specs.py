"""The permutation specs that git-re-basin published, under their permutations' and parameters' own names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from rebasin_fast import _arguments

Axes: TypeAlias = dict[str, tuple[str | None, ...]]


class PermutationSpec(NamedTuple):
    """The two views of a spec: the axes of each permutation, and the permutation of each axis."""

    perm_to_axes: Mapping[str, list[tuple[str, int]]]
    axes_to_perm: Mapping[str, Sequence[str | None]]


@_arguments.checked()
def permutation_spec_from_axes_to_perm(axes_to_perm: Mapping[str, Sequence[str | None]]) -> PermutationSpec:
    """The spec of ``axes_to_perm``; permutations come in the order of their first appearance.

    Examples
    --------
    >>> from rebasin_fast.compat.git_re_basin import permutation_spec_from_axes_to_perm
    >>> permutation_spec_from_axes_to_perm({"w": (None, "P"), "b": ("P",)}).perm_to_axes
    {'P': [('w', 1), ('b', 0)]}
    """
    perm_to_axes = defaultdict(list)
    for name, entries in axes_to_perm.items():
        for axis, permutation in enumerate(entries):
            if permutation is not None:
                perm_to_axes[permutation].append((name, axis))
    return PermutationSpec(perm_to_axes=dict(perm_to_axes), axes_to_perm=axes_to_perm)


@_arguments.checked(num_hidden_layers=1)
def mlp_permutation_spec(num_hidden_layers: int) -> PermutationSpec:
    """``Dense_0`` … ``Dense_n``: n hidden layers, ``P_0`` … ``P_(n-1)``; ValueError for n below 1.

    Examples
    --------
    >>> from rebasin_fast.compat.git_re_basin import mlp_permutation_spec
    >>> mlp_permutation_spec(1).perm_to_axes
    {'P_0': [('Dense_0/kernel', 1), ('Dense_0/bias', 0), ('Dense_1/kernel', 0)]}
    """
    ends = [None, *(f"P_{i}" for i in range(num_hidden_layers)), None]
    hidden = list(enumerate(pairwise(ends[:-1])))
    # The order of the original: it decides in which order a random visit finds the permutations.
    axes: Axes = {f"Dense_{i}/kernel": pair for i, pair in hidden}
    axes |= {f"Dense_{i}/bias": (outputs,) for i, (_, outputs) in hidden}
    axes |= _dense(f"Dense_{num_hidden_layers}", ends[-2], None)
    return permutation_spec_from_axes_to_perm(axes)


def cnn_permutation_spec() -> PermutationSpec:
    """Two convolutions and two linear layers under torch's names, from the original's port to PyTorch."""
    return permutation_spec_from_axes_to_perm(
        {
            "conv1.weight": ("P_bg0", None, None, None),
            "conv2.weight": ("P_bg1", "P_bg0", None, None),
            "fc1.weight": ("P_bg2", "P_bg1"),
            "fc1.bias": ("P_bg2",),
            "fc2.weight": (None, "P_bg2"),
        }
    )


def vgg16_permutation_spec() -> PermutationSpec:
    """CIFAR-10's VGG-16 with LayerNorm: ``Conv_0`` … ``Conv_12``, ``Dense_0`` … ``Dense_2``, 15 permutations."""
    convolutions = [None, *(f"P_Conv_{i}" for i in range(13))]
    dense = ["P_Conv_12", "P_Dense_0", "P_Dense_1", None]
    axes: Axes = {f"Conv_{i}/kernel": (None, None, *ends) for i, ends in enumerate(pairwise(convolutions))}
    for layer, part in (("Conv", "bias"), ("LayerNorm", "scale"), ("LayerNorm", "bias")):
        axes |= {f"{layer}_{i}/{part}": (f"P_Conv_{i}",) for i in range(13)}
    for i, (inputs, outputs) in enumerate(pairwise(dense)):
        axes |= _dense(f"Dense_{i}", inputs, outputs)
    return permutation_spec_from_axes_to_perm(axes)


def resnet20_permutation_spec() -> PermutationSpec:
    """CIFAR-10's ResNet-20 with LayerNorm and projected shortcuts: 12 permutations."""
    axes: Axes = {**_convolution("conv1", None, "P_bg0"), **_norm("norm1", "P_bg0")}
    stream = "P_bg0"
    for group in range(3):
        for block in range(3):
            name, before, stream = f"blockgroups_{group}/blocks_{block}", stream, f"P_bg{group}"
            inner = f"P_{name}_inner"
            axes |= {
                **_convolution(f"{name}/conv1", before, inner),
                **_norm(f"{name}/norm1", inner),
                **_convolution(f"{name}/conv2", inner, stream),
                **_norm(f"{name}/norm2", stream),
            }
            if before != stream:
                axes |= _convolution(f"{name}/shortcut/layers_0", before, stream)
                axes |= _norm(f"{name}/shortcut/layers_1", stream)
    return permutation_spec_from_axes_to_perm({**axes, **_dense("dense", stream, None)})


def resnet50_permutation_spec() -> PermutationSpec:
    """ImageNet's ResNet-50 with BatchNorm scales and shifts: 37 permutations."""
    axes = _conv_block("layers_0/ConvBlock_0", None, "P_bg0")
    stream = "P_bg0"
    for group, blocks in enumerate((3, 4, 6, 3)):
        for block in range(blocks):
            name, before, stream = f"blockgroups_{group}/blocks_{block}", stream, f"P_bg{group + 1}"
            ends = [before, f"P_{name}_inner1", f"P_{name}_inner2", stream]
            for number, (inputs, outputs) in enumerate(pairwise(ends)):
                axes |= _conv_block(f"{name}/ConvBlock_{number}", inputs, outputs)
            if before != stream:
                axes |= _conv_block(f"{name}/ResNetSkipConnection_0/ConvBlock_0", before, stream)
    return permutation_spec_from_axes_to_perm({**axes, **_dense("dense", stream, None)})


def _convolution(name: str, inputs: str | None, outputs: str | None) -> Axes:
    return {f"{name}/kernel": (None, None, inputs, outputs)}


def _norm(name: str, units: str | None) -> Axes:
    return {f"{name}/scale": (units,), f"{name}/bias": (units,)}


def _dense(name: str, inputs: str | None, outputs: str | None) -> Axes:
    return {f"{name}/kernel": (inputs, outputs), f"{name}/bias": (outputs,)}


def _conv_block(name: str, inputs: str | None, outputs: str | None) -> Axes:
    return {**_convolution(f"{name}/Conv_0", inputs, outputs), **_norm(f"{name}/BatchNorm_0", outputs)}
