"""torchvision's networks without residual streams: every produced feature map has a permutation of its own."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

from torch import nn

from .chains import each, total
from .images import image_model
from .installed import import_torchvision
from .registry import Model
from .symmetries import Symmetries

_tv = import_torchvision().models

VGG = {
    "vgg11": ((64,), (128,), (256, 256), (512, 512), (512, 512)),
    "vgg13": ((64, 64), (128, 128), (256, 256), (512, 512), (512, 512)),
    "vgg16": ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3),
    "vgg19": ((64, 64), (128, 128), (256,) * 4, (512,) * 4, (512,) * 4),
}
ALEXNET = (64, 192, 384, 256, 256)

# Squeeze, and half of the expansion, of each Fire module.
FIRE = {
    "squeezenet1_0": (
        96,
        ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256)),
    ),
    "squeezenet1_1": (
        64,
        ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256)),
    ),
}
# 1x1, 3x3 after its reduction, 5x5 after its reduction, and after pooling.
GOOGLENET = (
    (64, 96, 128, 16, 32, 32),
    (128, 128, 192, 32, 96, 64),
    (192, 96, 208, 16, 48, 64),
    (160, 112, 224, 24, 64, 64),
    (128, 128, 256, 24, 64, 64),
    (112, 144, 288, 32, 64, 64),
    (256, 160, 320, 32, 128, 128),
    (256, 160, 320, 32, 128, 128),
    (384, 192, 384, 48, 128, 128),
)


def _inception_v3(share: int = 1) -> Symmetries:
    stem = (32, 32, 64, 80, 192)
    a = [(64, 48, 64, 64, 96, 96, pool) for pool in (32, 64, 64)]
    b = (384, 64, 96, 96)
    c = [(192, n, n, 192, n, n, n, n, 192, 192) for n in (128, 160, 160, 192)]
    d = (192, 320, 192, 192, 192, 192)
    e = (320, 384, 384, 384, 448, 384, 384, 384, 192)
    return total(*(each(n // share for n in widths) for widths in (stem, *a, b, *c, d, e, e)))


def _with_hidden(make: Any, hidden: int, **options: Any) -> nn.Module:
    """The network with a classifier of ``hidden`` units: the published one holds most of the parameters."""
    model = make(**options)
    *_, last = (m for m in model.features if isinstance(m, nn.Conv2d))
    side = model.avgpool.output_size[0]
    model.classifier = nn.Sequential(
        nn.Linear(last.out_channels * side * side, hidden), nn.ReLU(), nn.Linear(hidden, 10)
    )
    return model


def _googlenet(share: int = 1) -> Symmetries:
    return total(*(each(n // share for n in widths) for widths in ((64, 64, 192), *GOOGLENET)))


def _eighth_of(
    make: Any, convolution: Any, modules: tuple[Any, ...], features: int, option: str
) -> nn.Module:
    """The network with an eighth of the channels everywhere."""

    def narrow(ins: int, outs: int, **options: Any) -> nn.Module:
        return convolution(ins // 8 if ins > 3 else ins, outs // 8, **options)

    blocks = [narrow, *(partial(module, conv_block=narrow) for module in modules), None]
    model = make(num_classes=10, aux_logits=False, init_weights=False, **{option: blocks})
    model.fc = nn.Linear(features // 8, 10)
    return model


def _small_inceptions() -> list[Model]:
    one, three = sys.modules[_tv.GoogLeNet.__module__], _tv.inception
    first = partial(_eighth_of, _tv.GoogLeNet, one.BasicConv2d, (one.Inception,), 1024, "blocks")
    third = partial(
        _eighth_of,
        _tv.Inception3,
        three.BasicConv2d,
        (three.InceptionA, three.InceptionB, three.InceptionC, three.InceptionD, three.InceptionE),
        2048,
        "inception_blocks",
    )
    return [
        Model("torchvision/googlenet, an eighth of it", image_model(first, 64), _googlenet(8)),
        Model("torchvision/inception_v3, an eighth of it", image_model(third, 96), _inception_v3(8)),
    ]


def _vgg(name: str, bn: str) -> Model:
    expected = total(*map(each, VGG[name]), each((4096, 4096)))
    build = image_model(getattr(_tv, name + bn), 32, weights=None, init_weights=False)
    return Model(f"torchvision/{name}{bn}", build, expected, small=False, narrow=_narrow_vgg(name, bn))


def _narrow_vgg(name: str, bn: str, small: bool = False) -> Model:
    expected = total(*map(each, VGG[name]), each((24,)))
    make = partial(_with_hidden, getattr(_tv, name + bn), 24, weights=None, init_weights=False)
    return Model(f"torchvision/{name}{bn}, 24 hidden units", image_model(make, 32), expected, small)


def _squeezenet(name: str) -> Model:
    stem, modules = FIRE[name]
    expected = total(each((stem,)), *(each((squeeze, half, half)) for squeeze, half in modules))
    return Model(
        f"torchvision/{name}",
        image_model(getattr(_tv, name), 64, weights=None),
        expected,
        small=name == "squeezenet1_1",
    )


_NARROW_ALEXNET = Model(
    "torchvision/alexnet, 24 hidden units",
    image_model(partial(_with_hidden, _tv.alexnet, 24, weights=None), 80),
    each((*ALEXNET, 24)),
)

MODELS = [
    _NARROW_ALEXNET,
    Model(
        "torchvision/alexnet",
        image_model(_tv.alexnet, 80, weights=None),
        each((*ALEXNET, 4096, 4096)),
        small=False,
        narrow=_NARROW_ALEXNET,
    ),
    *(_narrow_vgg("vgg11", bn, small=bn == "_bn") for bn in ("", "_bn")),
    *(_vgg(name, bn) for name in VGG for bn in ("", "_bn")),
    *(_squeezenet(name) for name in FIRE),
    Model(
        "torchvision/googlenet",
        image_model(_tv.googlenet, 64, weights=None, aux_logits=False, init_weights=False),
        _googlenet(),
        small=False,
    ),
    Model(
        "torchvision/inception_v3",
        image_model(_tv.inception_v3, 96, weights=None, aux_logits=False, init_weights=False),
        _inception_v3(),
        small=False,
    ),
    *_small_inceptions(),
]
