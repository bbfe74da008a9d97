"""torchvision's residual networks: one stream a stage, and the units inside each block."""

from __future__ import annotations

from functools import partial

from .chains import Chain, each, grouped
from .images import image_model
from .installed import import_torchvision
from .registry import Model
from .regnet import RegNet
from .symmetries import Symmetries

_tv = import_torchvision().models

BASIC = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}
# Blocks of each stage, groups, and width of a group in the first stage.
BOTTLENECK = {
    "resnet50": ((3, 4, 6, 3), 1, 64),
    "resnet101": ((3, 4, 23, 3), 1, 64),
    "resnet152": ((3, 8, 36, 3), 1, 64),
    "wide_resnet50_2": ((3, 4, 6, 3), 1, 128),
    "wide_resnet101_2": ((3, 4, 23, 3), 1, 128),
    "resnext50_32x4d": ((3, 4, 6, 3), 32, 4),
    "resnext101_32x8d": ((3, 4, 23, 3), 32, 8),
    "resnext101_64x4d": ((3, 4, 23, 3), 64, 4),
}
REGNET_X = {
    "regnet_x_400mf": RegNet(22, 24, 24.48, 2.54, 16),
    "regnet_x_800mf": RegNet(16, 56, 35.73, 2.28, 16),
    "regnet_x_1_6gf": RegNet(18, 80, 34.01, 2.25, 24),
    "regnet_x_3_2gf": RegNet(25, 88, 26.31, 2.25, 48),
    "regnet_x_8gf": RegNet(23, 80, 49.56, 2.88, 120),
    "regnet_x_16gf": RegNet(22, 216, 55.59, 2.1, 128),
    "regnet_x_32gf": RegNet(23, 320, 69.86, 2.0, 168),
}
REGNET_Y = {
    "regnet_y_400mf": RegNet(16, 48, 27.89, 2.09, 8, 0.25),
    "regnet_y_800mf": RegNet(14, 56, 38.84, 2.4, 16, 0.25),
    "regnet_y_1_6gf": RegNet(27, 48, 20.71, 2.65, 24, 0.25),
    "regnet_y_3_2gf": RegNet(21, 80, 42.63, 2.66, 24, 0.25),
    "regnet_y_8gf": RegNet(17, 192, 76.82, 2.19, 56, 0.25),
    "regnet_y_16gf": RegNet(18, 200, 106.23, 2.48, 112, 0.25),
    "regnet_y_32gf": RegNet(20, 232, 115.89, 2.53, 232, 0.25),
    "regnet_y_128gf": RegNet(27, 456, 160.83, 2.52, 264, 0.25),
}
NARROW = {"x": RegNet(7, 16, 8.0, 2.0, 8), "y": RegNet(7, 16, 8.0, 2.0, 8, 0.25)}
SMALL_ENOUGH = ("resnet50", "resnext50_32x4d")


def basic(blocks: tuple[int, ...], stem: int = 64) -> Symmetries:
    """Two convolutions a block. The first stage goes on in the stem's stream."""
    chain = Chain(stem)
    for stage, count in enumerate(blocks):
        width = 64 << stage
        for block in range(count):
            chain.block(width, each((width,)), residual=block > 0 or stage == 0)
    return chain.found


def bottleneck(blocks: tuple[int, ...], groups: int, group_width: int) -> Symmetries:
    """Three convolutions a block, the middle one in groups; the stream is wider by the published factor."""
    chain = Chain(64)
    for stage, count in enumerate(blocks):
        inner = groups * group_width << stage
        for block in range(count):
            chain.block(256 << stage, grouped(inner, groups), residual=block > 0)
    return chain.found


def _regnet(name: str, config: RegNet, small: bool = True) -> Model:
    parameters = _tv.regnet.BlockParams.from_init_params(
        config.depth, config.initial, config.slope, config.step, config.group, se_ratio=config.squeeze or None
    )
    make = partial(_tv.regnet.RegNet, parameters, num_classes=10)
    return Model(
        f"torchvision/{name}, {config.depth} blocks", image_model(make, 64), config.symmetries(), small
    )


def _narrow_bottleneck(blocks: tuple[int, ...], groups: int, small: bool = False) -> Model:
    make = partial(
        _tv.ResNet, _tv.resnet.Bottleneck, list(blocks), groups=groups, width_per_group=4, num_classes=10
    )
    name = f"torchvision/resnet of {sum(blocks)} blocks, {groups} group{'s' * (groups > 1)} of 4"
    return Model(name, image_model(make, 64), bottleneck(blocks, groups, 4), small)


def _model(name: str, expected: Symmetries, small: bool = False, narrow: Model | None = None) -> Model:
    build = image_model(getattr(_tv, name), 64, weights=None)
    return Model(f"torchvision/{name}", build, expected, small, narrow)


def _bottleneck(name: str) -> Model:
    blocks, groups, width = BOTTLENECK[name]
    narrow = None if name in SMALL_ENOUGH else _narrow_bottleneck(blocks, min(groups, 4))
    return _model(name, bottleneck(blocks, groups, width), narrow=narrow)


def _published_regnet(name: str, config: RegNet) -> Model:
    """Narrow copies have the same stages: the published line, scaled down."""
    scale = 16 / config.initial
    narrow = RegNet(config.depth, 16, config.slope * scale, config.step, 8, config.squeeze)
    return _model(name, config.symmetries(), narrow=_regnet(name, narrow, small=False))


MODELS = [
    *(_model(name, basic(blocks), name == "resnet18") for name, blocks in BASIC.items()),
    _narrow_bottleneck((1, 1, 1, 1), 4, small=True),
    *map(_bottleneck, BOTTLENECK),
    *(_regnet(f"regnet_{kind}", config) for kind, config in NARROW.items()),
    *(_published_regnet(name, config) for name, config in {**REGNET_X, **REGNET_Y}.items()),
]
