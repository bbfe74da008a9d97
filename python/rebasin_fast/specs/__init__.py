"""Ready permutation specs, one family per file, and their recognition from parameters."""

from rebasin_fast.specs.ready.attention import multihead_attention
from rebasin_fast.specs.ready.cnn import cnn
from rebasin_fast.specs.ready.densenet import densenet, densenet121, densenet161, densenet169, densenet201
from rebasin_fast.specs.ready.gpt2 import gpt2
from rebasin_fast.specs.ready.mlp import mlp
from rebasin_fast.specs.ready.recognition import for_params
from rebasin_fast.specs.ready.recurrent import recurrent
from rebasin_fast.specs.ready.resnet import (
    cifar_resnet,
    resnet,
    resnet18,
    resnet34,
    resnet50,
    resnet101,
    resnet152,
    wide_resnet50_2,
    wide_resnet101_2,
)
from rebasin_fast.specs.ready.resnext import resnext, resnext50_32x4d, resnext101_32x8d, resnext101_64x4d
from rebasin_fast.specs.ready.vgg import vgg, vgg11, vgg13, vgg16, vgg19
from rebasin_fast.specs.ready.vit import vit
from rebasin_fast.specs.recognised import RecognisedSpec

__all__ = [
    "RecognisedSpec",
    "cifar_resnet",
    "cnn",
    "densenet",
    "densenet121",
    "densenet161",
    "densenet169",
    "densenet201",
    "for_params",
    "gpt2",
    "mlp",
    "multihead_attention",
    "recurrent",
    "resnet",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnext",
    "resnext50_32x4d",
    "resnext101_32x8d",
    "resnext101_64x4d",
    "vgg",
    "vgg11",
    "vgg13",
    "vgg16",
    "vgg19",
    "vit",
    "wide_resnet50_2",
    "wide_resnet101_2",
]
