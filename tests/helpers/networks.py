"""Networks of the ready specs by short names, with random parameters and inputs."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

import rebasin_fast as rf
from helpers.families.resnet import ResNet
from helpers.families.vgg import Vgg


def mlp(widths, *, bias=True):
    layers = []
    for inputs, outputs in itertools.pairwise(widths):
        layers += [nn.Linear(inputs, outputs, bias=bias), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


@dataclass(frozen=True)
class Known:
    """A network, its ready spec, and the shape of an input."""

    build: Callable[[], nn.Module]
    spec: Callable[[], rf.PermutationSpec]
    input_shape: tuple[int, ...]

    def inputs(self, batch=3):
        return torch.randn(batch, *self.input_shape, generator=torch.Generator().manual_seed(0))

    def arrays(self, seed=0):
        """A state dict of float32 NumPy arrays with random weights, buffers included."""
        torch.manual_seed(seed)
        return {
            name: torch.rand(tensor.shape).numpy() if tensor.ndim < 2 else tensor.detach().numpy().copy()
            for name, tensor in self.build().state_dict().items()
        }


def _cifar(depth, shortcut):
    blocks = [(depth - 2) // 6] * 3
    return Known(
        lambda: ResNet(blocks, shortcut="A" if shortcut == "A" else "shortcut", head="linear"),
        lambda: rf.specs.cifar_resnet(depth, shortcut=shortcut, width=4),
        (3, 8, 8),
    )


KNOWN = {
    "mlp": Known(lambda: mlp([6, 8, 8, 7, 3]), lambda: rf.specs.mlp([f"{i}" for i in range(0, 8, 2)]), (6,)),
    "mlp-without-biases": Known(
        lambda: mlp([6, 8, 8, 3], bias=False), lambda: rf.specs.mlp(["0", "2", "4"], bias=False), (6,)
    ),
    "resnet8-padded": _cifar(8, "A"),
    "resnet20-padded": _cifar(20, "A"),
    "resnet32-padded": _cifar(32, "A"),
    "resnet20-projected": _cifar(20, "B"),
    "resnet32-projected": _cifar(32, "B"),
    "resnet18": Known(lambda: ResNet([2, 2, 2, 2]), rf.specs.resnet18, (3, 8, 8)),
    "resnet50": Known(lambda: ResNet([3, 4, 6, 3], bottleneck=True), rf.specs.resnet50, (3, 8, 8)),
} | {
    f"vgg16-{form}{'-norm' * norm}": Known(
        lambda form=form, norm=norm: Vgg(16, form, nn.BatchNorm2d if norm else None),
        lambda form=form, norm=norm: rf.specs.vgg16(form, batch_norm=norm),
        (3, 32, 32),
    )
    for form in ("cifar", "imagenet")
    for norm in (False, True)
}
