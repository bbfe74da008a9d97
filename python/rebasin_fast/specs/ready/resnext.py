"""ResNeXts: bottleneck blocks whose middle convolution is grouped."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from rebasin_fast import _arguments
from rebasin_fast.specs.axis import Entry, Joined, Product
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


@_arguments.checked(blocks=1, groups=1)
def resnext(
    blocks: Sequence[int],
    *,
    groups: int = 32,
    shortcuts: Sequence[Shortcut] | None = None,
    head: str = "fc",
    norm: NormKind = "batch",
    norm_name: str = "bn",
) -> PermutationSpec:
    """Spec of a ResNeXt in torchvision's names; see :func:`rebasin_fast.specs.resnet` for what is common to both.

    Parameters
    ----------
    blocks : sequence of int
        Number of blocks of each stage.
    groups : int
        Groups of the middle convolutions.
    shortcuts, head, norm, norm_name
        As for a ResNet; projections into every stage by default.

    Returns
    -------
    PermutationSpec
        In block B of stage S, ``layerS.B.groups`` moves whole groups, and within each group ``layerS.B.1`` the
        grouped convolution's inputs and ``layerS.B.2`` its outputs.

    Notes
    -----
    Xie et al. 2017, *Aggregated residual transformations for deep neural networks*. The second axis of a grouped
    weight holds the inputs of the group at which its first axis stands: it is ``Joined`` to the first.

    Examples
    --------
    >>> import rebasin_fast as rf
    >>> rf.specs.resnext([1], groups=4).axes_to_perm["layer1.0.conv2.weight"]
    (Product(outer='layer1.0.groups', inner='layer1.0.2'), Joined(inner='layer1.0.1'), None, None)
    """
    builder = SpecBuilder(norm=norm)
    shortcuts = ["downsample"] * len(blocks) if shortcuts is None else shortcuts
    add_block = partial(_add_block, groups=groups, norm_name=norm_name)
    add_residual_network(builder, blocks, shortcuts, add_block, ResidualNames(norm_name, head))
    return builder.build()


def _add_block(
    builder: SpecBuilder, name: str, inputs: Entry, outputs: Entry, *, groups: int, norm_name: str
) -> None:
    grouped_inputs = Product(f"{name}.groups", f"{name}.1")
    grouped_outputs = builder.nested(f"{name}.groups", groups, f"{name}.2")
    builder.convolution(f"{name}.conv1", inputs, grouped_inputs)
    builder.norm(f"{name}.{norm_name}1", grouped_inputs)
    builder.convolution(f"{name}.conv2", Joined(f"{name}.1"), grouped_outputs)
    builder.norm(f"{name}.{norm_name}2", grouped_outputs)
    builder.convolution(f"{name}.conv3", grouped_outputs, outputs)
    builder.norm(f"{name}.{norm_name}3", outputs)


def resnext50_32x4d() -> PermutationSpec:
    """Spec of torchvision's ResNeXt-50 32x4d: 53 permutations."""
    return resnext([3, 4, 6, 3])


def resnext101_32x8d() -> PermutationSpec:
    """Spec of torchvision's ResNeXt-101 32x8d: 104 permutations."""
    return resnext([3, 4, 23, 3])


def resnext101_64x4d() -> PermutationSpec:
    """Spec of torchvision's ResNeXt-101 64x4d: 104 permutations."""
    return resnext([3, 4, 23, 3], groups=64)


def recognise(params: Params, hints: Hints = NO_HINTS) -> PermutationSpec | None:
    """The spec of a residual network whose bottlenecks have fewer inputs than the layer before them has outputs."""
    layout = read_residual_layout(params)
    if layout is None or layout.convolutions != 3:
        return None
    middle = params.get("layer1.0.conv2.weight")
    given = int(params["layer1.0.conv1.weight"].shape[0])
    if middle is None or middle.shape[1] == given or given % middle.shape[1]:
        return None
    norm, norm_groups = layout.norm(hints)
    if norm_groups > 1:
        return None
    return resnext(
        layout.blocks,
        groups=given // int(middle.shape[1]),
        shortcuts=layout.shortcuts,
        head=layout.names.head,
        norm=norm,
        norm_name=layout.names.norm,
    )
