"""``effort`` beyond planned visiting: perturbations out of a local optimum, and never a lower objective."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rebasin_fast as rf
from helpers.matchings import deep_perceptrons
from helpers.networks import KNOWN
from helpers.strategies import spec_cases
from reference import general

EFFORTS = ("low", "normal", "high")
MLP = KNOWN["mlp"]


@given(spec_cases(largest=6), st.integers(0, 10**6))
@settings(max_examples=50)
def test_more_effort_never_ends_lower_and_its_bookkeeping_is_the_objective(case, seed):
    a, b = case.params(seed), case.params(seed + 1)
    found = [rf.weight_matching(case.spec, a, b, effort=effort) for effort in EFFORTS]
    for less, more in itertools.pairwise(found):
        assert more.objective >= less.objective
    for matching in found:
        reached = general.objective(case.spec, matching.permutation, a, b, case.sizes)
        assert matching.objective == pytest.approx(reached, rel=1e-11, abs=1e-11)
        values = [matching.first_objective, *matching.history]
        assert all(later >= earlier for earlier, later in itertools.pairwise(values))
        assert matching.history[-1] == matching.objective
        assert matching.converged


def test_each_effort_gains_on_networks_whose_first_pass_underperforms():
    gained = dict.fromkeys(EFFORTS, 0.0)
    for seed in range(5):
        spec, a, b = deep_perceptrons(seed)
        for effort in EFFORTS:
            gained[effort] += rf.weight_matching(spec, a, b, effort=effort).objective
    assert gained["low"] < gained["normal"] < gained["high"]


def test_perturbations_are_counted_and_bounded():
    spec, a, b = deep_perceptrons()
    low, normal, high = (rf.weight_matching(spec, a, b, effort=effort).stats for effort in EFFORTS)
    assert (low.shakes, low.shakes_kept) == (0, 0)
    assert normal.shakes == 1
    assert high.shakes == 10
    assert 1 <= high.shakes_kept <= 10
    assert low.product_flop < normal.product_flop < high.product_flop


def test_a_pass_that_found_its_way_is_left_alone():
    spec, a, _ = deep_perceptrons()
    a["a.weight"] = np.random.default_rng(1).standard_normal((40, 60)).astype("float32")
    b = rf.apply_permutation(spec, {p: np.roll(np.arange(40), 7) for p in spec.permutations}, a)
    assert rf.weight_matching(spec, a, b).stats.shakes == 0
    start = rf.weight_matching(spec, a, b, effort="low").permutation
    assert rf.weight_matching(spec, a, b, init=start).stats.shakes == 0
    high = rf.weight_matching(spec, a, b, init=start, effort="high")
    assert (high.stats.shakes, high.stats.shakes_kept) == (10, 0)
    assert all(np.array_equal(high.permutation[p], start[p]) for p in start)


def test_the_result_does_not_depend_on_threads_or_memory():
    spec, a, b = deep_perceptrons()
    reference = rf.weight_matching(spec, a, b, effort="high")
    for options in ({"threads": 2}, {"memory_limit": 4 * 40**2 + 16 * (1 << 20)}):
        found = rf.weight_matching(spec, a, b, effort="high", **options)
        assert found.history == pytest.approx(reference.history, rel=1e-12)
        assert all(
            np.array_equal(found.permutation[p], reference.permutation[p]) for p in reference.permutation
        )


def test_a_perturbed_matching_goes_on_from_its_checkpoint(tmp_path):
    spec, a, b = deep_perceptrons()
    whole = rf.weight_matching(spec, a, b, effort="high")
    visits = []

    def stop(event):
        visits.append(event)
        if len(visits) == whole.stats.visits // 2:
            raise KeyboardInterrupt

    path = tmp_path / "steps.npz"
    with pytest.raises(KeyboardInterrupt):
        rf.weight_matching(spec, a, b, effort="high", checkpoint=path, progress=stop)
    resumed = rf.weight_matching(spec, a, b, effort="high", checkpoint=path)
    assert resumed.history == whole.history
    assert resumed.stats.assignments < whole.stats.assignments
    assert all(np.array_equal(resumed.permutation[p], whole.permutation[p]) for p in whole.permutation)
    with pytest.raises(rf.errors.FileFormatError, match="another matching"):
        rf.weight_matching(spec, a, b, effort="low", checkpoint=path)


def test_progress_never_tells_of_a_fall():
    spec, a, b = deep_perceptrons()
    events = []
    found = rf.weight_matching(spec, a, b, effort="high", progress=events.append)
    objectives = [event.objective for event in events]
    after_the_pass = objectives[len(spec.permutations) :]
    assert all(later >= earlier for earlier, later in itertools.pairwise(after_the_pass))
    assert objectives[-1] == found.objective


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"effort": "most"}, "effort is 'low' or 'normal' or 'high'"),
        ({"effort": "high", "visiting": "random"}, "effort='high' is for visiting='auto'"),
        ({"effort": "low", "order": ["P0", "P1", "P2"]}, "effort='low' is for visiting='auto'"),
    ],
)
def test_wrong_efforts_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        rf.weight_matching(MLP.spec(), MLP.arrays(0), MLP.arrays(1), **options)
