"""Transforms of all groups at once, planted and recovered: weights to 1e-6, the function to 1e-9."""

import numpy as np
import pytest

import rebasin_fast as rf
from helpers.symmetric_models import MODELS
from rebasin_fast.permutation import random_transform


def planted(model, seed, noise=0.0):
    """A in normal form but for a random transform of all groups; B its original, with noise of so many deviations."""
    rng = np.random.default_rng(seed)
    original = rf.normalise(model.spec, model.draw(rng)).params
    transform = random_transform(model.spec, model.spec.sizes(original), rng)
    b = {name: w + noise * w.std() * rng.standard_normal(w.shape) for name, w in original.items()}
    return rf.apply_transform(model.spec, transform, original), b, transform


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", MODELS)
def test_a_planted_transform_is_recovered(name, seed):
    model = MODELS[name]
    a, b, _ = planted(model, seed)
    matching = rf.weight_matching(model.spec, a, b, symmetries="all")
    a_normal, b_aligned = matching.endpoints(a, b)
    assert list(b_aligned) == list(b)
    for parameter, weights in a_normal.items():
        assert np.abs(b_aligned[parameter] - weights).max() < 1e-6, parameter
    inputs = model.draw_inputs(np.random.default_rng(seed))
    outputs = model.function(b, inputs)
    assert np.abs(model.function(b_aligned, inputs) - outputs).max() < 1e-9
    assert np.abs(model.function(a_normal, inputs) - outputs).max() < 1e-9
    assert np.abs(model.function(a, inputs) - outputs).max() < 1e-9
    assert matching.converged


@pytest.mark.parametrize("name", MODELS)
def test_a_given_transform_is_that_of_the_result(name):
    """``transform`` moves B as ``apply`` does, but for gains, biases and means of norms, which move before."""
    model = MODELS[name]
    a, b = (model.draw(np.random.default_rng(seed)) for seed in (5, 6))
    matching = rf.weight_matching(model.spec, a, b, symmetries="all")
    unbalanced = rf.normalise(model.spec, b, balance=False).params
    moved, aligned = rf.apply_transform(model.spec, matching.transform, unbalanced), matching.apply(b)
    assert all(np.abs(moved[parameter] - aligned[parameter]).max() < 1e-9 for parameter in b)
    inputs = model.draw_inputs(np.random.default_rng(7))
    assert np.abs(model.function(aligned, inputs) - model.function(b, inputs)).max() < 1e-9


@pytest.mark.parametrize("name", MODELS)
def test_models_in_float32_are_matched_in_float32(name):
    model = MODELS[name]
    a, b, _ = planted(model, 0)
    a, b = ({name: w.astype(np.float32) for name, w in params.items()} for params in (a, b))
    a_normal, b_aligned = rf.weight_matching(model.spec, a, b, symmetries="all").endpoints(a, b)
    assert {w.dtype for w in b_aligned.values()} == {np.dtype(np.float32)}
    assert all(np.abs(a_normal[parameter] - w).max() < 1e-4 for parameter, w in b_aligned.items())


def test_under_noise_all_symmetries_come_closer_than_permutations_alone():
    """A third of a deviation of noise on every weight: the distance that is left, beside that of the noise."""
    shares = {}
    for name, model in MODELS.items():
        a, b, transform = planted(model, 3, noise=0.3)
        original = rf.normalise(model.spec, b).params
        truth = rf.normalise(model.spec, rf.apply_transform(model.spec, transform, b)).params
        matching = rf.weight_matching(model.spec, a, b, symmetries="all")
        a_normal, aligned = matching.endpoints(a, b)
        alone = rf.weight_matching(model.spec, a_normal, original)
        permuted = rf.apply_permutation(model.spec, alone.permutation, original)
        noise = distance(a_normal, truth)
        shares[name] = distance(a_normal, aligned) / noise, distance(a_normal, permuted) / noise
    assert max(of_all for of_all, _ in shares.values()) < 1.3, shares
    assert all(of_all < 0.8 * permuted for name, (of_all, permuted) in shares.items() if name != "relu"), (
        shares
    )


def distance(a, b):
    return float(np.sqrt(sum(((a[name] - b[name]) ** 2).sum() for name in a)))
