"""Multi-layer perceptrons."""

from __future__ import annotations

import torch
from torch import nn

import rebasin_fast as rf
from helpers.families.example import Example, vectors


class Named(nn.Module):
    """Layers with names of their own, more than ten of them, so that sorting matters."""

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        self.layers = [f"fc{i + 1}" for i in range(len(widths) - 1)]
        for name, inputs, outputs in zip(self.layers, widths, widths[1:], strict=False):
            setattr(self, name, nn.Linear(inputs, outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for name in self.layers[:-1]:
            x = getattr(self, name)(x).relu()
        return getattr(self, self.layers[-1])(x)


def sequential() -> nn.Module:
    return nn.Sequential(
        nn.Linear(4, 20, bias=False),
        nn.Tanh(),
        nn.Linear(20, 18, bias=False),
        nn.Tanh(),
        nn.Linear(18, 12, bias=False),
    )


EXAMPLES = [
    Example(
        "mlp",
        lambda: Named([4, 8, 6, 3]),
        lambda: rf.specs.mlp(["fc1", "fc2", "fc3"]),
        vectors(3, 4),
        permutations=2,
        thorough=True,
    ),
    Example(
        "mlp of 12 layers",
        lambda: Named([4] + [20] * 11 + [10]),
        lambda: rf.specs.mlp([f"fc{i}" for i in range(1, 13)]),
        vectors(3, 4),
        permutations=11,
    ),
    Example(
        "mlp without biases",
        sequential,
        lambda: rf.specs.mlp(["0", "2", "4"], bias=False),
        vectors(3, 4),
        thorough=True,
    ),
]
