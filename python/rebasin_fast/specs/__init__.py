"""Ready permutation specs, one family per file, and their recognition from parameters."""

from rebasin_fast.specs.cnn import cnn
from rebasin_fast.specs.mlp import mlp
from rebasin_fast.specs.recognition import for_params
from rebasin_fast.specs.resnet import (
    cifar_resnet,
    resnet,
    resnet18,
    resnet34,
    resnet50,
    resnet101,
    resnet152,
)
from rebasin_fast.specs.vgg import vgg, vgg11, vgg13, vgg16, vgg19

__all__ = [
    "cifar_resnet",
    "cnn",
    "for_params",
    "mlp",
    "resnet",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "vgg",
    "vgg11",
    "vgg13",
    "vgg16",
    "vgg19",
]
