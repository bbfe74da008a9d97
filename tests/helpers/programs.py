"""Tiny programs over a few parameters, and the permutations found in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

import rebasin_fast as rf


class Program(nn.Module):
    """``body(self, *inputs)`` over named parameters (shapes) and modules."""

    def __init__(self, body: Callable[..., Any], **parts: Any) -> None:
        super().__init__()
        self.body = body
        for name, part in parts.items():
            if isinstance(part, tuple):
                part = nn.Parameter(torch.randn(part))
            setattr(self, name, part)

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.body(self, *inputs)


def between(
    middle: Callable[[Any, torch.Tensor], torch.Tensor], hidden: int, after: int, **parts: Any
) -> Program:
    """A linear layer to ``hidden`` units, ``middle``, and a linear layer from ``after``."""

    def body(m: Any, x: torch.Tensor) -> torch.Tensor:
        return m.last(middle(m, m.first(x)))

    return Program(body, first=nn.Linear(3, hidden), last=nn.Linear(after, 2), **parts)


def between_convolutions(
    middle: Callable[[Any, torch.Tensor], torch.Tensor], hidden: int, after: int, **parts: Any
) -> Program:
    """The same between two convolutions of images."""

    def body(m: Any, x: torch.Tensor) -> torch.Tensor:
        return m.last(middle(m, m.first(x)))

    return Program(body, first=nn.Conv2d(3, hidden, 3, padding=1), last=nn.Conv2d(after, 2, 1), **parts)


def symmetries(spec: rf.TracedSpec) -> Counter[tuple[int, ...]]:
    """Size of every permutation, after the sizes of those that it stands within."""
    sizes = spec.permutation_sizes
    return Counter((*(sizes[o] for o in spec.parents[name]), sizes[name]) for name in spec.permutations)
