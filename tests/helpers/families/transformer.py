"""Attention as the examples of several families compute it."""

from __future__ import annotations

import torch


def attend(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, heads: int, causal: bool = False
) -> torch.Tensor:
    """Scaled dot-product attention of (batch, steps, heads * dims) tensors."""

    def by_head(x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(-1, (heads, -1)).transpose(1, 2)

    mixed = torch.nn.functional.scaled_dot_product_attention(
        by_head(query), by_head(key), by_head(value), is_causal=causal
    )
    return mixed.transpose(1, 2).flatten(2)
