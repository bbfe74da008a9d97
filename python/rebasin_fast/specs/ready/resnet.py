"""Residual networks of basic and bottleneck blocks, with projected or zero-padded shortcuts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Literal, TypeAlias

from rebasin_fast import _arguments
from rebasin_fast.specs.axis import Entry
from rebasin_fast.specs.reading.hints import NO_HINTS, Hints, NormKind
from rebasin_fast.specs.ready.fragments import SpecBuilder
from rebasin_fast.specs.ready.residual import (
    ResidualNames,
    Shortcut,
    add_residual_network,
    read_residual_layout,
)
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.typing import Params

Block: TypeAlias = Literal["basic", "bottleneck"]


@_arguments.checked(blocks=1, norm_groups=1)
def resnet(
    blocks: Sequence[int],
    *,
    block: Block = "basic",
    shortcuts: Sequence[Shortcut],
    head: str = "fc",
    norm: NormKind = "batch",
    norm_groups: int = 1,
    norm_name: str = "bn",
) -> PermutationSpec:
    """Spec of a residual network in torchvision's names (``conv1``, ``layer1.0.conv1``, …).

    Parameters
    ----------
    blocks : sequence of int
        Number of blocks of each stage.
    block : {"basic", "bottleneck"}
        Two or three convolutions a block, each followed by a norm.
    shortcuts : sequence, one a stage
        The shortcut of each stage's first block: None, the identity; a name such as ``"downsample"``, a
        projection ``layerS.0.NAME.0`` with its norm ``layerS.0.NAME.1``; a number, that many channels of zeros
        padded on each side, or two numbers, before and after ("option A" of He et al. 2016, section 4.2).
    head : str
        Name of the final linear layer.
    norm, norm_groups
        "batch" for BatchNorm; "layer" for LayerNorm over the channels, or GroupNorm of ``norm_groups`` groups.
    norm_name : str
        Name of the norms before their number: ``bn1``, ``norm1``.

    Returns
    -------
    PermutationSpec
        ``stem`` and ``stageS`` move the residual stream, ``layerS.B.1`` (and ``.2``) the channels within
        a block. A padded stage's ``stageS`` moves the padded channels only, among themselves: the others still
        carry the stream before.

    Examples
    --------
    >>> import rebasin_fast as rf
    >>> tiny = rf.specs.resnet([1, 1], shortcuts=[None, "downsample"])
    >>> tiny.permutations
    ('stem', 'layer1.0.1', 'layer2.0.1', 'stage2')
    """
    builder = SpecBuilder(norm=norm, norm_groups=norm_groups)
    convolutions = {"basic": 2, "bottleneck": 3}[block]
    add_block = partial(_add_block, convolutions=convolutions, norm_name=norm_name)
    add_residual_network(builder, blocks, shortcuts, add_block, ResidualNames(norm_name, head))
    return builder.build()


def _add_block(
    builder: SpecBuilder, name: str, inputs: Entry, outputs: Entry, *, convolutions: int, norm_name: str
) -> None:
    inner = [builder.channels(f"{name}.{i}") for i in range(1, convolutions)]
    for number, (source, target) in enumerate(pairwise([inputs, *inner, outputs]), 1):
        builder.convolution(f"{name}.conv{number}", source, target)
        builder.norm(f"{name}.{norm_name}{number}", target)


def resnet18() -> PermutationSpec:
    """Spec of torchvision's ResNet-18: 12 permutations."""
    return resnet([2, 2, 2, 2], shortcuts=[None, "downsample", "downsample", "downsample"])


def resnet34() -> PermutationSpec:
    """Spec of torchvision's ResNet-34: 20 permutations."""
    return resnet([3, 4, 6, 3], shortcuts=[None, "downsample", "downsample", "downsample"])


def resnet50() -> PermutationSpec:
    """Spec of torchvision's ResNet-50: 37 permutations."""
    return resnet([3, 4, 6, 3], block="bottleneck", shortcuts=["downsample"] * 4)


def resnet101() -> PermutationSpec:
    """Spec of torchvision's ResNet-101: 71 permutations."""
    return resnet([3, 4, 23, 3], block="bottleneck", shortcuts=["downsample"] * 4)


def resnet152() -> PermutationSpec:
    """Spec of torchvision's ResNet-152: 105 permutations."""
    return resnet([3, 8, 36, 3], block="bottleneck", shortcuts=["downsample"] * 4)


def wide_resnet50_2() -> PermutationSpec:
    """Spec of torchvision's Wide ResNet-50-2: ResNet-50's, whose inner layers are twice as wide."""
    return resnet50()


def wide_resnet101_2() -> PermutationSpec:
    """Spec of torchvision's Wide ResNet-101-2: ResNet-101's, whose inner layers are twice as wide."""
    return resnet101()


@_arguments.checked(width=2)
def cifar_resnet(
    depth: int = 20,
    *,
    shortcut: Literal["A", "B"] = "A",
    width: int = 16,
    head: str = "linear",
    projection: str = "shortcut",
) -> PermutationSpec:
    """Spec of the CIFAR ResNets of He et al. 2016, section 4.2: three stages of (depth - 2) / 6 basic blocks.

    Parameters
    ----------
    depth : int
        20, 32, 44, 56, 110, 1202: six n and two layers.
    shortcut : {"A", "B"}
        Zero-padded, a quarter of the new width on each side; or a projection.
    width : int
        Channels of the first stage; a multiple of 2.
    head : str
        Name of the final linear layer.
    projection : str
        Name of a projected shortcut.

    Examples
    --------
    >>> import rebasin_fast as rf
    >>> len(rf.specs.cifar_resnet(20).permutations)
    12
    """
    if width % 2:
        raise ValueError(f"width is a multiple of 2; got {width}")
    count, rest = divmod(depth - 2, 6)
    if rest or count < 1:
        raise ValueError(f"the depth of a CIFAR ResNet is 6 n + 2 (20, 32, 44, 56, 110, …); got {depth}")
    padded: list[Shortcut] = [None, width // 2, width]
    projected: list[Shortcut] = [None, projection, projection]
    return resnet([count] * 3, shortcuts=padded if shortcut == "A" else projected, head=head)


def recognise(params: Params, hints: Hints = NO_HINTS) -> PermutationSpec | None:
    """The spec of a residual network in torchvision's names, stages and shortcuts read from the parameters."""
    layout = read_residual_layout(params)
    if layout is None:
        return None
    norm, groups = layout.norm(hints)
    return resnet(
        layout.blocks,
        block="bottleneck" if layout.convolutions == 3 else "basic",
        shortcuts=layout.shortcuts,
        head=layout.names.head,
        norm=norm,
        norm_groups=groups,
        norm_name=layout.names.norm,
    )
