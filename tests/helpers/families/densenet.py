"""DenseNets with torchvision's names, narrow."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import nn

import rebasin_fast as rf
from helpers.families.example import Example, images


class DenseLayer(nn.Module):
    def __init__(self, inputs: int, growth: int, dotted: bool) -> None:
        super().__init__()
        modules = {
            "norm1": nn.BatchNorm2d(inputs),
            "conv1": nn.Conv2d(inputs, 2 * growth, 1, bias=False),
            "norm2": nn.BatchNorm2d(2 * growth),
            "conv2": nn.Conv2d(2 * growth, growth, 3, padding=1, bias=False),
        }
        self.steps = list(modules.values())
        if dotted:  # the names in the published files, which torchvision rewrites as it loads them
            self.norm = nn.ModuleDict({"1": modules["norm1"], "2": modules["norm2"]})
            self.conv = nn.ModuleDict({"1": modules["conv1"], "2": modules["conv2"]})
        else:
            for name, module in modules.items():
                setattr(self, name, module)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        layer = self
        norm1, conv1 = (
            (layer.norm["1"], layer.conv["1"]) if hasattr(layer, "conv") else (layer.norm1, layer.conv1)
        )
        norm2, conv2 = (
            (layer.norm["2"], layer.conv["2"]) if hasattr(layer, "conv") else (layer.norm2, layer.conv2)
        )
        return torch.cat([x, conv2(norm2(conv1(norm1(x).relu())).relu())], 1)


class Transition(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.norm, self.conv = nn.BatchNorm2d(inputs), nn.Conv2d(inputs, inputs // 2, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(self.norm(x).relu())
        return nn.functional.avg_pool2d(x, 2) if x.shape[-1] > 1 else x


class DenseNet(nn.Module):
    def __init__(self, blocks: Sequence[int], growth: int = 2, dotted: bool = False) -> None:
        super().__init__()
        channels = 4
        self.features = nn.Sequential()
        self.features.add_module("conv0", nn.Conv2d(3, channels, 3, padding=1, bias=False))
        self.features.add_module("norm0", nn.BatchNorm2d(channels))
        self.features.add_module("relu0", nn.ReLU())
        for number, layers in enumerate(blocks, 1):
            block = nn.Sequential()
            for layer in range(1, layers + 1):
                block.add_module(f"denselayer{layer}", DenseLayer(channels, growth, dotted))
                channels += growth
            self.features.add_module(f"denseblock{number}", block)
            if number < len(blocks):
                self.features.add_module(f"transition{number}", Transition(channels))
                channels //= 2
        self.features.add_module("norm5", nn.BatchNorm2d(channels))
        self.classifier = nn.Linear(channels, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(x).relu().mean((2, 3)))


PUBLISHED = {
    121: (rf.specs.densenet121, (6, 12, 24, 16), 120),
    161: (rf.specs.densenet161, (6, 12, 36, 24), 160),
    169: (rf.specs.densenet169, (6, 12, 32, 32), 168),
    201: (rf.specs.densenet201, (6, 12, 48, 32), 200),
}

EXAMPLES = [
    Example(
        "densenet of two blocks",
        partial(DenseNet, (3, 2), 3),
        partial(rf.specs.densenet, (3, 2)),
        images(8, batch=6),
    ),
    Example(
        "densenet with the names of the files",
        partial(DenseNet, (2, 1), dotted=True),
        partial(rf.specs.densenet, (2, 1), dotted=True),
        images(8),
    ),
    *(
        Example(
            f"densenet{depth}", partial(DenseNet, blocks), spec, images(8), permutations=count, mutated=False
        )
        for depth, (spec, blocks, count) in PUBLISHED.items()
    ),
]
