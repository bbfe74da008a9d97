"""Residual networks with torchvision's names, and the CIFAR networks of He et al. 2016; narrow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import nn
from torch.nn import functional

import rebasin_fast as rf
from helpers.families.example import Example, images

Norm = Callable[[int], nn.Module]


class Block(nn.Module):
    """A basic block, or with ``expansion`` a bottleneck; norms are called ``bn1``, … or ``norm1``, …."""

    def __init__(
        self,
        inputs: int,
        inner: int,
        outputs: int,
        stride: int,
        bottleneck: bool,
        shortcut: str,
        norm: Norm,
        norm_name: str,
    ) -> None:
        super().__init__()
        widths = [inputs, inner, inner, outputs] if bottleneck else [inputs, inner, outputs]
        kernels = [1, 3, 1] if bottleneck else [3, 3]
        self.count, self.stride, self.norm_name, self.shortcut_name = (
            len(kernels),
            stride,
            norm_name,
            shortcut,
        )
        for number, (i, o, kernel) in enumerate(zip(widths, widths[1:], kernels, strict=False), 1):
            step = stride if number == self.count - 1 else 1
            setattr(self, f"conv{number}", nn.Conv2d(i, o, kernel, step, kernel // 2, bias=False))
            setattr(self, f"{norm_name}{number}", norm(o))
        self.padding = (outputs - inputs) // 2 if shortcut == "A" else 0
        if shortcut != "A" and (stride > 1 or inputs != outputs):
            setattr(
                self,
                shortcut,
                nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), norm(outputs)),
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        stream = x
        if self.shortcut_name == "A":
            stream = functional.pad(
                x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.padding, self.padding)
            )
        elif hasattr(self, self.shortcut_name):
            stream = getattr(self, self.shortcut_name)(x)
        for number in range(1, self.count + 1):
            x = getattr(self, f"{self.norm_name}{number}")(getattr(self, f"conv{number}")(x))
            x = x.relu() if number < self.count else (x + stream).relu()
        return x


class ResNet(nn.Module):
    def __init__(
        self,
        blocks: Sequence[int],
        width: int = 4,
        bottleneck: bool = False,
        inner: int = 1,
        shortcut: str = "downsample",
        head: str = "fc",
        norm: Norm = nn.BatchNorm2d,
        norm_name: str = "bn",
    ) -> None:
        super().__init__()
        self.head, self.norm_name, self.stages = head, norm_name, len(blocks)
        self.conv1 = nn.Conv2d(3, width, 3, padding=1, bias=False)
        setattr(self, f"{norm_name}1", norm(width))
        channels = width
        for stage, count in enumerate(blocks):
            hidden = width << stage
            outputs = 2 * hidden if bottleneck else hidden
            layers = []
            for index in range(count):
                stride = 2 if stage > 0 and index == 0 else 1
                layers.append(
                    Block(channels, hidden * inner, outputs, stride, bottleneck, shortcut, norm, norm_name)
                )
                channels = outputs
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
        setattr(self, head, nn.Linear(channels, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = getattr(self, f"{self.norm_name}1")(self.conv1(x)).relu()
        for stage in range(1, self.stages + 1):
            x = getattr(self, f"layer{stage}")(x)
        return getattr(self, self.head)(x.mean((2, 3)))


class ChannelNorm(nn.Module):
    """LayerNorm over the channels of each pixel, as ConvNeXt and the original's Flax networks do."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.layer_norm(x.movedim(1, -1), self.weight.shape, self.weight, self.bias).movedim(
            -1, 1
        )


def cifar(depth: int, shortcut: str) -> Example:
    module_shortcut = "A" if shortcut == "A" else "shortcut"
    count = (depth - 2) // 6
    return Example(
        f"cifar resnet{depth} option {shortcut}",
        partial(ResNet, [count] * 3, shortcut=module_shortcut, head="linear"),
        partial(rf.specs.cifar_resnet, depth, shortcut=shortcut, width=4),
        images(8, batch=1),
        permutations=3 + 3 * count,
        mutated=depth <= 20,
        deep=True,
        thorough=depth == 8,
    )


def normed(name: str, norm: Norm, groups: int, norm_name: str = "bn") -> Example:
    return Example(
        f"resnet with {name}",
        partial(ResNet, [1, 1], norm=norm, norm_name=norm_name),
        partial(
            rf.specs.resnet,
            [1, 1],
            shortcuts=[None, "downsample"],
            norm="layer",
            norm_groups=groups,
            norm_name=norm_name,
        ),
        images(8),
        hints={"norm_groups": groups},
    )


BASIC = {18: [2, 2, 2, 2], 34: [3, 4, 6, 3]}
BOTTLENECK = {50: [3, 4, 6, 3], 101: [3, 4, 23, 3], 152: [3, 8, 36, 3]}
PUBLISHED = {
    18: (rf.specs.resnet18, 12),
    34: (rf.specs.resnet34, 20),
    50: (rf.specs.resnet50, 37),
    101: (rf.specs.resnet101, 71),
    152: (rf.specs.resnet152, 105),
}

WIDE = {50: rf.specs.wide_resnet50_2, 101: rf.specs.wide_resnet101_2}

EXAMPLES = [
    *(
        Example(
            f"resnet{depth}",
            partial(ResNet, blocks),
            PUBLISHED[depth][0],
            images(8, batch=1),
            permutations=PUBLISHED[depth][1],
            mutated=depth == 18,
            deep=depth == 18,
        )
        for depth, blocks in BASIC.items()
    ),
    *(
        Example(
            f"{'wide ' if inner > 1 else ''}resnet{depth}",
            partial(ResNet, blocks, bottleneck=True, inner=inner),
            WIDE[depth] if inner > 1 else PUBLISHED[depth][0],
            images(8, batch=1),
            permutations=PUBLISHED[depth][1],
            mutated=depth == 50 and inner == 1,
            deep=True,
        )
        for depth, blocks in BOTTLENECK.items()
        for inner in (1, 2)
        if (depth, inner) != (152, 2)
    ),
    *(cifar(depth, shortcut) for depth in (8, 20, 32, 44, 56, 110) for shortcut in ("A", "B")),
    normed("LayerNorm", ChannelNorm, 1, "norm"),
    normed("GroupNorm(1)", partial(nn.GroupNorm, 1), 1),
    normed("GroupNorm(2)", partial(nn.GroupNorm, 2), 2),
]
