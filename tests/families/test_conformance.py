"""Every registered family against its examples: a new family is picked up without an edit here."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import rebasin_fast as rf
from helpers.families.every import EXAMPLES, parametrized
from helpers.families.example import Example
from helpers.mutations import MutationTrial, moving_permutation, mutants
from rebasin_fast.permutation.trial import TOLERANCE, Trial

every_example = parametrized()
mutated_examples = parametrized(example for example in EXAMPLES if example.mutated)


@every_example
def test_spec_fits_and_preserves_the_function(example: Example) -> None:
    model = example.build()
    spec = example.spec()
    spec.validate(model.state_dict())
    if example.mutated:
        spec.verify(model, example.inputs())
    else:  # deep: all permutations at once, none of which leaves a unit in its place
        trial = Trial(model, example.inputs(), np.random.default_rng(0))
        assert trial.change_under(spec, moving_permutation(spec, spec.sizes(trial.params))) <= TOLERANCE
    assert rf.PermutationSpec.from_json(spec.to_json()) == spec
    if example.permutations is not None:
        assert len(spec.permutations) == example.permutations


@every_example
def test_recognised_with_and_without_prefixes_and_from_sorted_names(example: Example) -> None:
    """Formats such as safetensors keep names in alphabetical order."""
    if not example.recognised:
        return
    params, expected = example.build().state_dict(), example.spec()
    wrapped = {f"module.model.{name}": array for name, array in params.items()}
    assert same(rf.specs.for_params(params, **example.hints), expected)
    assert same(rf.specs.for_params(dict(sorted(params.items())), **example.hints), expected)
    assert same(rf.specs.for_params(wrapped, **example.hints), expected.with_prefix("module.model."))


@parametrized(example for example in EXAMPLES if example.hints)
def test_missing_hint_is_asked_for(example: Example) -> None:
    with pytest.raises(rf.SpecError, match="pass " + "|".join(example.hints)):
        rf.specs.for_params(example.build().state_dict())


@every_example
def test_statistics_stay_out_of_the_objective(example: Example) -> None:
    model, spec = example.build(), example.spec()
    own = {name for name, _ in model.named_parameters()}
    others = {name for name, tensor in model.state_dict().items() if name not in own}
    assert set(spec.unmatched) == others


@mutated_examples
def test_planted_permutation_is_recovered(example: Example) -> None:
    params = Trial(example.build(), example.inputs(), np.random.default_rng(3)).params
    spec = example.spec()
    shuffled = rf.apply_permutation(spec, moving_permutation(spec, spec.sizes(params)), params)
    matching = rf.weight_matching(spec, params, shuffled, restarts=4)
    recovered = rf.apply_permutation(spec, matching.permutation, shuffled)
    assert [name for name in params if not torch.equal(recovered[name], params[name])] == []


@mutated_examples
@pytest.mark.slow
def test_every_entry_matters(example: Example) -> None:
    trial = MutationTrial(example)
    overlooked = [words for mutant, name, words in mutants(trial, example) if not trial.notices(mutant, name)]
    assert not overlooked


def same(found: rf.PermutationSpec, expected: rf.PermutationSpec) -> bool:
    """Equal but for the order of the parameters."""
    return (
        dict(found.axes_to_perm) == dict(expected.axes_to_perm)
        and found.unmatched == expected.unmatched
        and found.declared_sizes == expected.declared_sizes
    )
