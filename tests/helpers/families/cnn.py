"""Chains of convolutions and linear layers."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

import rebasin_fast as rf
from helpers.families.example import Example, images, vectors


class Cnn(nn.Module):
    """LeNet's tree: two convolutions, a flatten of 4 x 4 pixels, two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 5, 3, padding=1), nn.Conv2d(5, 6, 3, padding=1)
        self.fc1, self.fc2 = nn.Linear(6 * 16, 7), nn.Linear(7, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.max_pool2d(self.conv1(x).relu(), 2)
        x = nn.functional.max_pool2d(self.conv2(x).relu(), 2)
        return self.fc2(self.fc1(x.flatten(1)).relu())


class Normed(nn.Module):
    """Norms after every hidden layer, convolutions without biases, in one container each."""

    def __init__(self) -> None:
        super().__init__()
        self.layer1 = nn.Sequential(
            nn.Conv2d(3, 5, 3, bias=False), nn.BatchNorm2d(5), nn.Tanh(), nn.MaxPool2d(2)
        )
        self.layer2 = nn.Sequential(
            nn.Conv2d(5, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Tanh(), nn.Flatten()
        )
        self.layer3 = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh())
        self.layer4 = nn.Sequential(nn.Linear(6, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


class Sound(nn.Module):
    """One spatial axis, and a GroupNorm whose groups a flatten follows."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv1d(2, 6, 3, padding=1), nn.GroupNorm(2, 6)
        self.head = nn.Linear(6 * 5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm1(self.conv1(x)).relu().flatten(1))


EXAMPLES = [
    Example(
        "cnn with flatten",
        Cnn,
        partial(rf.specs.cnn, ["conv1", "conv2"], ["fc1", "fc2"], positions=16),
        images(16),
        permutations=3,
    ),
    Example(
        "cnn with norms",
        Normed,
        partial(
            rf.specs.cnn,
            ["layer1.0", "layer2.0"],
            ["layer3.0", "layer4.0"],
            norms=["layer1.1", "layer2.1", "layer3.1"],
            bias=["layer3.0", "layer4.0"],
        ),
        images(8),
    ),
    Example(
        "cnn of one axis with GroupNorm(2)",
        Sound,
        partial(
            rf.specs.cnn,
            ["conv1"],
            ["head"],
            norms=["norm1"],
            positions=5,
            spatial=1,
            norm="layer",
            norm_groups=2,
        ),
        vectors(2, 2, 5),
        hints={"norm_groups": 2},
    ),
]
