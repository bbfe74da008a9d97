"""``symmetries="all"``: options that it takes and refuses, seeds, lists, progress, interruption, errors."""

from dataclasses import replace

import numpy as np
import pytest

import rebasin_fast as rf
from helpers.symmetric_models import MODELS

MODEL = MODELS["rms"]
SPEC = MODEL.spec
STREAM = SPEC.symmetries[0]
A, B = (MODEL.draw(np.random.default_rng(seed)) for seed in (0, 1))


def match(params_b=B, **options):
    return rf.weight_matching(SPEC, A, params_b, symmetries="all", **options)


@pytest.mark.parametrize(
    "option",
    [
        {"effort": "high"},
        {"memory_limit": 10**9},
        {"device": "cuda"},
        {"products": "tf32"},
        {"checkpoint": "steps.npz"},
    ],
    ids=lambda option: next(iter(option)),
)
def test_options_of_permutations_alone_are_refused_by_name(option):
    name = next(iter(option))
    with pytest.raises(
        ValueError, match=rf"^{name} is for symmetries='permutations'; .* takes rng, max_iter"
    ):
        match(**option)


def test_symmetries_are_permutations_or_all():
    with pytest.raises(ValueError, match="symmetries is 'permutations' or 'all'; got 'signs'"):
        rf.weight_matching(SPEC, A, B, symmetries="signs")


def test_the_default_is_permutations_to_the_last_bit():
    plain = rf.PermutationSpec(SPEC.axes_to_perm, sizes=SPEC.declared_sizes)
    found = rf.weight_matching(SPEC, A, B)
    expected = rf.weight_matching(plain, A, B, symmetries="permutations")
    assert type(found) is type(expected) is rf.Matching
    assert found.objective == expected.objective
    assert all(np.array_equal(found.permutation[p], index) for p, index in expected.permutation.items())


def test_a_spec_without_symmetries_is_matched_by_permutations():
    plain = rf.PermutationSpec(SPEC.axes_to_perm, sizes=SPEC.declared_sizes)
    found = rf.weight_matching(plain, A, B, symmetries="all")
    assert isinstance(found, rf.SymmetricMatching)
    assert not found.transform.signs
    assert not found.transform.matrices
    moved = rf.apply_permutation(plain, found.permutation, B)
    assert all(np.array_equal(moved[name], array) for name, array in found.apply(B).items())
    assert found.objective > 0.9 * rf.weight_matching(plain, A, B).objective


def test_seeds_and_restarts():
    assert match(rng=3).objective == match(rng=3).objective
    runs = match(rng=1, restarts=3)
    assert len(runs.restarts) == 3
    assert runs.objective == max(run.objective for run in runs.restarts)
    assert len({run.objective for run in match(visiting="random", restarts=3).restarts}) > 1


def test_a_given_order_is_followed():
    events = []
    found = match(order=[["S", "M"], ["heads"]], progress=events.append)
    assert [event.permutation for event in events] == ["S", "M", "heads"]
    assert [(event.sweep, event.visit, event.visits) for event in events] == [(1, 1, 2), (1, 2, 2), (2, 1, 1)]
    assert (found.sweeps, found.converged, found.visiting) == (2, False, "order")
    with pytest.raises(rf.SpecError, match="order names permutation 'X'"):
        match(order=["X"])


def test_no_sweeps_leave_the_normal_form_of_b():
    found = match(max_iter=0)
    normal = rf.normalise(SPEC, B).params
    assert found.objective == found.first_objective
    assert all(np.abs(array - normal[name]).max() < 1e-12 for name, array in found.apply(B).items())


def test_a_list_of_models():
    alone = match()
    listed = match([B, A])
    assert [type(found) for found in listed] == [rf.SymmetricMatching] * 2
    assert listed[0].objective == pytest.approx(alone.objective, rel=1e-12)
    assert listed[1].objective > listed[0].objective


def test_the_models_given_are_not_changed():
    kept = [{name: array.copy() for name, array in model.items()} for model in (A, B)]
    match().endpoints(A, B)
    for model, copies in zip((A, B), kept, strict=True):
        assert all(np.array_equal(model[name], array) for name, array in copies.items())


def test_an_exception_of_progress_ends_the_matching():
    def interrupt(event):
        if event.sweep == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        match(progress=interrupt)


def test_the_account_names_the_groups():
    account = match().to_dict()
    assert account["symmetries"] == {"S": ["orthogonal"], "qk": ["linear"], "vo": ["linear"]}
    assert account["kept"] == {}
    assert account["stats"]["product_flop"] > 0.0
    assert account["stats"]["accepted_steps"] > 0


def test_weights_that_are_not_finite_are_named():
    broken = {**B, "down.weight": np.full_like(B["down.weight"], np.nan)}
    with pytest.raises(rf.ParamsError, match=r"down\.weight"):
        match(broken)


def test_products_that_overflow_are_told():
    model = MODELS["tanh"]
    huge = {name: w * 1e200 for name, w in model.draw(np.random.default_rng(0)).items()}
    with pytest.raises(rf.ParamsError, match="products of these weights overflow float64"):
        rf.weight_matching(model.spec, huge, huge, symmetries="all")


@pytest.mark.parametrize("gain_of_a", ["as drawn", "one"])
def test_a_stream_whose_gain_stays_in_one_model_keeps_its_orders_in_both(gain_of_a):
    """No product reads the last norm alone; a gain of one has no need to move."""
    norms = [norm if norm.gain != "norm3.gain" else replace(norm, readers=()) for norm in STREAM.norms]
    spec = SPEC.with_symmetries([replace(STREAM, norms=tuple(norms)), *SPEC.symmetries[1:]])
    a = A if gain_of_a == "as drawn" else {**A, "norm3.gain": np.ones_like(A["norm3.gain"])}
    found = rf.weight_matching(spec, a, B, symmetries="all")
    assert list(found.kept) == ["S"]
    assert "norm3.gain" in found.kept["S"]
    assert "S" not in found.transform.matrices
    assert found.to_dict()["symmetries"] == {"qk": ["linear"], "vo": ["linear"]}
    a_normal, b_aligned = found.endpoints(a, B)
    assert np.array_equal(a_normal["norm1.gain"], a["norm1.gain"])
    assert np.array_equal(b_aligned["norm1.gain"], B["norm1.gain"][found.permutation["S"]])
    inputs = MODEL.draw_inputs(np.random.default_rng(2))
    for given, end in ((a, a_normal), (B, b_aligned)):
        assert np.abs(MODEL.function(given, inputs) - MODEL.function(end, inputs)).max() < 1e-9
