"""Transforms of all groups, planted in small configurations of transformers and recovered."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

import rebasin_fast as rf
from helpers.models.installed import require_models
from helpers.planted_symmetries import kept_in_spite, recovery
from rebasin_fast.permutation.trial import TOLERANCE
from rebasin_fast.tracing import TracedSpec

require_models()

from helpers.models.with_symmetries import FAMILIES, built  # noqa: E402

pytestmark = pytest.mark.models
every_family = pytest.mark.parametrize("family", FAMILIES)


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
