"""Attention with rotary embeddings, written in the ways that published models write it, in PyTorch."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

TOKENS = torch.arange(10).reshape(2, 5) % 7


def angles(length: int, dims: int) -> torch.Tensor:
    frequencies = 100.0 ** (-torch.arange(0, dims, 2) / dims)
    return torch.arange(length)[:, None, None] * frequencies  # the same for all heads


def halves(x: torch.Tensor, dims: int) -> torch.Tensor:
    """Llama: dimension i pairs with i + d/2."""
    table = torch.cat([angles(x.shape[1], dims)] * 2, -1).to(x.dtype)
    first, second = x.chunk(2, -1)
    return x * table.cos() + torch.cat([-second, first], -1) * table.sin()


def neighbours(x: torch.Tensor, dims: int) -> torch.Tensor:
    """GPT-J: dimension 2i pairs with 2i + 1."""
    table = angles(x.shape[1], dims).repeat_interleave(2, -1).to(x.dtype)
    return x * table.cos() + torch.stack([-x[..., 1::2], x[..., ::2]], -1).flatten(-2) * table.sin()


def complex_numbers(x: torch.Tensor, dims: int) -> torch.Tensor:
    """Meta's Llama: pairs of neighbours as complex numbers."""
    own = angles(x.shape[1], dims).to(x.dtype)
    numbers = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(numbers * torch.polar(torch.ones_like(own), own)).flatten(-2)


def partial(x: torch.Tensor, dims: int) -> torch.Tensor:
    """GPT-NeoX: the first half of the dimensions alone."""
    return torch.cat([halves(x[..., : dims // 2], dims // 2), x[..., dims // 2 :]], -1)


def other_angles(x: torch.Tensor, dims: int) -> torch.Tensor:
    """No rotation: the angles of a pair differ."""
    table = angles(x.shape[1], 2 * dims).to(x.dtype)
    first, second = x.chunk(2, -1)
    return x * table.cos() + torch.cat([-second, first], -1) * table.sin()


def reflected(x: torch.Tensor, dims: int) -> torch.Tensor:
    """No rotation: the sign is missing."""
    table = torch.cat([angles(x.shape[1], dims)] * 2, -1).to(x.dtype)
    first, second = x.chunk(2, -1)
    return x * table.cos() + torch.cat([second, first], -1) * table.sin()


def normed(x: torch.Tensor, dims: int) -> torch.Tensor:
    """Qwen 3: queries and keys are normed first."""
    return halves(functional.rms_norm(x, (dims,)), dims)


class Rotary(nn.Module):
    """An embedding, attention with ``turn`` on queries and keys, and a head."""

    def __init__(
        self,
        turn=halves,
        *,
        heads: int = 4,
        groups: int = 2,
        dims: int = 4,
        bias: bool = False,
        tied: bool = False,
    ) -> None:
        super().__init__()
        self.turn, self.heads, self.groups, self.dims = turn, heads, groups, dims
        width = 12
        self.embed, self.norm = nn.Embedding(7, width), nn.RMSNorm(width)
        self.query = nn.Linear(width, heads * dims, bias=bias)
        self.key, self.value = (nn.Linear(width, groups * dims, bias=bias) for _ in range(2))
        self.out = nn.Linear(heads * dims, width, bias=False)
        self.last, self.head = nn.RMSNorm(width), nn.Linear(width, 7, bias=False)
        if tied:
            self.head.weight = self.embed.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embed(tokens)
        h = self.norm(x)
        batch, length, _ = x.shape
        q, k, v = (part(h).view(batch, length, -1, self.dims) for part in (self.query, self.key, self.value))
        q, k = (self.turn(part, self.dims).transpose(1, 2) for part in (q, k))
        v = v.transpose(1, 2)
        times = self.heads // self.groups
        k, v = (part.repeat_interleave(times, 1) for part in (k, v))
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, -1))
        return self.head(self.last(x))


class Leaking(Rotary):
    """Its keys are also read by another operation."""

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        h = self.norm(self.embed(tokens))
        return super().forward(tokens) + self.key(h).tanh().mean()
