"""torch's own attention layer."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

import rebasin_fast as rf
from helpers.families.example import Example, vectors


class SelfAttention(nn.Module):
    """The layer called with one input, as a module of its own and within a model."""

    def __init__(self, **options: object) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(6, 3, batch_first=True, **options)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.attn(x, x, x)


def cross_inputs() -> tuple[torch.Tensor, ...]:
    return vectors(2, 4, 6)(), vectors(2, 5, 4)(), vectors(2, 5, 7)()


def cross() -> nn.Module:
    return nn.MultiheadAttention(6, 3, kdim=4, vdim=7, batch_first=True)


HINTS = {"heads": 3}

EXAMPLES = [
    Example(
        "attention",
        SelfAttention,
        partial(rf.specs.multihead_attention, 3, name="attn"),
        vectors(2, 4, 6),
        hints=HINTS,
        permutations=3,
        silent_keys=frozenset({"attn.in_proj_bias"}),
    ),
    Example(
        "attention without biases",
        partial(SelfAttention, bias=False),
        partial(rf.specs.multihead_attention, 3, name="attn", bias=False),
        vectors(2, 4, 6),
        hints=HINTS,
    ),
    Example(
        "attention with added key and value",
        partial(SelfAttention, add_bias_kv=True),
        partial(rf.specs.multihead_attention, 3, name="attn", bias_kv=True),
        vectors(2, 4, 6),
        hints=HINTS,
    ),
    Example(
        "attention over other widths",
        cross,
        partial(rf.specs.multihead_attention, 3, separate=True),
        cross_inputs,
        hints=HINTS,
        silent_keys=frozenset({"in_proj_bias"}),
    ),
]
