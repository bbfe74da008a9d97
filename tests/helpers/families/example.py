"""Examples of a family, as the conformance suite reads them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from rebasin_fast import PermutationSpec


@dataclass(frozen=True)
class Example:
    """A model, the spec that is claimed for it, and how it is recognised."""

    name: str
    build: Callable[[], nn.Module]
    spec: Callable[[], PermutationSpec]
    inputs: Callable[[], Any]
    hints: dict[str, int] = field(default_factory=dict)  # for specs.for_params
    permutations: int | None = None  # as the documentation counts them
    recognised: bool = True
    # Mutated entry by entry; False where a smaller example of the same layers is.
    mutated: bool = True
    # Entries are misplaced in each way, too, where another example does not have them.
    thorough: bool = False
    # Deep, but mutated: marked slow, as those that are not mutated are.
    deep: bool = False
    # Parameters whose entries do not bear on the function; the example says why.
    silent: frozenset[str] = frozenset()
    # Stacked biases of queries, keys and values. A key's bias adds the same to all scores of a query, which the
    # softmax takes away.
    silent_keys: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return self.name


def images(size: int, channels: int = 3, batch: int = 2) -> Callable[[], torch.Tensor]:
    """Random images, the same at every call."""

    def draw() -> torch.Tensor:
        return torch.randn(batch, channels, size, size, generator=torch.Generator().manual_seed(0))

    return draw


def vectors(*shape: int) -> Callable[[], torch.Tensor]:
    """Random inputs of any shape, the same at every call."""

    def draw() -> torch.Tensor:
        return torch.randn(*shape, generator=torch.Generator().manual_seed(0))

    return draw


def tokens(vocabulary: int, length: int, batch: int = 2) -> Callable[[], torch.Tensor]:
    """Token numbers in which every one of a small vocabulary occurs."""

    def draw() -> torch.Tensor:
        return torch.arange(batch * length).reshape(batch, length) * 7 % vocabulary

    return draw
