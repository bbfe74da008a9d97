"""GPT-2 with Hugging Face's names: Conv1D holds (inputs, outputs)."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

import rebasin_fast as rf
from helpers.families.example import Example, tokens
from helpers.families.transformer import attend

WIDTH, HEADS, VOCABULARY, POSITIONS = 6, 3, 11, 8


class Conv1D(nn.Module):
    def __init__(self, outputs: int, inputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weight + self.bias


class Attention(nn.Module):
    def __init__(self, masks: bool) -> None:
        super().__init__()
        self.c_attn, self.c_proj = Conv1D(3 * WIDTH, WIDTH), Conv1D(WIDTH, WIDTH)
        if masks:
            self.register_buffer("bias", torch.ones(1, 1, POSITIONS, POSITIONS, dtype=torch.bool).tril())
            self.register_buffer("masked_bias", torch.tensor(-1e4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.c_proj(attend(*self.c_attn(x).chunk(3, -1), HEADS, causal=True))


class Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.c_fc, self.c_proj = Conv1D(4 * WIDTH, WIDTH), Conv1D(WIDTH, 4 * WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.c_proj(nn.functional.gelu(self.c_fc(x), approximate="tanh"))


class Block(nn.Module):
    def __init__(self, masks: bool) -> None:
        super().__init__()
        self.ln_1, self.attn = nn.LayerNorm(WIDTH), Attention(masks)
        self.ln_2, self.mlp = nn.LayerNorm(WIDTH), Mlp()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    """``GPT2Model``; it returns the stream, whose order is permuted with it."""

    def __init__(self, layers: int, masks: bool = False) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(POSITIONS, WIDTH)
        self.h = nn.ModuleList(Block(masks) for _ in range(layers))
        self.ln_f = nn.LayerNorm(WIDTH)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.wte(ids) + self.wpe(torch.arange(ids.shape[1]))
        for block in self.h:
            x = block(x)
        return self.ln_f(x)


class Gpt2(nn.Module):
    """``GPT2LMHeadModel``."""

    def __init__(self, layers: int, tied: bool = True, masks: bool = False) -> None:
        super().__init__()
        self.transformer = Transformer(layers, masks)
        self.lm_head = nn.Linear(WIDTH, VOCABULARY, bias=False)
        if tied:
            self.lm_head.weight = self.transformer.wte.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.lm_head(self.transformer(ids))


class Pooled(Transformer):
    """``GPT2Model`` under a read-out that does not depend on the order of the stream."""

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return super().forward(ids).sort(-1).values


def stacked_biases(layers: int, prefix: str = "transformer.") -> frozenset[str]:
    return frozenset(f"{prefix}h.{i}.attn.c_attn.bias" for i in range(layers))


def example(name: str, layers: int, **options: bool) -> Example:
    tied = options.get("tied", True)
    return Example(
        name,
        partial(Gpt2, layers, **options),
        partial(rf.specs.gpt2, layers, HEADS, **options),
        tokens(VOCABULARY, POSITIONS),
        hints={"heads": HEADS},
        permutations=1 + 4 * layers,
        mutated=layers <= 2,
        # Of two names for one array, the one that is loaded last decides.
        silent=frozenset({"transformer.wte.weight"} if tied else set()) | masks(layers),
        silent_keys=stacked_biases(layers),
    )


def masks(layers: int) -> frozenset[str]:
    """torch's causal attention has its own mask, and does not look at the buffer."""
    return frozenset(f"transformer.h.{i}.attn.bias" for i in range(layers))


EXAMPLES = [
    example("gpt2, tied", 2),
    example("gpt2, untied", 1, tied=False),
    example("gpt2 with masks", 1, masks=True),
    example("gpt2 of 12 layers", 12),
    Example(
        "gpt2 without head",
        partial(Pooled, 1),
        partial(rf.specs.gpt2, 1, HEADS, prefix="", lm_head=False),
        tokens(VOCABULARY, POSITIONS),
        hints={"heads": HEADS},
        silent_keys=stacked_biases(1, ""),
    ),
]
