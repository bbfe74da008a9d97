"""torchvision's networks of inverted residuals: an expansion for each block, and streams where shapes stay."""

from __future__ import annotations

from collections import Counter
from functools import partial
from math import ceil

from .chains import Chain, rounded, total
from .images import image_model
from .installed import import_torchvision
from .registry import Model
from .symmetries import Symmetries, units

_tv = import_torchvision().models

# Expansion, channels, blocks, stride of the first.
MOBILENET_V2 = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)
)  # fmt: skip
# Expanded channels, channels, squeezed or not, stride.
MOBILENET_V3 = {
    "small": (
        (16, 16, True, 2), (72, 24, False, 2), (88, 24, False, 1), (96, 40, True, 2), (240, 40, True, 1),
        (240, 40, True, 1), (120, 48, True, 1), (144, 48, True, 1), (288, 96, True, 2), (576, 96, True, 1),
        (576, 96, True, 1),
    ),
    "large": (
        (16, 16, False, 1), (64, 24, False, 2), (72, 24, False, 1), (72, 40, True, 2), (120, 40, True, 1),
        (120, 40, True, 1), (240, 80, False, 2), (200, 80, False, 1), (184, 80, False, 1), (184, 80, False, 1),
        (480, 112, True, 1), (672, 112, True, 1), (672, 160, True, 2), (960, 160, True, 1), (960, 160, True, 1),
    ),
}  # fmt: skip
V3_HIDDEN = {"small": 1024, "large": 1280}
# Expansion, channels, blocks, stride of the first.
EFFICIENTNET = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 40, 2, 2), (6, 80, 3, 2), (6, 112, 3, 1), (6, 192, 4, 2), (6, 320, 1, 1)
)  # fmt: skip
SCALES = {
    "b0": (1.0, 1.0), "b1": (1.0, 1.1), "b2": (1.1, 1.2), "b3": (1.2, 1.4), "b4": (1.4, 1.8), "b5": (1.6, 2.2),
    "b6": (1.8, 2.6), "b7": (2.0, 3.1),
}  # fmt: skip
# Fused or not, expansion, channels, blocks, stride of the first.
EFFICIENTNET_V2 = {
    "s": ((True, 1, 24, 2, 1), (True, 4, 48, 4, 2), (True, 4, 64, 4, 2), (False, 4, 128, 6, 2),
          (False, 6, 160, 9, 1), (False, 6, 256, 15, 2)),
    "m": ((True, 1, 24, 3, 1), (True, 4, 48, 5, 2), (True, 4, 80, 5, 2), (False, 4, 160, 7, 2),
          (False, 6, 176, 14, 1), (False, 6, 304, 18, 2), (False, 6, 512, 5, 1)),
    "l": ((True, 1, 32, 4, 1), (True, 4, 64, 7, 2), (True, 4, 96, 7, 2), (False, 4, 192, 10, 2),
          (False, 6, 224, 19, 1), (False, 6, 384, 25, 2), (False, 6, 640, 7, 1)),
}  # fmt: skip


def mobilenet_v2(stem: int = 32) -> Symmetries:
    """The depthwise convolution moves with the expansion, or with the stem where nothing expands."""
    chain = Chain(stem)
    for expansion, channels, blocks, stride in MOBILENET_V2:
        for block in range(blocks):
            inner = units(expansion * chain.channels) if expansion > 1 else Counter()
            residual = (block > 0 or stride == 1) and channels == chain.channels
            chain.block(channels, inner, residual=residual)
    return total(chain.found, units(1280))


def mobilenet_v3_features(size: str) -> Symmetries:
    """Up to the last convolution, which widens six times."""
    chain = Chain(16)
    for expanded, channels, squeezed, stride in MOBILENET_V3[size]:
        inner = units(expanded) if expanded != chain.channels else Counter()
        if squeezed:
            inner = total(inner, units(rounded(expanded / 4)))
        chain.block(channels, inner, residual=stride == 1 and channels == chain.channels)
    return total(chain.found, units(6 * chain.channels))


def efficientnet(width: float, depth: float) -> Symmetries:
    """The squeeze is a quarter of the block's input; what is not expanded stays in the stream before it."""
    chain = Chain(rounded(32 * width))
    for expansion, channels, blocks, stride in EFFICIENTNET:
        _mobile_stage(chain, False, expansion, rounded(channels * width), ceil(blocks * depth), stride)
    return total(chain.found, units(4 * chain.channels))


