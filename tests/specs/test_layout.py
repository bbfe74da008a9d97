"""The index tables of every kind of entry, nested at random, against the position-by-position reference."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rebasin_fast as rf
from helpers.strategies import spec_cases
from rebasin_fast.permutation import random_permutation
from reference import coordinates


def drawn(case, seed):
    return random_permutation(case.spec, case.sizes, np.random.default_rng(seed))


def assert_same_params(found, expected):
    assert list(found) == list(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


@given(spec_cases())
def test_sizes_are_recovered_from_shapes(case):
    assert case.spec.sizes(case.params()) == case.sizes
    case.spec.validate(case.params())


@given(spec_cases())
def test_parents_are_what_stands_outside_everywhere(case):
    assert {p: set(outer) for p, outer in case.spec.parents.items()} == coordinates.parents(
        case.spec, case.sizes
    )


@given(spec_cases())
def test_application_equals_the_reference(case):
    params = case.params()
    permutation = drawn(case, 1)
    expected = coordinates.apply(case.spec, permutation, params, case.sizes)
    assert_same_params(rf.apply_permutation(case.spec, permutation, params), expected)


@given(spec_cases())
def test_inverse_restores_the_parameters(case):
    params = case.params()
    permutation = drawn(case, 2)
    inverse = rf.invert_permutation(permutation, case.spec)
    there = rf.apply_permutation(case.spec, permutation, params)
    assert_same_params(rf.apply_permutation(case.spec, inverse, there), params)
    back = rf.apply_permutation(case.spec, inverse, params)
    assert_same_params(rf.apply_permutation(case.spec, permutation, back), params)


@given(spec_cases())
def test_composition_is_application_twice(case):
    params = case.params()
    first, second = drawn(case, 3), drawn(case, 4)
    twice = rf.apply_permutation(case.spec, second, rf.apply_permutation(case.spec, first, params))
    composed = rf.compose_permutations(first, second, case.spec)
    assert_same_params(rf.apply_permutation(case.spec, composed, params), twice)


@given(spec_cases())
def test_json_round_trip(case):
    again = rf.PermutationSpec.from_json(case.spec.to_json())
    assert again == case.spec
    assert hash(again) == hash(case.spec)
    assert again.digest() == case.spec.digest()
    assert again.to_json() == case.spec.to_json()
    assert again.parents == case.spec.parents


@given(spec_cases())
def test_symmetries_are_counted_with_factorials(case):
    symmetries = 1
    for name, size in case.sizes.items():
        copies = math.prod(case.sizes[outer] for outer in case.spec.parents[name])
        symmetries *= math.factorial(size) ** copies
    expected = math.log10(symmetries)
    assert case.spec.log10_symmetries(case.params()) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@given(spec_cases(), st.data())
def test_a_perturbed_shape_is_refused(case, data):
    """Every permutation is anchored elsewhere, so no other size can explain the change."""
    places = [
        (name, axis)
        for name, entries in case.spec.axes_to_perm.items()
        if not name.startswith("anchor")
        for axis, entry in enumerate(entries)
        if entry is not None
    ]
    if not places:
        return
    name, axis = data.draw(st.sampled_from(places))
    shape = list(case.shapes[name])
    shape[axis] += data.draw(
        st.sampled_from([change for change in (-1, 1, 2, 7) if shape[axis] + change > 0])
    )
    params = case.params() | {name: np.zeros(shape)}
    with pytest.raises(rf.SpecError, match=r"'(w\d|anchor\.\w)'.* axis \d.* length \d+"):
        case.spec.validate(params)


@given(spec_cases(), st.data())
def test_another_rank_is_refused(case, data):
    name = data.draw(st.sampled_from(list(case.shapes)))
    params = case.params() | {name: np.zeros((*case.shapes[name], 2))}
    rank = len(case.shapes[name])
    with pytest.raises(rf.SpecError, match=rf"'{name}' has {rank + 1} axes .* {rank} entries"):
        case.spec.validate(params)


@given(spec_cases())
def test_parameters_are_neither_changed_nor_copied_in_vain(case):
    params = case.params()
    before = {name: array.copy() for name, array in params.items()}
    for array in params.values():
        array.flags.writeable = False
    moved = rf.apply_permutation(case.spec, drawn(case, 9), params | {"extra": np.ones(3)})
    assert_same_params(params, before)
    for name, entries in case.spec.axes_to_perm.items():
        if not case.spec.perm_to_axes or all(entry is None for entry in entries):
            assert moved[name] is params[name]
