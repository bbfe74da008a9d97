"""Networks whose units have symmetries beyond their order, without norms, in a few layers each."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from helpers.symmetric_networks import Gated


class Sine(nn.Module):
    """The activation of SIREN."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(30.0 * x)


def perceptron(activation: Callable[[], nn.Module], *widths: int) -> nn.Sequential:
    """Linear layers with an activation between them."""
    pairs = list(itertools.pairwise(widths))
    layers = [layer for inputs, outputs in pairs for layer in (nn.Linear(inputs, outputs), activation())]
    return nn.Sequential(*layers[:-1])


def convolutional(activation: Callable[[], nn.Module], width: int) -> nn.Sequential:
    """Convolutions without norms, pooling, and linear layers behind a flattened picture of 2 x 2."""
    return nn.Sequential(
        nn.Conv2d(3, width, 3, padding=1), activation(), nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1), activation(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(8 * width, 2 * width), activation(), nn.Linear(2 * width, 5),
    )  # fmt: skip


class LowRank(nn.Module):
    """A frozen linear map, and a trained product of two of a low rank beside it (LoRA)."""

    def __init__(self, inputs: int, outputs: int, rank: int) -> None:
        super().__init__()
        self.frozen = nn.Linear(inputs, outputs)
        self.down, self.up = nn.Linear(inputs, rank, bias=False), nn.Linear(rank, outputs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.frozen(x) + 2.0 * self.up(self.down(x))


class Adapted(nn.Module):
    """Two linear maps with a low-rank pair around each, and a GELU between."""

    def __init__(self, width: int, rank: int) -> None:
        super().__init__()
        self.first, self.second = LowRank(6, width, rank), LowRank(width, 4, rank)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(functional.gelu(self.first(x)))


def gated(width: int) -> nn.Sequential:
    """Two gated layers, with a linear map between."""
    return nn.Sequential(Gated(6, width, width), nn.Tanh(), Gated(width, width, 4))


def rows(count: int, width: int) -> Callable[[], Tensor]:
    """Random inputs, the same at every call."""
    return lambda: torch.randn(count, width, generator=torch.Generator().manual_seed(0))


def pictures(size: int) -> Callable[[], Tensor]:
    return lambda: torch.randn(4, 3, size, size, generator=torch.Generator().manual_seed(0))


# What builds a network of some width, and its inputs.
FAMILIES: dict[str, tuple[Callable[[int], nn.Module], Callable[[], Tensor]]] = {
    "tanh": (lambda width: perceptron(nn.Tanh, 6, width, width, width, 4), rows(8, 6)),
    "SIREN": (lambda width: perceptron(Sine, 2, width, width, width, 3), rows(8, 2)),
    "ReLU": (lambda width: perceptron(nn.ReLU, 6, width, width, width, 4), rows(8, 6)),
    "gated": (gated, rows(8, 6)),
    "CNN, ReLU": (lambda width: convolutional(nn.ReLU, width), pictures(8)),
    "CNN, tanh": (lambda width: convolutional(nn.Tanh, width), pictures(8)),
    "LoRA": (lambda width: Adapted(width, 4), rows(8, 6)),
}
