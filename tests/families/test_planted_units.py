"""Transforms of all groups, planted in networks without norms and recovered: signs, scales, and both, and matrices."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest
import torch
from torch import nn

import rebasin_fast as rf
from helpers.planted_symmetries import kept_in_spite, recovery
from helpers.unit_families import FAMILIES
from rebasin_fast.permutation.trial import TOLERANCE
from rebasin_fast.tracing import TracedSpec

WIDTH = 16
GROUPS = {
    "tanh": {"signs": 3},
    "SIREN": {"signs": 3},
    "ReLU": {"scales": 3},
    "gated": {"signs": 3, "scales": 2},
    "CNN, ReLU": {"scales": 3},
    "CNN, tanh": {"signs": 2},  # the largest of a pooling window is not that of the negatives
    "LoRA": {"linear": 2},
}
every_family = pytest.mark.parametrize("family", FAMILIES)


def built(family: str) -> nn.Module:
    torch.manual_seed(0)
    return FAMILIES[family][0](WIDTH)


@cache
def traced(family: str) -> TracedSpec:
    """Proven: ``verify`` tries the symmetries too."""
    return rf.trace_spec(built(family), FAMILIES[family][1]())


@every_family
def test_a_planted_transform_is_recovered(family: str) -> None:
    model, inputs = built(family), FAMILIES[family][1]()
    spec = traced(family)
    assert Counter(symmetry.group for symmetry in spec.symmetries) == GROUPS[family]
    for seed in range(3):
        found = recovery(spec, model, inputs, seed)
        assert found.planted < TOLERANCE
        assert found.function < TOLERANCE
        assert max(found.weights.values()) < 1e-6
        assert found.matching.converged


@every_family
def test_a_group_one_size_too_large_is_refused(family: str) -> None:
    inputs = FAMILIES[family][1]()
    assert kept_in_spite(traced(family), lambda: built(family), inputs) == []
