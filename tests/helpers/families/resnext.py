"""ResNeXts with torchvision's names, narrow."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import nn

import rebasin_fast as rf
from helpers.families.example import Example, images


class GroupedBlock(nn.Module):
    def __init__(self, inputs: int, inner: int, outputs: int, stride: int, groups: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, inner, 1, bias=False), nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3, self.bn3 = nn.Conv2d(inner, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        self.downsample = (
            nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
            if inputs != outputs
            else None
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        stream = x if self.downsample is None else self.downsample(x)
        x = self.bn1(self.conv1(x)).relu()
        x = self.bn2(self.conv2(x)).relu()
        return (self.bn3(self.conv3(x)) + stream).relu()


class ResNext(nn.Module):
    def __init__(self, blocks: Sequence[int], groups: int, per_group: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        channels, self.stages = 4, len(blocks)
        for stage, count in enumerate(blocks):
            layers = []
            for index in range(count):
                outputs = 8 << stage
                stride = 2 if stage > 0 and index == 0 else 1
                layers.append(GroupedBlock(channels, groups * per_group << stage, outputs, stride, groups))
                channels = outputs
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
        self.fc = nn.Linear(channels, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.bn1(self.conv1(x)).relu()
        for stage in range(1, self.stages + 1):
            x = getattr(self, f"layer{stage}")(x)
        return self.fc(x.mean((2, 3)))


EXAMPLES = [
    Example(
        "resnext of 3 groups",
        partial(ResNext, [2, 1], 3, 2),
        partial(rf.specs.resnext, [2, 1], groups=3),
        images(8),
    ),
    *(
        Example(name, partial(ResNext, blocks, groups, 2), spec, images(8), permutations=count, mutated=False)
        for name, blocks, groups, spec, count in (
            ("resnext50_32x4d", [3, 4, 6, 3], 32, rf.specs.resnext50_32x4d, 53),
            ("resnext101_32x8d", [3, 4, 23, 3], 32, rf.specs.resnext101_32x8d, 104),
            ("resnext101_64x4d", [3, 4, 23, 3], 64, rf.specs.resnext101_64x4d, 104),
        )
    ),
]
