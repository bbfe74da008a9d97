"""torchvision's segmentation networks, and a plain U-Net."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from .chains import each, total
from .images import image_model
from .installed import import_torchvision
from .registry import Model
from .symmetries import Symmetries, units
from .torchvision_mobile import mobilenet_v3_features
from .torchvision_residual import BOTTLENECK, bottleneck

_tv = import_torchvision().models

BACKBONES = {
    "resnet50": (bottleneck(*BOTTLENECK["resnet50"]), 2048, 1024),
    "resnet101": (bottleneck(*BOTTLENECK["resnet101"]), 2048, 1024),
    "mobilenet_v3_large": (mobilenet_v3_features("large"), 960, 40),
}


def fcn(backbone: str, auxiliary: bool = False) -> Symmetries:
    """Heads keep a quarter of what they read."""
    found, channels, inside = BACKBONES[backbone]
    return total(found, units(channels // 4), units(inside // 4) if auxiliary else total())


def deeplab(backbone: str, auxiliary: bool = False) -> Symmetries:
    """Five parallel maps of 256 channels, their projection, and one more convolution."""
    found, _, inside = BACKBONES[backbone]
    return total(found, each(7 * (256,)), units(inside // 4) if auxiliary else total())


def lraspp() -> Symmetries:
    """Of 128 channels, which the image's scale multiplies."""
    return total(BACKBONES["mobilenet_v3_large"][0], units(128))


class UNet(nn.Module):
    """Double convolutions, pooling, transposed convolutions, and skips that are concatenated."""

    def __init__(self, widths: tuple[int, ...], classes: int = 4) -> None:
        super().__init__()
        ins = (3, *widths[:-1])
        self.down = nn.ModuleList(_double(i, o) for i, o in zip(ins, widths, strict=True))
        pairs = list(zip(widths[1:], widths[:-1], strict=True))[::-1]
        self.up = nn.ModuleList(nn.ConvTranspose2d(deep, wide, 2, stride=2) for deep, wide in pairs)
        self.joined = nn.ModuleList(_double(2 * wide, wide) for _, wide in pairs)
        self.head = nn.Conv2d(widths[0], classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skips = []
        for block in self.down:
            skips.append(block(x))
            x = nn.functional.max_pool2d(skips[-1], 2)
        x = skips.pop()
        for up, joined in zip(self.up, self.joined, strict=True):
            x = joined(torch.cat([skips.pop(), up(x)], dim=1))
        return self.head(x)


def unet(widths: tuple[int, ...]) -> Symmetries:
    """Two maps a level on the way down; on the way up the upsampled map and two more."""
    return each((*2 * widths, *3 * widths[:-1]))


def _double(ins: int, outs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (ins, outs):
        layers += [nn.Conv2d(channels, outs, 3, padding=1, bias=False), nn.BatchNorm2d(outs), nn.ReLU()]
    return nn.Sequential(*layers)


def _model(name: str, expected: Symmetries, **options: Any) -> Model:
    make: Callable[..., nn.Module] = getattr(_tv.segmentation, name)
    build = image_model(make, 64, weights=None, weights_backbone=None, **options)
    label = name + (" with its auxiliary head" if options.get("aux_loss") else "")
    return Model(f"torchvision/{label}", build, expected, small=name.startswith("lraspp"))


MODELS = [
    Model("own/U-Net", image_model(partial(UNet, (6, 8, 10)), 32), unet((6, 8, 10))),
    Model("own/U-Net, 64 to 1024", image_model(partial(UNet, (64, 128, 256, 512, 1024)), 32),
          unet((64, 128, 256, 512, 1024)), small=False),
    *(_model(f"fcn_{name}", fcn(name)) for name in ("resnet50", "resnet101")),
    _model("fcn_resnet50", fcn("resnet50", auxiliary=True), aux_loss=True),
    *(_model(f"deeplabv3_{name}", deeplab(name)) for name in BACKBONES),
    _model("lraspp_mobilenet_v3_large", lraspp()),
]  # fmt: skip
