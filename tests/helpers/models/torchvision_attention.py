"""torchvision's vision transformers, and ConvNeXt."""

from __future__ import annotations

from functools import partial

from torch import nn

from .chains import Chain, each, encoder, repeated, total
from .images import image_model
from .installed import import_torchvision
from .registry import Model
from .symmetries import Symmetries, units

_tv = import_torchvision().models

# Patch, layers, heads, width, hidden units.
VIT = {
    "vit_b_16": (16, 12, 12, 768, 3072),
    "vit_b_32": (32, 12, 12, 768, 3072),
    "vit_l_16": (16, 24, 16, 1024, 4096),
    "vit_l_32": (32, 24, 16, 1024, 4096),
    "vit_h_14": (14, 32, 16, 1280, 5120),
}
# Width, blocks and heads of the stages.
SWIN = {
    "t": (96, (2, 2, 6, 2), (3, 6, 12, 24)),
    "s": (96, (2, 2, 18, 2), (3, 6, 12, 24)),
    "b": (128, (2, 2, 18, 2), (4, 8, 16, 32)),
}
CONVNEXT = {
    "tiny": ((96, 192, 384, 768), (3, 3, 9, 3)),
    "small": ((96, 192, 384, 768), (3, 3, 27, 3)),
    "base": ((128, 256, 512, 1024), (3, 3, 27, 3)),
    "large": ((192, 384, 768, 1536), (3, 3, 27, 3)),
}
# The second version computes biases from two coordinates, which a buffer holds: they may change places in it.
POSITION_BIAS = {1: None, 2: each((512, 2))}
MAXVIT_T = (64, (64, 128, 256, 512), (2, 2, 5, 2), 32)


def vit(layers: int, heads: int, width: int, hidden: int) -> Symmetries:
    """One stream, with its class token and position embeddings."""
    return total(units(width), repeated(layers, encoder(width, heads, hidden)))


def swin(
    width: int, blocks: tuple[int, ...], heads: tuple[int, ...], bias: Symmetries | None = None
) -> Symmetries:
    """A stream a stage: merging four neighbours begins a new one. ``bias``: what computes a block's position biases."""
    found = total()
    for stage, (count, stage_heads) in enumerate(zip(blocks, heads, strict=True)):
        channels = width << stage
        block = total(encoder(channels, stage_heads, 4 * channels), bias or total())
        found = total(found, units(channels), repeated(count, block))
    return found


def convnext(widths: tuple[int, ...], blocks: tuple[int, ...]) -> Symmetries:
    """A stream a stage, and the expansion of each block."""
    stages = zip(widths, blocks, strict=True)
    return total(*(total(units(width), repeated(count, units(4 * width))) for width, count in stages))


def maxvit(stem: int, widths: tuple[int, ...], blocks: tuple[int, ...], head: int) -> Symmetries:
    """In each block an inverted residual with its squeeze, attention in windows, and attention over the grid."""
    chain = Chain(stem, stem)
    for width, count in zip(widths, blocks, strict=True):
        transformer = encoder(width, width // head, 4 * width)
        inner = total(units(4 * width), units(width // 4), repeated(2, transformer))
        for block in range(count):
            chain.block(width, inner, residual=block > 0)
    return total(chain.found, units(widths[-1]))


def _vit(name: str) -> Model:
    patch, layers, heads, width, hidden = VIT[name]
    build = image_model(getattr(_tv, name), 2 * patch, weights=None, image_size=2 * patch)
    expected = vit(layers, heads, width, hidden)
    return Model(f"torchvision/{name}", build, expected, small=False, narrow=_narrow_vit(layers, heads))


def _narrow_vit(layers: int, heads: int, small: bool = False) -> Model:
    make = partial(
        _tv.VisionTransformer,
        image_size=16, patch_size=8, num_layers=layers, num_heads=heads, hidden_dim=4 * heads, mlp_dim=20,
        num_classes=10,
    )  # fmt: skip
    return Model(
        f"torchvision/vit, {layers} layers of {heads} heads of 4",
        image_model(make, 16),
        vit(layers, heads, 4 * heads, 20),
        small,
    )


def _narrow_swin(version: int, blocks: tuple[int, ...], heads: tuple[int, ...], small: bool = False) -> Model:
    parts = {}
    if version == 2:
        parts = {"block": _tv.swin_transformer.SwinTransformerBlockV2}
        parts["downsample_layer"] = _tv.swin_transformer.PatchMergingV2
    width = 4 * heads[0]
    make = partial(
        _tv.SwinTransformer,
        patch_size=[4, 4], embed_dim=width, depths=list(blocks), num_heads=list(heads), window_size=[4, 4],
        norm_layer=nn.LayerNorm, num_classes=10, **parts,
    )  # fmt: skip
    name = f"torchvision/swin v{version}, {sum(blocks)} narrow blocks"
    return Model(name, image_model(make, 64), swin(width, blocks, heads, POSITION_BIAS[version]), small)


def _swin(size: str, version: int) -> Model:
    name = f"swin_{'v2_' if version == 2 else ''}{size}"
    width, blocks, heads = SWIN[size]
    build = image_model(getattr(_tv, name), 64, weights=None)
    expected = swin(width, blocks, heads, POSITION_BIAS[version])
    return Model(
        f"torchvision/{name}", build, expected, small=False, narrow=_narrow_swin(version, blocks, heads)
    )


def _narrow_convnext(blocks: tuple[int, ...], small: bool = False) -> Model:
    widths = (8, 12, 16, 20)
    settings = [
        _tv.convnext.CNBlockConfig(width, after, count)
        for width, after, count in zip(widths, (*widths[1:], None), blocks, strict=True)
    ]
    make = partial(_tv.ConvNeXt, settings, num_classes=10)
    name = f"torchvision/convnext, {sum(blocks)} narrow blocks"
    return Model(name, image_model(make, 64), convnext(widths, blocks), small)


def _convnext(size: str) -> Model:
    widths, blocks = CONVNEXT[size]
    build = image_model(getattr(_tv, f"convnext_{size}"), 64, weights=None)
    return Model(
        f"torchvision/convnext_{size}",
        build,
        convnext(widths, blocks),
        small=False,
        narrow=_narrow_convnext(blocks),
    )


def _small_maxvit() -> Model:
    stem, widths, blocks, head = 8, (8, 16), (2, 1), 4
    make = partial(
        _tv.MaxVit,
        input_size=(32, 32), stem_channels=stem, partition_size=4, block_channels=list(widths),
        block_layers=list(blocks), head_dim=head, stochastic_depth_prob=0.0, num_classes=10,
    )  # fmt: skip
    return Model("torchvision/maxvit, 2 stages", image_model(make, 32), maxvit(stem, widths, blocks, head))


MODELS = [
    _narrow_vit(2, 3, small=True),
    *map(_vit, VIT),
    *(_narrow_swin(version, (2, 2), (2, 4), small=True) for version in (1, 2)),
    *(_swin(size, version) for version in (1, 2) for size in SWIN),
    _narrow_convnext((2, 1, 2, 1), small=True),
    *map(_convnext, CONVNEXT),
    _small_maxvit(),
    Model(
        "torchvision/maxvit_t", image_model(_tv.maxvit_t, 224, weights=None), maxvit(*MAXVIT_T), small=False
    ),
]
