"""timm's networks of attention, perceptrons and pooling over tokens."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import nn

from .chains import Chain, each, encoder, repeated, total
from .images import image_model
from .installed import import_timm
from .registry import Model
from .symmetries import Symmetries, attention, units
from .torchvision_attention import convnext, swin, vit

_timm = import_timm()

EFFICIENTFORMER = {
    "efficientformer_l1": ((48, 96, 224, 448), (3, 2, 6, 4), 1),
    "efficientformer_l3": ((64, 128, 320, 512), (4, 4, 12, 6), 4),
    "efficientformer_l7": ((96, 192, 384, 768), (6, 6, 18, 8), 8),
}
VOLO_D1 = ((4, 4, 8, 2), (192, 384), (6, 12))


def mixer(layers: int, width: int, tokens: int, channels: int) -> Symmetries:
    """Positions cannot move, but the hidden units that mix them can."""
    return total(units(width), repeated(layers, each((tokens, channels))))


def maxvit(
    stem: tuple[int, int], widths: tuple[int, ...], blocks: tuple[int, ...], bias_hidden: int = 1
) -> Symmetries:
    """The expansion follows a block's input. A stage that keeps the width only pools its shortcut."""
    chain = Chain(*stem)
    for width, count in zip(widths, blocks, strict=True):
        partition = total(encoder(width, width // 32, 4 * width), units(bias_hidden))
        for block in range(count):
            expanded = 4 * chain.channels
            inner = total(units(expanded), units(expanded // 16), repeated(2, partition))
            chain.block(width, inner, residual=block > 0 or width == chain.channels)
    return chain.found


def coatnet(
    stem: tuple[int, int], widths: tuple[int, ...], blocks: tuple[int, ...], head: int = 32
) -> Symmetries:
    """Two stages of inverted residuals, squeezed to a quarter, and two of attention, whose heads follow its input."""
    chain = Chain(*stem)
    for stage, (width, count) in enumerate(zip(widths, blocks, strict=True)):
        for block in range(count):
            if stage < 2:
                inner = each((4 * chain.channels, chain.channels))
            else:
                inner = total(attention(chain.channels // head, head, head), units(4 * width))
            chain.block(width, inner, residual=block > 0 or width == chain.channels)
    return chain.found


def efficientformer(widths: tuple[int, ...], blocks: tuple[int, ...], transformers: int) -> Symmetries:
    """Pooling blocks, then at the very end attention of 8 heads: 32 wide for queries and keys, 128 for values."""
    found = total(units(widths[0] // 2), each(widths))
    found = total(
        found, *(repeated(count, units(4 * width)) for width, count in zip(widths, blocks, strict=True))
    )
    return total(found, repeated(transformers, attention(8, 128, 32)))


def volo(blocks: tuple[int, ...], widths: tuple[int, int], heads: tuple[int, int]) -> Symmetries:
    """Outlook attention computes its weights without keys. Only the first stage ends in a downsampling."""
    outlooks, *rest = blocks
    outlook = total(attention(heads[0], widths[0] // heads[0], None), units(3 * widths[0]))
    class_blocks = 2
    transformers = repeated(sum(rest) + class_blocks, encoder(widths[1], heads[1], 3 * widths[1]))
    return total(each((64, 64, 64, *widths)), repeated(outlooks, outlook), transformers)


def _model(
    name: str,
    expected: Symmetries,
    size: int = 64,
    small: bool = False,
    narrow: Model | None = None,
    **options: Any,
) -> Model:
    label = f"{name}, narrow" if small else name
    build = image_model(partial(_timm.create_model, name, **options), size)
    return Model(f"timm/{label}", build, expected, small, narrow)


def _narrow_vit(name: str, layers: int = 2, heads: int = 3, small: bool = True) -> Model:
    options = {"img_size": 32, "embed_dim": 4 * heads, "depth": layers, "num_heads": heads, "num_classes": 10}
    build = image_model(partial(_timm.create_model, name, **options), 32)
    label = f"timm/{name}, {layers} layers of {heads} heads of 4"
    return Model(label, build, vit(layers, heads, 4 * heads, 16 * heads), small)


def _volo_narrow() -> Model:
    options = {"layers": (1, 1, 1), "embed_dims": (12, 24, 24), "num_heads": (2, 3, 3), "stem_hidden_dim": 8,
               "downsamples": (True, False, False), "outlook_attention": (True, False, False)}  # fmt: skip
    expected = total(
        each((8, 8, 8, 12, 24)),
        attention(2, 6, None),
        units(36),
        repeated(4, encoder(24, 3, 72)),
    )
    build = partial(_timm.models.volo.VOLO, img_size=32, num_classes=10, **options)
    return Model("timm/volo, narrow", image_model(build, 32), expected)


def _efficientformer_narrow(blocks: tuple[int, ...], transformers: int, small: bool = False) -> Model:
    widths = (8, 12, 16, 20)
    make = partial(
        _timm.models.efficientformer.EfficientFormer, blocks, widths, num_vit=transformers, num_classes=10
    )
    name = f"timm/efficientformer, {sum(blocks)} narrow blocks"
    return Model(name, image_model(make, 224), efficientformer(widths, blocks, transformers), small)


def _mixer_narrow(layers: int, small: bool = False) -> Model:
    make = partial(
        _timm.models.mlp_mixer.MlpMixer,
        img_size=64,
        patch_size=32,
        embed_dim=12,
        num_blocks=layers,
        num_classes=10,
    )
    return Model(
        f"timm/mixer, {layers} narrow layers", image_model(make, 64), mixer(layers, 12, 6, 48), small
    )


def _poolformer_narrow() -> Model:
    widths, blocks = (8, 12, 16, 20), (1, 2, 1, 1)
    options = {
        "downsample_norm": None, "mlp_act": nn.GELU, "mlp_bias": True, "layer_scale_init_values": 1e-5,
        "norm_layers": _timm.layers.GroupNorm1, "res_scale_init_values": None, "use_mlp_head": False,
    }  # fmt: skip
    make = partial(_timm.models.metaformer.MetaFormer, depths=blocks, dims=widths, num_classes=10, **options)
    return Model("timm/poolformer, narrow", image_model(make, 64), convnext(widths, blocks))


_BEIT_BASE = Model(
    "timm/beit_base_patch16_224",
    image_model(partial(_timm.create_model, "beit_base_patch16_224", img_size=32), 32),
    vit(12, 12, 768, 3072),
    small=False,
    narrow=_narrow_vit("beit_base_patch16_224", 12, 12, small=False),
    weightless=False,
)

MODELS = [
    *map(_narrow_vit, ("deit_tiny_patch16_224", "deit_tiny_distilled_patch16_224", "beit_base_patch16_224")),
    _model("deit_tiny_patch16_224", vit(12, 3, 192, 768), 224),
    _model("deit_tiny_distilled_patch16_224", vit(12, 3, 192, 768), 224),
    _model("deit_base_patch16_224", vit(12, 12, 768, 3072), 32, img_size=32,
           narrow=_narrow_vit("deit_base_patch16_224", 12, 12, small=False)),
    _BEIT_BASE,
    _model("swinv2_tiny_window8_256", swin(12, (2, 2), (2, 3), units(512)), 32, small=True, img_size=32, embed_dim=12,
           depths=(2, 2), num_heads=(2, 3), window_size=4, num_classes=10),
    _model("swinv2_tiny_window8_256", swin(96, (2, 2, 6, 2), (3, 6, 12, 24), units(512)), 256),
    _mixer_narrow(2, small=True),
    _model("mixer_s32_224", mixer(8, 512, 256, 2048), 224),
    _model("mixer_b16_224", mixer(12, 768, 384, 3072), 64, narrow=_mixer_narrow(12), img_size=64),
    _poolformer_narrow(),
    _model("poolformer_s12", convnext((64, 128, 320, 512), (2, 2, 6, 2)), 64),
    _model("poolformerv2_s12", convnext((64, 128, 320, 512), (2, 2, 6, 2)), 64),
    _model("maxvit_rmlp_pico_rw_256", maxvit((8, 32), (32, 64), (2, 1), 512), 64, small=True, img_size=64,
           embed_dim=(32, 64), depths=(2, 1), block_type=("M", "M"), stem_width=(8, 32), num_classes=10),
    _model("maxvit_rmlp_pico_rw_256", maxvit((24, 32), (32, 64, 128, 256), (2, 2, 5, 2), 512), 256),
    _model("maxvit_tiny_rw_224", maxvit((32, 64), (64, 128, 256, 512), (2, 2, 5, 2)), 224),
    _model("coatnet_pico_rw_224", coatnet((8, 16), (16, 24, 32, 64), (1, 1, 1, 2), 8), 64, small=True, img_size=64,
           embed_dim=(16, 24, 32, 64), depths=(1, 1, 1, 2), stem_width=(8, 16), num_classes=10,
           transformer_dim_head=8),
    _model("coatnet_pico_rw_224", coatnet((32, 64), (64, 128, 256, 512), (2, 3, 5, 2)), 224),
    _model("coatnet_0_rw_224", coatnet((32, 64), (96, 192, 384, 768), (2, 3, 7, 2)), 224),
    _efficientformer_narrow((1, 1, 1, 2), 1, small=True),
    *(
        _model(name, efficientformer(*config), 224, narrow=_efficientformer_narrow(*config[1:]))
        for name, config in EFFICIENTFORMER.items()
    ),
    _volo_narrow(),
    _model("volo_d1_224", volo(*VOLO_D1), 224),
]  # fmt: skip
