"""Another seed is another run, equally good, of every method that takes one and visits by plan."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rebasin_fast as rf
from helpers.matchings import deep_perceptrons, same
from helpers.networks import KNOWN
from helpers.strategies import spec_cases
from rebasin_fast.permutation import random_permutation
from reference import general

SEEDS = range(1, 9)


@pytest.mark.parametrize("effort", ["low", "normal"])
def test_other_seeds_are_other_runs_and_as_good(effort):
    rises = {0: [], 1: []}
    for pair in range(4):
        spec, a, b = deep_perceptrons(pair)
        plain = rf.weight_matching(spec, a, b, effort=effort)
        assert same(plain, rf.weight_matching(spec, a, b, effort=effort, rng=0))
        others = [rf.weight_matching(spec, a, b, effort=effort, rng=seed) for seed in SEEDS]
        assert same(others[0], rf.weight_matching(spec, a, b, effort=effort, rng=SEEDS[0]))
        assert len({run.objective for run in [plain, *others]}) > 4
        assert all(run.converged for run in others)
        rises[0].append(plain.objective - plain.first_objective)
        rises[1] += [run.objective - run.first_objective for run in others]
    assert np.mean(rises[1]) > 0.98 * np.mean(rises[0])


def test_restarts_are_runs_of_further_seeds():
    spec, a, b = deep_perceptrons()
    plain = rf.weight_matching(spec, a, b)
    for rng in (0, 5):
        found = rf.weight_matching(spec, a, b, restarts=6, rng=rng)
        assert len({run.objective for run in found.restarts}) > 3
        assert found.objective == max(run.objective for run in found.restarts)
        assert same(found.restarts[0], plain) == (rng == 0)
        assert all(run.converged for run in found.restarts)


@given(spec_cases(largest=6), st.integers(0, 10**6), st.integers(1, 2**62))
@settings(max_examples=50)
def test_a_run_of_any_seed_keeps_the_promises(case, models, seed):
    a, b = case.params(models), case.params(models + 1)
    start = random_permutation(case.spec, case.sizes, np.random.default_rng(models))
    for init in (None, start):
        found = rf.weight_matching(case.spec, a, b, rng=seed, init=init)
        values = [found.first_objective, *found.history]
        assert all(later >= earlier for earlier, later in itertools.pairwise(values))
        assert found.history[-1] == found.objective
        assert found.converged
        reached = general.objective(case.spec, found.permutation, a, b, case.sizes)
        assert found.objective == pytest.approx(reached, rel=1e-11, abs=1e-11)


@pytest.mark.parametrize("name", ["mlp", "resnet20-padded", "vgg16-cifar-norm"])
def test_planted_permutations_are_found_from_any_seed(name):
    spec, a = KNOWN[name].spec(), KNOWN[name].arrays(0)
    planted = random_permutation(spec, spec.sizes(a), np.random.default_rng(3))
    b = rf.apply_permutation(spec, planted, a)
    for seed in (1, 2):
        found = rf.weight_matching(spec, a, b, rng=seed)
        aligned = rf.apply_permutation(spec, found.permutation, b)
        assert all(np.array_equal(a[name], aligned[name]) for name in a)


@pytest.mark.parametrize("after", [2, 5, 8])
def test_a_seeded_run_goes_on_from_its_checkpoint(tmp_path, after):
    spec, a, b = deep_perceptrons()
    whole = rf.weight_matching(spec, a, b, rng=4)
    path, events = tmp_path / "steps.npz", []

    def stop(event):
        events.append(event)
        if len(events) == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rf.weight_matching(spec, a, b, rng=4, checkpoint=path, progress=stop)
    resumed = rf.weight_matching(spec, a, b, rng=4, checkpoint=path)
    assert resumed.history == whole.history
    assert resumed.stats.assignments < whole.stats.assignments
    assert same(resumed, whole)


def test_the_relaxation_and_many_take_seeds():
    spec, a, b = deep_perceptrons()
    assert len({rf.frank_wolfe_matching(spec, a, b, rng=seed, max_iter=1).objective for seed in range(6)}) > 1
    models = [a, b, deep_perceptrons(1)[1]]
    assert len({rf.merge_many(spec, models, rng=seed).objective for seed in range(6)}) > 1
