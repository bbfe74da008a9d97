"""The common structure of residual networks: a stem, stages of blocks on one stream, a linear head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from rebasin_fast.specs.axis import Concat, Entry, Slice
from rebasin_fast.specs.reading.hints import Hints, NormKind, needed_norm
from rebasin_fast.specs.reading.names import last_of_each
from rebasin_fast.specs.ready.fragments import SpecBuilder
from rebasin_fast.typing import Params

# The shortcut of a stage's first block: None (the identity), a projection by its name, channels of zeros.
Shortcut: TypeAlias = None | str | int | tuple[int, int]

# Adds the layers of one block: (builder, block's name, entry of its inputs, entry of its outputs).
AddBlock: TypeAlias = Callable[[SpecBuilder, str, Entry, Entry], None]

_PROJECTIONS = ("downsample", "shortcut")
_NORMS = ("bn", "norm", "ln", "gn")
_HEADS = ("fc", "linear", "classifier")


@dataclass(frozen=True, slots=True)
class ResidualNames:
    """Names that differ between the published residual networks: ``bn1``, ``fc``."""

    norm: str = "bn"
    head: str = "fc"


def add_residual_network(
    builder: SpecBuilder,
    blocks: Sequence[int],
    shortcuts: Sequence[Shortcut],
    add_block: AddBlock,
    names: ResidualNames,
) -> None:
    """Add stem, stages and head; the stream is moved by ``stem`` and by ``stageS`` where a shortcut renews it."""
    if len(blocks) != len(shortcuts):
        raise ValueError(
            f"shortcuts has {len(shortcuts)} entries, and blocks {len(blocks)} stages: give one a stage"
        )
    stream = builder.channels("stem")
    builder.convolution("conv1", None, stream)
    builder.norm(f"{names.norm}1", stream)
    for stage, (count, shortcut) in enumerate(zip(blocks, shortcuts, strict=True), 1):
        before, stream = stream, _stream(builder, stream, f"stage{stage}", shortcut)
        for index in range(count):
            name = f"layer{stage}.{index}"
            add_block(builder, name, before if index == 0 else stream, stream)
            if index == 0 and isinstance(shortcut, str):
                builder.convolution(f"{name}.{shortcut}.0", before, stream)
                builder.norm(f"{name}.{shortcut}.1", stream)
    builder.dense(names.head, stream, None)


def _stream(builder: SpecBuilder, before: Entry, name: str, shortcut: Shortcut) -> Entry:
    if shortcut is None:
        return before
    if isinstance(shortcut, str):
        return builder.channels(name)
    if builder.norm_groups > 1:
        raise ValueError(
            "a GroupNorm of several groups cuts across zero-padded shortcuts; no ready spec covers that"
        )
    left, right = (shortcut, shortcut) if isinstance(shortcut, int) else shortcut
    pieces = [Slice(name, 0, left)] if left else []
    ends = [Slice(name, left, left + right)] if right else []
    return Concat(*pieces, before, *ends)


@dataclass(frozen=True, slots=True)
class ResidualLayout:
    """Stages, shortcuts and names of a residual network, read from its parameters."""

    blocks: list[int]
    shortcuts: list[Shortcut]
    convolutions: int
    names: ResidualNames
    statistics: bool

    def norm(self, hints: Hints) -> tuple[NormKind, int]:
        """Kind and groups of the norms; HintNeededError where the groups are needed and not given."""
        described = f"a residual network of {sum(self.blocks)} blocks"
        return needed_norm(hints, self.statistics, described, f"{self.names.norm}1")


def read_residual_layout(params: Params) -> ResidualLayout | None:
    """The layout of a network in torchvision's names, or None; zeros are taken to be padded on both sides."""
    if "conv1.weight" not in params or "layer1.0.conv1.weight" not in params:
        return None
    norm = next((name for name in _NORMS if f"{name}1.weight" in params), None)
    head = next((name for name in _HEADS if f"{name}.weight" in params), None)
    if norm is None or head is None:
        return None
    last = last_of_each(params, r"layer(\d+)\.(\d+)\.")
    if last is None:
        return None
    convolutions = 3 if "layer1.0.conv3.weight" in params else 2
    return ResidualLayout(
        blocks=[index + 1 for index in last],
        shortcuts=_read_shortcuts(params, len(last), convolutions),
        convolutions=convolutions,
        names=ResidualNames(norm, head),
        statistics=f"{norm}1.running_mean" in params,
    )


def _read_shortcuts(params: Params, stages: int, convolutions: int) -> list[Shortcut]:
    shortcuts: list[Shortcut] = []
    channels = int(params["conv1.weight"].shape[0])
    for stage in range(1, stages + 1):
        named = [name for name in _PROJECTIONS if f"layer{stage}.0.{name}.0.weight" in params]
        last_weight = params.get(f"layer{stage}.0.conv{convolutions}.weight")
        outputs = channels if last_weight is None else int(last_weight.shape[0])
        if named:
            shortcuts.append(named[0])
        else:
            shortcuts.append((outputs - channels) // 2 if outputs > channels else None)
        channels = outputs
    return shortcuts
