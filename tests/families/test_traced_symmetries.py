"""Symmetries of every traced family: planted transforms are recovered, and groups one size too large are refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

import rebasin_fast as rf
from helpers.families.every import EXAMPLES, parametrized
from helpers.families.example import Example
from rebasin_fast.permutation import random_transform
from rebasin_fast.permutation.trial import TOLERANCE, Trial
from rebasin_fast.specs.symmetry import Role, Symmetry
from rebasin_fast.tracing import TracedSpec

small_examples = parametrized(example for example in EXAMPLES if example.mutated and not example.deep)


def traced(example: Example) -> TracedSpec:
    """Proven: ``verify`` tries the symmetries too."""
    return rf.trace_spec(example.build(), example.inputs())


@small_examples
def test_a_planted_transform_is_recovered(example: Example) -> None:
    spec = traced(example)
    trial = Trial(example.build(), example.inputs(), np.random.default_rng(3))
    normal = rf.normalise(spec, trial.params)
    original = normal.params
    # A norm that has to keep its bias, under a head without one, leaves order alone.
    acting = rf.PermutationSpec(
        spec.axes_to_perm, spec.unmatched, sizes=spec.declared_sizes, symmetries=normal.symmetries
    )
    transform = random_transform(acting, spec.sizes(original), np.random.default_rng(4))
    planted = rf.apply_transform(spec, transform, original)
    assert trial.change_with(planted) < 10 * TOLERANCE
    matching = rf.weight_matching(spec, original, planted, symmetries="all", restarts=4)
    aim, found = matching.endpoints(original, planted)
    assert trial.change_with(found) < 10 * TOLERANCE
    assert [name for name in aim if not torch.allclose(found[name], aim[name], rtol=0, atol=1e-6)] == []


@small_examples
def test_a_group_one_size_too_large_is_refused(example: Example) -> None:
    spec = traced(example)
    kept = []
    for larger in enlarged(spec):
        claimed = rf.PermutationSpec(
            spec.axes_to_perm, spec.unmatched, sizes=spec.declared_sizes, symmetries=[larger]
        )
        if not refused(claimed, example, f"the {larger.group!r} symmetry of {larger.permutation!r}"):
            kept.append((larger.permutation, larger.group))
    assert kept == []


def refused(claimed: rf.PermutationSpec, example: Example, named: str) -> bool:
    """Whether verification names the symmetry as the fault."""
    try:
        claimed.verify(example.build(), example.inputs())
    except rf.SpecError as error:
        message = str(error)
    else:
        message = ""
    return named in message


# Operations that leave order alone because the tracer does not look into them: a larger group may be right.
UNREAD = ("lstm", "gru", "rnn", "conv")


def enlarged(spec: TracedSpec) -> Iterator[Symmetry]:
    """For each permutation, the next larger group on all of its axes.

    Not for heads, which are within the larger group of their units.
    """
    own = {symmetry.permutation: symmetry for symmetry in spec.symmetries}
    for name, places in spec.perm_to_axes.items():
        if name not in own:
            if name not in spec.order_alone or any(word in spec.order_alone[name] for word in UNREAD):
                continue
            yield Symmetry(name, "signs", tuple(Role(parameter, axis, (1,)) for parameter, axis in places))
        elif own[name].group in ("signs", "scales"):
            group = "scales" if own[name].group == "signs" else "orthogonal"
            if (name, group) not in {(s.permutation, s.group) for s in spec.symmetries}:
                yield replace(own[name], group=group)
        elif own[name].group == "orthogonal":
            yield Symmetry(name, "linear", own[name].roles)
