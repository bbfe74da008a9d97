"""Transformers as small configurations, and the groups of their units; tied heads too, which have smaller ones."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from . import language as small

transformers = small.transformers
TEXT = {"input_ids": small.TOKENS}
BOTH = {**TEXT, "decoder_input_ids": small.TOKENS}
GATED_T5 = {**small.T5, "feed_forward_proj": "gated-gelu", "num_layers": 1, "num_decoder_layers": 1}


def untied(model: nn.Module) -> nn.Module:
    """Whatever its configuration says of the embeddings."""
    model.lm_head.weight = nn.Parameter(model.lm_head.weight.detach().clone())
    return model


# What builds a model, its inputs, the group of the stream if any, and the other groups.
Family = tuple[Callable[[], nn.Module], dict[str, torch.Tensor], set[str], set[str]]
FAMILIES: dict[str, Family] = {
    "gpt2, tied": (
        lambda: transformers.GPT2LMHeadModel(transformers.GPT2Config(**small.GPT2)), TEXT, set(), {"linear"},
    ),
    "gpt2": (
        lambda: untied(transformers.GPT2LMHeadModel(transformers.GPT2Config(**small.GPT2))),
        TEXT, {"orthogonal"}, {"linear"},
    ),
    "llama": (
        lambda: transformers.LlamaForCausalLM(transformers.LlamaConfig(**small.LLAMA)),
        TEXT, {"orthogonal"}, {"linear", "rotations", "signs", "scales"},
    ),
    "bert": (
        lambda: transformers.BertForSequenceClassification(transformers.BertConfig(**small.BERT, num_labels=5)),
        TEXT, set(), {"linear", "signs"},
    ),
    "vit": (
        lambda: transformers.ViTForImageClassification(transformers.ViTConfig(**small.VIT, num_labels=5)),
        {"pixel_values": small.IMAGES}, {"orthogonal"}, {"linear"},
    ),
    "t5, tied": (
        lambda: small.LogitsOfT5(transformers.T5Config(**GATED_T5)),
        BOTH, {"signs", "scales"}, {"linear", "signs", "scales"},
    ),
    "t5": (
        lambda: untied(small.LogitsOfT5(transformers.T5Config(**GATED_T5))),
        BOTH, {"orthogonal"}, {"linear", "signs", "scales"},
    ),
}  # fmt: skip


def built(family: str) -> nn.Module:
    torch.manual_seed(0)
    model = FAMILIES[family][0]().eval()
    for module in model.modules():
        if hasattr(module, "config"):
            module.config.use_cache = False
    return model
