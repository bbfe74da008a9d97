"""timm's convolutional networks."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

from .chains import Chain, each, grouped, repeated, rounded, total
from .images import image_model
from .installed import import_timm
from .registry import Model
from .regnet import RegNet
from .symmetries import Symmetries, units
from .torchvision_attention import convnext
from .torchvision_residual import bottleneck

_timm = import_timm()

REGNET_Y = {
    "regnety_002": RegNet(13, 24, 36.44, 2.49, 8, 0.25),
    "regnety_004": RegNet(16, 48, 27.89, 2.09, 8, 0.25),
    "regnety_016": RegNet(27, 48, 20.71, 2.65, 24, 0.25),
}
CONVNEXT_V2 = {
    "convnextv2_atto": ((40, 80, 160, 320), (2, 2, 6, 2)),
    "convnextv2_tiny": ((96, 192, 384, 768), (3, 3, 9, 3)),
}
# Width, blocks and (for g4) nothing else: the variants without groups.
REPVGG = {
    "repvgg_a0": ((48, 96, 192, 1280), (2, 4, 14, 1), 48),
    "repvgg_b0": ((64, 128, 256, 1280), (4, 6, 16, 1), 64),
}
# Expanded channels, channels, squeezed or not, stride, at width 1.
GHOSTNET = (
    (16, 16, False, 1), (48, 24, False, 2), (72, 24, False, 1), (72, 40, True, 2), (120, 40, True, 1),
    (240, 80, False, 2), (200, 80, False, 1), (184, 80, False, 1), (184, 80, False, 1), (480, 112, True, 1),
    (672, 112, True, 1), (672, 160, True, 2), (960, 160, False, 1), (960, 160, True, 1), (960, 160, False, 1),
    (960, 160, True, 1),
)  # fmt: skip
# Branches and blocks a branch of stages 2 to 4, each of so many modules; channels of the first branch.
HRNET = {
    "hrnet_w18_small": (1, 32, (1, 1, 1), 2, 16),
    "hrnet_w18_small_v2": (2, 64, (1, 3, 2), 2, 18),
}
# Blocks, share of the output kept inside, width of a group, features, share squeezed.
NFNET = {
    "nfnet_f0": ((1, 2, 6, 3), 0.5, 128, 3072, 0.5),
    "dm_nfnet_f0": ((1, 2, 6, 3), 0.5, 128, 3072, 0.5),
    "nfnet_l0": ((1, 2, 6, 3), 0.25, 64, 2304, 0.25),
}
# Kind, expansion, channels, blocks, stride of the first.
EFFICIENTNET_V2 = {
    "tf_efficientnetv2_b0": (
        32, (("conv", 1, 16, 1, 1), ("fused", 4, 32, 2, 2), ("fused", 4, 48, 2, 2), ("plain", 4, 96, 3, 2),
             ("plain", 6, 112, 5, 1), ("plain", 6, 192, 8, 2)), 1280,
    ),
    "efficientnetv2_rw_s": (
        24, (("narrow", 1, 24, 2, 1), ("fused", 4, 48, 4, 2), ("fused", 4, 64, 4, 2), ("plain", 4, 128, 6, 2),
             ("plain", 6, 160, 9, 1), ("plain", 6, 272, 15, 2)), 1792,
    ),
}  # fmt: skip
# Expansion (0: a convolution, "fused": four times, "mqa": attention of four heads of 64), channels, stride.
MOBILENET_V4 = {
    "mobilenetv4_conv_small": (
        32, ((0, 32, 2), (0, 32, 1), (0, 96, 2), (0, 64, 1), (3, 96, 2), *4 * [(2, 96, 1)], (4, 96, 1), (6, 128, 2),
             (4, 128, 1), (4, 128, 1), (3, 128, 1), (4, 128, 1), (4, 128, 1), (0, 960, 1)),
    ),
    "mobilenetv4_conv_medium": (
        32, (("fused", 48, 2), (4, 80, 2), (2, 80, 1), (6, 160, 2), *5 * [(4, 160, 1)], (2, 160, 1), (4, 160, 1),
             (6, 256, 2), *5 * [(4, 256, 1)], (2, 256, 1), *3 * [(4, 256, 1)], (2, 256, 1), (0, 960, 1)),
    ),
    "mobilenetv4_hybrid_medium": (
        32, (("fused", 48, 2), (4, 80, 2), (2, 80, 1), (6, 160, 2), (2, 160, 1), (4, 160, 1), (4, 160, 1),
             *4 * [("mqa", 160, 1), (4, 160, 1)],
             (6, 256, 2), *3 * [(4, 256, 1)], *3 * [(2, 256, 1)], (4, 256, 1), *4 * [("mqa", 256, 1), (4, 256, 1)],
             (0, 960, 1)),
    ),
}  # fmt: skip


def resnet(
    blocks: tuple[int, ...], expansion: int, *, deep: bool = False, squeeze: bool = False, base: int = 64
) -> Symmetries:
    """A stem of one convolution, or of three; blocks of two or three convolutions, perhaps squeezed at their end."""
    chain = Chain(*(base // 2, base // 2, base) if deep else (base,))
    for stage, count in enumerate(blocks):
        width = base << stage
        for block in range(count):
            inner = each((width,) * (1 if expansion == 1 else 2))
            if squeeze:
                inner = total(inner, units(rounded(expansion * width / 16, limit=0.0)))
            chain.block(expansion * width, inner, residual=block > 0 or (expansion == 1 and stage == 0))
    return chain.found


def efficientnet_v2(
    stem: int, stages: tuple[tuple[str, int, int, int, int], ...], features: int
) -> Symmetries:
    """Convolutions, fused blocks, squeezed ones. A fused block that does not expand has an inner map all the same."""
    chain = Chain(stem)
    for kind, expansion, channels, blocks, stride in stages:
        for block in range(blocks):
            inner = Counter() if kind == "conv" else units(expansion * chain.channels)
            if kind == "plain":
                inner = total(inner, units(chain.channels // 4))
            chain.block(channels, inner, residual=(block > 0 or stride == 1) and channels == chain.channels)
    return total(chain.found, units(features))


def mobilenet_v4(stem: int, blocks: tuple[tuple[Any, int, int], ...]) -> Symmetries:
    """Depthwise convolutions move with what they stand in; all query heads share their keys and values."""
    chain = Chain(stem)
    for kind, channels, stride in blocks:
        if kind == "mqa":
            inner = total(units(4), each((64, 64)))
        elif kind == 0:
            inner = Counter()
        else:
            inner = units((4 if kind == "fused" else kind) * chain.channels)
        residual = kind != 0 and stride == 1 and channels == chain.channels
        chain.block(channels, inner, residual=residual)
    return total(chain.found, units(1280))


def hrnet(layers: int, width: int, modules: tuple[int, ...], blocks: int, branch: int) -> Symmetries:
    """A stream for each resolution, which all fusions write into, from its first module to its last.

    A fusion that halves the resolution more than once keeps the maps between to itself. The head turns each
    resolution into a stream of its own.
    """
    chain = Chain(64, 64)
    for block in range(layers):
        chain.block(4 * width, each((width, width)), residual=block > 0)
    found = total(chain.found, each(branch << level for level in range(4)))
    for stage, count in enumerate(modules):
        levels = range(stage + 2)
        inside = total(*(repeated(blocks, units(branch << level)) for level in levels))
        between = total(
            *(repeated(to - start - 1, units(branch << start)) for to in levels for start in range(to))
        )
        found = total(found, repeated(count, total(inside, between)))
    head = (32, 64, 128, 256)
    return total(found, *(each((n, n, 4 * n)) for n in head), units(2048))


def nfnet(
    blocks: tuple[int, ...],
    inside: float,
    group: int,
    features: int,
    squeeze: float,
    widths: tuple[int, ...] = (256, 512, 1536, 1536),
    stem: int = 128,
) -> Symmetries:
    """Two grouped convolutions in a row share their groups; standardised weights move as others do."""
    chain = Chain(stem // 8, stem // 4, stem // 2, stem)
    for count, channels in zip(blocks, widths, strict=True):
        kept = int(channels * inside)
        inner = total(grouped(kept, kept // group, after=2), units(rounded(channels * squeeze, limit=0.0)))
        for block in range(count):
            chain.block(channels, inner, residual=block > 0)
    return total(chain.found, units(features))


def repvgg(widths: tuple[int, ...], blocks: tuple[int, ...], stem: int) -> Symmetries:
    """Blocks that keep their shape add their input: one stream a stage, and nothing inside."""
    chain = Chain(stem)
    for width, count in zip(widths, blocks, strict=True):
        for block in range(count):
            chain.block(width, Counter(), residual=block > 0)
    return chain.found


def ghostnet(scale: float) -> Symmetries:
    """Half of each map is a depthwise image of the other half, and moves with it: permutations of half the size."""

    def width(channels: int) -> int:
        return rounded(scale * channels, 4)

    chain = Chain(width(16) // 2)
    for expanded, channels, squeezed, stride in GHOSTNET:
        inner = units(width(expanded) // 2)
        if squeezed:
            inner = total(inner, units(rounded(width(expanded) * 0.25, 4)))
        half = width(channels) // 2
        chain.block(half, inner, residual=stride == 1 and half == chain.channels)
    return total(chain.found, each((width(960), 1280)))


def _model(
    name: str, expected: Symmetries, small: bool = False, narrow: Model | None = None, **options: Any
) -> Model:
    label = name if not options else f"{name}, narrow"
    build = image_model(partial(_timm.create_model, name, **options), 64)
    return Model(f"timm/{label}", build, expected, small, narrow)


def _nfnet_narrow(blocks: tuple[int, ...], small: bool = False) -> Model:
    """Groups of 8: as many as the channels of a stage make."""
    widths = (24, 48, 64, 64)[: len(blocks)]
    config = _timm.models.nfnet.NfCfg(
        depths=blocks, channels=widths, stem_type="deep_quad", stem_chs=16, group_size=8, bottle_ratio=1.0,
        extra_conv=True, num_features=40, act_layer="gelu", attn_layer="se", attn_kwargs={"rd_ratio": 0.5},
        same_padding=True, skipinit=True, gamma_in_act=True,
    )  # fmt: skip
    build = image_model(partial(_timm.models.nfnet.NormFreeNet, config, num_classes=10), 64)
    expected = nfnet(blocks, 1.0, 8, 40, 0.5, widths, 16)
    return Model(f"timm/nfnet, {sum(blocks)} narrow blocks", build, expected, small)


MODELS = [
    _nfnet_narrow((1, 2), small=True),
    _model("resnet18d", resnet((1, 1, 1, 1), 1, deep=True), small=True, layers=(1, 1, 1, 1), num_classes=10),
    _model("resnet18d", resnet((2, 2, 2, 2), 1, deep=True)),
    _model("resnet50d", resnet((3, 4, 6, 3), 4, deep=True)),
    _model("resnext50_32x4d", bottleneck((3, 4, 6, 3), 32, 4)),
    _model(
        "seresnet18", resnet((1, 1, 1, 1), 1, squeeze=True), small=True, layers=(1, 1, 1, 1), num_classes=10
    ),
    _model("seresnet18", resnet((2, 2, 2, 2), 1, squeeze=True)),
    _model("seresnet50", resnet((3, 4, 6, 3), 4, squeeze=True)),
    *(_model(name, efficientnet_v2(*config)) for name, config in EFFICIENTNET_V2.items()),
    *(
        _model(name, mobilenet_v4(*config), small=name.endswith("small"))
        for name, config in MOBILENET_V4.items()
    ),
    *(_model(name, convnext(*config), small=name.endswith("atto")) for name, config in CONVNEXT_V2.items()),
    *(_model(name, config.symmetries()) for name, config in REGNET_Y.items()),
    *(_model(name, hrnet(*config), small=name == "hrnet_w18_small") for name, config in HRNET.items()),
    *(_model(name, nfnet(*config), narrow=_nfnet_narrow(config[0])) for name, config in NFNET.items()),
    *(_model(name, repvgg(*config), small=name.endswith("a0")) for name, config in REPVGG.items()),
    *(
        _model(name, ghostnet(scale), small=scale == 0.5)
        for name, scale in (("ghostnet_050", 0.5), ("ghostnet_100", 1.0), ("ghostnet_130", 1.3))
    ),
]
