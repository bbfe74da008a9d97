"""Ready permutation specs, one family per file, and their recognition from parameters."""

from rebasin_fast.specs.attention import multihead_attention
from rebasin_fast.specs.cnn import cnn
from rebasin_fast.specs.densenet import densenet, densenet121, densenet161, densenet169, densenet201
from rebasin_fast.specs.gpt2 import gpt2
from rebasin_fast.specs.mlp import mlp
from rebasin_fast.specs.recognised import RecognisedSpec
from rebasin_fast.specs.recognition import for_params
from rebasin_fast.specs.recurrent import recurrent
from rebasin_fast.specs.resnet import (
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
from rebasin_fast.specs.resnext import resnext, resnext50_32x4d, resnext101_32x8d, resnext101_64x4d
from rebasin_fast.specs.vgg import vgg, vgg11, vgg13, vgg16, vgg19
from rebasin_fast.specs.vit import vit

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
