"""The ready specs, written by hand, come out of their models."""

from __future__ import annotations

import pytest

import rebasin_fast as rf
from helpers.equivalence import equivalent
from helpers.families.every import BY_NAME, EXAMPLES, parametrized

# Sorted outputs hide the stream from the tracer, which takes order for meaning.
TRACED = [example for example in EXAMPLES if example.mutated and example.name != "gpt2 without head"]


@pytest.mark.slow
@parametrized(TRACED)
def test_the_spec_of_the_family_is_found(example) -> None:
    model = example.build()
    traced = rf.trace_spec(model, example.inputs())
    ready = example.spec()
    params = model.state_dict()
    assert equivalent(traced, ready, params)
    assert traced.log10_symmetries(params) == pytest.approx(ready.log10_symmetries(params))
    moved = {name for name in ready.unmatched if any(e is not None for e in traced.axes_to_perm[name])}
    assert moved <= set(traced.unmatched)


def test_a_difference_is_seen() -> None:
    model = BY_NAME["mlp"]
    network = model.build()
    traced = rf.trace_spec(network, model.inputs())
    name, entries = next((n, e) for n, e in traced.axes_to_perm.items() if e[0] is not None)
    held = rf.PermutationSpec({**traced.axes_to_perm, name: (None, *entries[1:])})
    assert not equivalent(traced, held, network.state_dict())
