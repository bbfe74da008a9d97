"""Vision transformers: one tree of modules a layout, narrow."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

import rebasin_fast as rf
from helpers.families.example import Example, images
from helpers.families.transformer import attend

WIDTH, HEADS, HIDDEN, PATCH = 6, 3, 7, 4


class Patches(nn.Module):
    """Patches of an image as a sequence, under the name that the projection has."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        setattr(self, name, nn.Conv2d(3, WIDTH, PATCH, PATCH))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return getattr(self, self.name)(x).flatten(2).transpose(1, 2)


def with_token(token: torch.Tensor, positions: torch.Tensor, patches: torch.Tensor) -> torch.Tensor:
    return torch.cat([token.expand(len(patches), -1, -1), patches], 1) + positions


class TorchvisionBlock(nn.Module):
    """In the published files the linear layers have names, which torchvision rewrites to numbers as it loads."""

    def __init__(self, named: bool) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.self_attention = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.mlp = nn.Sequential()
        names = ("linear_1", "act", "dropout_1", "linear_2", "dropout_2") if named else map(str, range(5))
        layers = (nn.Linear(WIDTH, HIDDEN), nn.GELU(), nn.Dropout(), nn.Linear(HIDDEN, WIDTH), nn.Dropout())
        for name, layer in zip(names, layers, strict=True):
            self.mlp.add_module(name, layer)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.ln_1(x)
        x = x + self.self_attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class TorchvisionEncoder(nn.Module):
    def __init__(self, layers: int, named: bool) -> None:
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.zeros(1, 5, WIDTH))
        self.layers = nn.Sequential()
        for i in range(layers):
            self.layers.add_module(f"encoder_layer_{i}", TorchvisionBlock(named))
        self.ln = nn.LayerNorm(WIDTH)


class TorchvisionVit(nn.Module):
    def __init__(self, layers: int, named: bool = False) -> None:
        super().__init__()
        self.conv_proj = nn.Conv2d(3, WIDTH, PATCH, PATCH)
        self.class_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.encoder = TorchvisionEncoder(layers, named)
        self.heads = nn.Sequential()
        self.heads.add_module("head", nn.Linear(WIDTH, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        patches = self.conv_proj(x).flatten(2).transpose(1, 2)
        x = with_token(self.class_token, self.encoder.pos_embedding, patches)
        return self.heads(self.encoder.ln(self.encoder.layers(x))[:, 0])


class TimmAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.proj(attend(*self.qkv(x).chunk(3, -1), HEADS))


class TimmMlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(WIDTH, HIDDEN), nn.Linear(HIDDEN, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(nn.functional.gelu(self.fc1(x)))


class TimmBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attn, self.mlp = TimmAttention(), TimmMlp()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class TimmVit(nn.Module):
    def __init__(self, layers: int) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.pos_embed = nn.Parameter(torch.zeros(1, 5, WIDTH))
        self.patch_embed = Patches("proj")
        self.blocks = nn.Sequential(*(TimmBlock() for _ in range(layers)))
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = with_token(self.cls_token, self.pos_embed, self.patch_embed(x))
        return self.head(self.norm(self.blocks(x))[:, 0])


def module_of(**children: nn.Module) -> nn.Module:
    """A container of named children, for trees that are only names."""
    container = nn.Module()
    for name, child in children.items():
        container.add_module(name, child)
    return container


class HuggingfaceBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        projections = module_of(**{name: nn.Linear(WIDTH, WIDTH) for name in ("query", "key", "value")})
        self.attention = module_of(attention=projections, output=module_of(dense=nn.Linear(WIDTH, WIDTH)))
        self.intermediate = module_of(dense=nn.Linear(WIDTH, HIDDEN))
        self.output = module_of(dense=nn.Linear(HIDDEN, WIDTH))
        self.layernorm_before, self.layernorm_after = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, projections = self.layernorm_before(x), self.attention.attention
        mixed = attend(projections.query(y), projections.key(y), projections.value(y), HEADS)
        x = x + self.attention.output.dense(mixed)
        return x + self.output.dense(nn.functional.gelu(self.intermediate.dense(self.layernorm_after(x))))


class Huggingface5Block(nn.Module):
    """The same under the names that transformers 5 gives the modules in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = module_of(**{f"{name}_proj": nn.Linear(WIDTH, WIDTH) for name in "qkvo"})
        self.mlp = TimmMlp()
        self.layernorm_before, self.layernorm_after = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, projections = self.layernorm_before(x), self.attention
        mixed = attend(projections.q_proj(y), projections.k_proj(y), projections.v_proj(y), HEADS)
        x = x + projections.o_proj(mixed)
        return x + self.mlp(self.layernorm_after(x))


class HuggingfaceVit(nn.Module):
    def __init__(self, layers: int, version: int = 4) -> None:
        super().__init__()
        embeddings = module_of(patch_embeddings=Patches("projection"))
        embeddings.cls_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        embeddings.position_embeddings = nn.Parameter(torch.zeros(1, 5, WIDTH))
        listed = nn.ModuleList(
            HuggingfaceBlock() if version < 5 else Huggingface5Block() for _ in range(layers)
        )
        inner = {"layers": listed} if version >= 5 else {"encoder": module_of(layer=listed)}
        self.vit = module_of(embeddings=embeddings, layernorm=nn.LayerNorm(WIDTH), **inner)
        self.classifier = nn.Linear(WIDTH, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        embeddings = self.vit.embeddings
        x = with_token(embeddings.cls_token, embeddings.position_embeddings, embeddings.patch_embeddings(x))
        for block in self.vit.layers if hasattr(self.vit, "layers") else self.vit.encoder.layer:
            x = block(x)
        return self.classifier(self.vit.layernorm(x)[:, 0])


def example(
    layout: str, module: Callable[[int], nn.Module], layers: int, stacked: str = "", key: str = ""
) -> Example:
    def names(pattern: str) -> frozenset[str]:
        return frozenset(pattern.format(i) for i in range(layers)) if pattern else frozenset()

    return Example(
        f"vit of {layers} layers, {layout}",
        partial(module, layers),
        partial(rf.specs.vit, layers, HEADS, layout=layout),
        images(8),
        hints={"heads": HEADS},
        permutations=1 + 4 * layers,
        mutated=layers == 2,
        silent=names(key),
        silent_keys=names(stacked),
    )


EXAMPLES = [
    example("torchvision", TorchvisionVit, 2, "encoder.layers.encoder_layer_{}.self_attention.in_proj_bias"),
    example("torchvision", TorchvisionVit, 12),
    example(
        "torchvision-file",
        partial(TorchvisionVit, named=True),
        2,
        "encoder.layers.encoder_layer_{}.self_attention.in_proj_bias",
    ),
    example("timm", TimmVit, 2, "blocks.{}.attn.qkv.bias"),
    example("huggingface", HuggingfaceVit, 2, key="vit.encoder.layer.{}.attention.attention.key.bias"),
    example(
        "huggingface-5", partial(HuggingfaceVit, version=5), 2, key="vit.layers.{}.attention.k_proj.bias"
    ),
]
