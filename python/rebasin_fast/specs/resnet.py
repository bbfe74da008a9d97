"""Residual networks of basic and bottleneck blocks, with projected or zero-padded shortcuts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from rebasin_fast.axis import Concat, Entry, Slice
from rebasin_fast.spec import PermutationSpec
from rebasin_fast.specs.fragments import SpecBuilder

if TYPE_CHECKING:
    from rebasin_fast.typing import Params


def resnet(
    blocks: Sequence[int],
    *,
    block: Literal["basic", "bottleneck"] = "basic",
    shortcuts: Sequence[str | int | None],
    head: str = "fc",
) -> PermutationSpec:
    """Spec of a residual network in torchvision's names (``conv1``, ``layer1.0.conv1``, …).

    Parameters
    ----------
    blocks : sequence of int
        Number of blocks of each stage.
    block : {"basic", "bottleneck"}
        Two or three convolutions a block, each followed by BatchNorm.
    shortcuts : sequence, one a stage
        What carries the stream into the stage: None, the identity; a name such as ``"downsample"``, a
        projection ``layerS.0.NAME.0`` with its norm ``layerS.0.NAME.1``; a number, that many channels of zeros
        padded on each side ("option A" of He et al. 2016, section 4.2).
    head : str
        Name of the final linear layer.

    Returns
    -------
    PermutationSpec
        ``stem`` and ``stageS`` move the residual stream, ``layerS.B.1`` (and ``.2``) the channels within
        a block. A padded stage's ``stageS`` moves the padded channels only, among themselves: the others still
        carry the stream before.
    """
    builder = SpecBuilder()
    stream: Entry = "stem"
    builder.convolution("conv1", None, stream)
    builder.batch_norm("bn1", stream)
    for stage, (count, shortcut) in enumerate(zip(blocks, shortcuts, strict=True), 1):
        before, stream = stream, _stream(stream, f"stage{stage}", shortcut)
        for index in range(count):
            name = f"layer{stage}.{index}"
            _block(builder, name, before if index == 0 else stream, stream, block)
            if index == 0 and isinstance(shortcut, str):
                builder.convolution(f"{name}.{shortcut}.0", before, stream)
                builder.batch_norm(f"{name}.{shortcut}.1", stream)
    builder.dense(head, stream, None)
    return builder.build()


def resnet18() -> PermutationSpec:
    """Spec of torchvision's ResNet-18: 12 permutations."""
    return resnet([2, 2, 2, 2], shortcuts=[None, "downsample", "downsample", "downsample"])


def resnet50() -> PermutationSpec:
    """Spec of torchvision's ResNet-50: 37 permutations."""
    return resnet([3, 4, 6, 3], block="bottleneck", shortcuts=["downsample"] * 4)


def cifar_resnet(
    depth: int = 20, *, shortcut: Literal["A", "B"] = "A", width: int = 16, head: str = "linear"
) -> PermutationSpec:
    """Spec of the CIFAR ResNets of He et al. 2016, section 4.2: three stages of (depth - 2) / 6 basic blocks.

    Parameters
    ----------
    depth : int
        20, 32, 44, 56, 110, 1202: six n and two layers.
    shortcut : {"A", "B"}
        Zero-padded, a quarter of the new width on each side; or a projection named ``shortcut``.
    width : int
        Channels of the first stage; a multiple of 2.
    head : str
        Name of the final linear layer.

    Examples
    --------
    >>> import rebasin_fast as rf
    >>> len(rf.specs.cifar_resnet(20).permutations)
    12
    """
    count, rest = divmod(depth - 2, 6)
    if rest or count < 1:
        raise ValueError(f"the depth of a CIFAR ResNet is 6 n + 2 (20, 32, 44, 56, 110, …); got {depth}")
    if shortcut not in ("A", "B"):
        raise ValueError(f"shortcut is 'A' (zero-padded) or 'B' (projection); got {shortcut!r}")
    padded: list[str | int | None] = [None, width // 2, width]
    return resnet(
        [count] * 3, shortcuts=padded if shortcut == "A" else [None, "shortcut", "shortcut"], head=head
    )


def _stream(before: Entry, name: str, shortcut: str | int | None) -> Entry:
    if shortcut is None:
        return before
    if isinstance(shortcut, str):
        return name
    return Concat(Slice(name, 0, shortcut), before, Slice(name, shortcut, 2 * shortcut))


def _block(builder: SpecBuilder, name: str, inputs: Entry, outputs: Entry, kind: str) -> None:
    inner = [f"{name}.{i}" for i in range(1, 2 if kind == "basic" else 3)]
    ends = [inputs, *inner, outputs]
    for number, (source, target) in enumerate(pairwise(ends), 1):
        builder.convolution(f"{name}.conv{number}", source, target)
        builder.batch_norm(f"{name}.bn{number}", target)


def recognise(params: Params) -> PermutationSpec | None:
    """The spec of a residual network in torchvision's names, stages and shortcuts read from the parameters."""
    if "conv1.weight" not in params or "layer1.0.conv1.weight" not in params:
        return None
    head = next((name for name in ("fc", "linear") if f"{name}.weight" in params), None)
    if head is None:
        return None
    places = [match for name in params if (match := re.match(r"layer(\d+)\.(\d+)\.", name))]
    blocks = [
        1 + max(int(place[2]) for place in places if int(place[1]) == stage)
        for stage in sorted({int(place[1]) for place in places})
    ]
    bottleneck = "layer1.0.conv3.weight" in params
    shortcuts = _read_shortcuts(params, len(blocks), last=3 if bottleneck else 2)
    return resnet(blocks, block="bottleneck" if bottleneck else "basic", shortcuts=shortcuts, head=head)


def _read_shortcuts(params: Params, stages: int, last: int) -> list[str | int | None]:
    shortcuts: list[str | int | None] = []
    channels = int(params["conv1.weight"].shape[0])
    for stage in range(1, stages + 1):
        named = [n for n in ("downsample", "shortcut") if f"layer{stage}.0.{n}.0.weight" in params]
        last_weight = params.get(f"layer{stage}.0.conv{last}.weight")
        outputs = channels if last_weight is None else int(last_weight.shape[0])
        if named:
            shortcuts.append(named[0])
        else:
            shortcuts.append((outputs - channels) // 2 if outputs > channels else None)
        channels = outputs
    return shortcuts
