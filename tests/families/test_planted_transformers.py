"""Transforms of all groups, planted in small configurations of transformers and recovered."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from torch import nn

import rebasin_fast as rf
from helpers.models.installed import require_models
from helpers.planted_symmetries import kept_in_spite, recovery
from rebasin_fast.permutation.trial import TOLERANCE
from rebasin_fast.tracing import TracedSpec

require_models()

import transformers  # noqa: E402

from helpers.models import language as small  # noqa: E402

pytestmark = pytest.mark.models
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
        TEXT, {"orthogonal"}, {"linear", "signs", "scales"},
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
every_family = pytest.mark.parametrize("family", FAMILIES)


def built(family: str) -> nn.Module:
    torch.manual_seed(0)
    model = FAMILIES[family][0]().eval()
    for module in model.modules():
        if hasattr(module, "config"):
            module.config.use_cache = False
    return model


@cache
def traced(family: str) -> TracedSpec:
    """Proven: ``verify`` tries the symmetries too."""
    return rf.trace_spec(built(family), FAMILIES[family][1])


@every_family
def test_a_planted_transform_is_recovered(family: str) -> None:
    _, inputs, of_stream, of_others = FAMILIES[family]
    spec = traced(family)
    assert groups_of(spec, is_stream=True) == of_stream
    assert groups_of(spec, is_stream=False) == of_others
    for seed in range(2):
        found = recovery(spec, built(family), inputs, seed)
        assert found.planted < TOLERANCE
        assert found.function < TOLERANCE
        assert max(found.weights.values()) < 1e-6


def groups_of(spec: Any, *, is_stream: bool) -> set[str]:
    """Of the permutation that most parameters stand on, or of all others."""
    stream = max(spec.perm_to_axes, key=lambda name: len(spec.perm_to_axes[name]))
    return {symmetry.group for symmetry in spec.symmetries if (symmetry.permutation == stream) == is_stream}


@every_family
def test_a_group_one_size_too_large_is_refused(family: str) -> None:
    assert kept_in_spite(traced(family), lambda: built(family), FAMILIES[family][1]) == []
