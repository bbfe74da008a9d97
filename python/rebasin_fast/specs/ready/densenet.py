"""DenseNets: every layer reads the concatenation of the feature maps before it."""

from __future__ import annotations

from collections.abc import Sequence

from rebasin_fast import _arguments
from rebasin_fast.specs.axis import Concat, Entry
from rebasin_fast.specs.reading.hints import NO_HINTS, Hints
from rebasin_fast.specs.reading.names import last_of_each
from rebasin_fast.specs.ready.fragments import SpecBuilder
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.typing import Params


@_arguments.checked(blocks=1)
def densenet(blocks: Sequence[int], *, dotted: bool = False) -> PermutationSpec:
    """Spec of a DenseNet in torchvision's names (``features.denseblock1.denselayer1.conv1``, …).

    Parameters
    ----------
    blocks : sequence of int
        Number of dense layers of each block; a transition stands between two blocks.
    dotted : bool
        The names of the published checkpoint files, ``norm.1`` and ``conv.2`` for ``norm1`` and ``conv2``.

    Returns
    -------
    PermutationSpec
        One permutation for each feature map that is produced: ``stem``, ``denseblockB.denselayerL`` (and its
        ``.inner``), ``transitionB``. A layer that reads several maps has them one after the other, in a Concat.

    Notes
    -----
    Huang et al. 2017, *Densely connected convolutional networks*. BatchNorm acts channel by channel, so that each
    map's channels move by themselves although the norms stand on concatenations.

    Examples
    --------
    >>> import rebasin_fast as rf
    >>> rf.specs.densenet([2]).axes_to_perm["classifier.weight"]
    (None, Concat('stem', 'denseblock1.denselayer1', 'denseblock1.denselayer2'))
    """
    separator = "." if dotted else ""
    builder = SpecBuilder()
    builder.convolution("features.conv0", None, "stem")
    builder.batch_norm("features.norm0", "stem")
    maps: list[Entry] = ["stem"]
    for block, layers in enumerate(blocks, 1):
        for layer in range(1, layers + 1):
            name = f"denseblock{block}.denselayer{layer}"
            _add_layer(builder, f"features.{name}", separator, _joined(maps), name)
            maps.append(name)
        if block < len(blocks):
            builder.batch_norm(f"features.transition{block}.norm", _joined(maps))
            builder.convolution(f"features.transition{block}.conv", _joined(maps), f"transition{block}")
            maps = [f"transition{block}"]
    builder.batch_norm("features.norm5", _joined(maps))
    builder.dense("classifier", _joined(maps), None)
    return builder.build()


def _add_layer(builder: SpecBuilder, layer: str, separator: str, inputs: Entry, outputs: str) -> None:
    inner = f"{outputs}.inner"
    builder.batch_norm(f"{layer}.norm{separator}1", inputs)
    builder.convolution(f"{layer}.conv{separator}1", inputs, inner)
    builder.batch_norm(f"{layer}.norm{separator}2", inner)
    builder.convolution(f"{layer}.conv{separator}2", inner, outputs)


def _joined(maps: list[Entry]) -> Entry:
    return maps[0] if len(maps) == 1 else Concat(*maps)


def densenet121() -> PermutationSpec:
    """Spec of torchvision's DenseNet-121: 120 permutations."""
    return densenet((6, 12, 24, 16))


def densenet161() -> PermutationSpec:
    """Spec of torchvision's DenseNet-161: 160 permutations."""
    return densenet((6, 12, 36, 24))


def densenet169() -> PermutationSpec:
    """Spec of torchvision's DenseNet-169: 168 permutations."""
    return densenet((6, 12, 32, 32))


def densenet201() -> PermutationSpec:
    """Spec of torchvision's DenseNet-201: 200 permutations."""
    return densenet((6, 12, 48, 32))


def recognise(params: Params, _hints: Hints = NO_HINTS) -> PermutationSpec | None:
    """The spec of a DenseNet in torchvision's names, blocks and layers counted."""
    layers = last_of_each(params, r"features\.denseblock(\d+)\.denselayer(\d+)\.")
    if layers is None:
        return None
    dotted = "features.denseblock1.denselayer1.conv.1.weight" in params
    return densenet(layers, dotted=dotted)
