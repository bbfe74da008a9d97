"""Symmetries of every traced family: planted transforms are recovered, and groups one size too large are refused."""

from __future__ import annotations

import rebasin_fast as rf
from helpers.families.every import EXAMPLES, parametrized
from helpers.families.example import Example
from helpers.planted_symmetries import kept_in_spite, recovery
from rebasin_fast.permutation.trial import TOLERANCE
from rebasin_fast.tracing import TracedSpec

SMALL = [example for example in EXAMPLES if example.mutated and not example.deep]
OF_MANY_PERMUTATIONS = {  # each is verified by itself
    "densenet of two blocks",
    "densenet with the names of the files",
    "resnext of 3 groups",
    "vgg11 cifar",
}
assert {example.name for example in SMALL} >= OF_MANY_PERMUTATIONS


def traced(example: Example) -> TracedSpec:
    """Proven: ``verify`` tries the symmetries too."""
    return rf.trace_spec(example.build(), example.inputs())


@parametrized(SMALL)
def test_a_planted_transform_is_recovered(example: Example) -> None:
    found = recovery(traced(example), example.build(), example.inputs(), 3, restarts=4)
    assert found.planted < 10 * TOLERANCE
    assert found.function < 10 * TOLERANCE
    assert [name for name, apart in found.weights.items() if apart > 1e-6] == []


@parametrized(SMALL, slow=OF_MANY_PERMUTATIONS)
def test_a_group_one_size_too_large_is_refused(example: Example) -> None:
    assert kept_in_spite(traced(example), example.build, example.inputs()) == []
