"""VGG networks with torchvision's names, narrow: convolutions of 4 to 8 channels, small linear layers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

import rebasin_fast as rf
from helpers.families.example import Example, images

# Simonyan & Zisserman 2015, table 1, configurations A, B, D, E: widths in units of 64 channels, 0 a pooling.
CONFIGURATIONS = {
    11: [1, 0, 2, 0, 4, 4, 0, 8, 8, 0, 8, 8, 0],
    13: [1, 1, 0, 2, 2, 0, 4, 4, 0, 8, 8, 0, 8, 8, 0],
    16: [1, 1, 0, 2, 2, 0, 4, 4, 4, 0, 8, 8, 8, 0, 8, 8, 8, 0],
    19: [1, 1, 0, 2, 2, 0, 4, 4, 4, 4, 0, 8, 8, 8, 8, 0, 8, 8, 8, 8, 0],
}
PUBLISHED = {11: rf.specs.vgg11, 13: rf.specs.vgg13, 16: rf.specs.vgg16, 19: rf.specs.vgg19}


class Vgg(nn.Module):
    """torchvision's module tree; the CIFAR form drops out before each linear layer and has one pixel left."""

    def __init__(self, depth: int, form: str, norm: Callable[[int], nn.Module] | None) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for width in CONFIGURATIONS[depth]:
            if width == 0:
                layers.append(nn.MaxPool2d(2))
                continue
            outputs = 3 + width
            layers.append(nn.Conv2d(inputs, outputs, 3, padding=1))
            if norm is not None:
                layers.append(norm(outputs))
            layers.append(nn.ReLU())
            inputs = outputs
        self.features = nn.Sequential(*layers)
        pixels = 1 if form == "cifar" else 7
        self.avgpool = nn.AdaptiveAvgPool2d(pixels)
        first = nn.Linear(inputs * pixels**2, 9)
        rest = (nn.Linear(9, 8), nn.Linear(8, 4))
        self.classifier = (
            nn.Sequential(nn.Dropout(), first, nn.ReLU(), nn.Dropout(), rest[0], nn.ReLU(), rest[1])
            if form == "cifar"
            else nn.Sequential(first, nn.ReLU(), nn.Dropout(), rest[0], nn.ReLU(), nn.Dropout(), rest[1])
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


class CifarVgg(nn.Module):
    """The form with one linear layer called ``classifier``, and a norm that keeps no statistics."""

    def __init__(self, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        blocks = [(3, 4), (4, 6)]
        self.features = nn.Sequential(
            *(
                layer
                for i, o in blocks
                for layer in (nn.Conv2d(i, o, 3, padding=1), norm(o), nn.ReLU(), nn.MaxPool2d(2))
            )
        )
        self.classifier = nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(x).mean((2, 3)))


def published(depth: int, form: str, batch_norm: bool) -> Example:
    return Example(
        f"vgg{depth}{'_bn' if batch_norm else ''} {form}",
        partial(Vgg, depth, form, nn.BatchNorm2d if batch_norm else None),
        partial(PUBLISHED[depth], form, batch_norm=batch_norm),
        images(32 if form == "cifar" else 64, batch=1),
        permutations=len(CONFIGURATIONS[depth]) - 5 + 2,
        mutated=depth in (11, 16),
        deep=depth == 16,
        thorough=depth == 16 and not batch_norm,
    )


def grouped(groups: int) -> Example:
    names = (["features.0", "features.4"], ["features.1", "features.5"], ["classifier"])
    return Example(
        f"vgg with GroupNorm({groups})",
        partial(CifarVgg, partial(nn.GroupNorm, groups)),
        partial(rf.specs.vgg, *names, norm="layer", norm_groups=groups),
        images(8),
        hints={"norm_groups": groups},
    )


EXAMPLES = [
    *(
        published(depth, form, norm)
        for depth in PUBLISHED
        for form in ("cifar", "imagenet")
        for norm in (False, True)
    ),
    grouped(1),
    grouped(2),
]