def efficientnet_v2(size: str, share: int = 1) -> Symmetries:
    """Fused blocks have an ordinary convolution in place of the expansion, and no squeeze."""
    chain = Chain(rounded(EFFICIENTNET_V2[size][0][2] / share))
    for fused, expansion, channels, blocks, stride in EFFICIENTNET_V2[size]:
        _mobile_stage(chain, fused, expansion, rounded(channels / share), blocks, stride)
    return total(chain.found, units(1280 // share))


def _mobile_stage(chain: Chain, fused: bool, expansion: int, channels: int, blocks: int, stride: int) -> None:
    for block in range(blocks):
        inner = units(rounded(expansion * chain.channels)) if expansion > 1 else Counter()
        if not fused:
            inner = total(inner, units(max(1, chain.channels // 4)))
        chain.block(channels, inner, residual=(block > 0 or stride == 1) and channels == chain.channels)


def mnasnet(alpha: float) -> Symmetries:
    """A separable stem, then stacks of inverted residuals."""
    first, stem, *stacks = (rounded(alpha * channels) for channels in (32, 16, 24, 40, 80, 96, 192, 320))
    chain = Chain(first, stem)
    shapes = zip(stacks, (3, 3, 6, 6, 6, 6), (3, 3, 3, 2, 4, 1), (2, 2, 2, 1, 2, 1), strict=True)
    for channels, expansion, blocks, stride in shapes:
        for block in range(blocks):
            residual = (block > 0 or stride == 1) and channels == chain.channels
            chain.block(channels, units(expansion * chain.channels), residual=residual)
    return total(chain.found, units(1280))


def _model(name: str, expected: Symmetries, small: bool = False, narrow: Model | None = None) -> Model:
    return Model(
        f"torchvision/{name}", image_model(getattr(_tv, name), 64, weights=None), expected, small, narrow
    )


def _narrow_v1(name: str) -> Model:
    """A quarter as wide as b0, and as deep as the published network."""
    depth = SCALES[name][1]
    settings, _ = _tv.efficientnet._efficientnet_conf("efficientnet_b0", width_mult=0.25, depth_mult=depth)
    build = image_model(partial(_tv.EfficientNet, settings, dropout=0.1, num_classes=10), 64)
    return Model(f"torchvision/efficientnet_{name}, narrow", build, efficientnet(0.25, depth), small=False)


def _narrow_v2(size: str) -> Model:
    """An eighth as wide as the published network, and as deep."""
    kinds = {True: _tv.efficientnet.FusedMBConvConfig, False: _tv.efficientnet.MBConvConfig}
    settings, ins = [], rounded(EFFICIENTNET_V2[size][0][2] / 8)
    for fused, expansion, channels, blocks, stride in EFFICIENTNET_V2[size]:
        settings.append(kinds[fused](expansion, 3, stride, ins, rounded(channels / 8), blocks))
        ins = rounded(channels / 8)
    make = partial(_tv.EfficientNet, settings, dropout=0.1, last_channel=160, num_classes=10)
    name = f"torchvision/efficientnet_v2_{size}, narrow"
    return Model(name, image_model(make, 64), efficientnet_v2(size, 8), small=False)


def _small_v2() -> Model:
    """Three stages of an EfficientNetV2, narrow: two of fused blocks and one of squeezed ones."""
    fused, plain = _tv.efficientnet.FusedMBConvConfig, _tv.efficientnet.MBConvConfig
    settings = [fused(1, 3, 1, 8, 8, 2), fused(4, 3, 2, 8, 16, 2), plain(4, 3, 2, 16, 24, 2)]
    make = partial(_tv.EfficientNet, settings, dropout=0.1, last_channel=40, num_classes=10)
    chain = Chain(8)
    for stage in ((True, 1, 8, 2, 1), (True, 4, 16, 2, 2), (False, 4, 24, 2, 2)):
        _mobile_stage(chain, *stage)
    return Model(
        "torchvision/efficientnet_v2, 3 stages", image_model(make, 64), total(chain.found, units(40))
    )


MODELS = [
    _model("mobilenet_v2", mobilenet_v2(), small=True),
    *(
        _model(
            f"mobilenet_v3_{size}",
            total(mobilenet_v3_features(size), units(V3_HIDDEN[size])),
            small=size == "small",
        )
        for size in MOBILENET_V3
    ),
    *(
        _model(
            f"efficientnet_{name}",
            efficientnet(*scale),
            name == "b0",
            None if name < "b3" else _narrow_v1(name),
        )
        for name, scale in SCALES.items()
    ),
    _small_v2(),
    *(
        _model(f"efficientnet_v2_{size}", efficientnet_v2(size), narrow=_narrow_v2(size))
        for size in EFFICIENTNET_V2
    ),
    *(
        _model(f"mnasnet{str(alpha).replace('.', '_')}", mnasnet(alpha), small=alpha == 0.5)
        for alpha in (0.5, 0.75, 1.0, 1.3)
    ),
]
