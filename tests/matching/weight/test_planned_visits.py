"""Planned visiting, a planned pass and a queue: local optimality, cost, and independence of memory and threads."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

import rebasin_fast as rf
from helpers.matchings import same
from helpers.networks import KNOWN
from helpers.strategies import spec_cases
from reference import general

MLP = KNOWN["mlp"]


@given(spec_cases(largest=6), st.integers(0, 10**6))
def test_it_ends_where_no_single_permutation_can_be_improved(case, seed):
    """Every kind of entry but nested ones, whose best step is tested by enumeration elsewhere."""
    assume(not any(case.spec.parents.values()))
    a, b = case.params(seed), case.params(seed + 1)
    found = rf.weight_matching(case.spec, a, b)
    assert found.converged
    for p in case.spec.permutations:
        table = general.similarity(case.spec, p, found.permutation, a, b, case.sizes)
        _, columns = linear_sum_assignment(table, maximize=True)
        reached = general.objective(case.spec, found.permutation | {p: columns}, a, b, case.sizes)
        assert reached <= found.objective + 1e-6 * max(1.0, abs(found.objective))


@given(spec_cases(largest=5), st.integers(0, 10**6))
def test_its_bookkeeping_is_the_objective(case, seed):
    """Every kind of entry: gains summed over moved positions, against the whole."""
    a, b = case.params(seed), case.params(seed + 1)
    found = rf.weight_matching(case.spec, a, b)
    reached = general.objective(case.spec, found.permutation, a, b, case.sizes)
    assert found.objective == pytest.approx(reached, rel=1e-11, abs=1e-11)
    values = [found.first_objective, *found.history]
    assert all(later >= earlier for earlier, later in itertools.pairwise(values))
    assert found.history[-1] == found.objective


@pytest.mark.parametrize("name", ["mlp", "resnet18", "resnet20-padded", "resnet50", "vgg16-imagenet-norm"])
@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_a_noisy_copy_is_recognised(name, noise):
    known = KNOWN[name]
    spec, a = known.spec(), known.arrays(1)
    for seed in range(4):
        rng = np.random.default_rng(seed)
        planted = {p: rng.permutation(n) for p, n in spec.sizes(a).items()}
        b = rf.apply_permutation(spec, planted, a)
        b = {
            k: w + np.float32(noise * w.std()) * rng.standard_normal(w.shape).astype(w.dtype)
            for k, w in b.items()
        }
        own = rf.weight_matching(spec, a, b)
        loop = [rf.weight_matching(spec, a, b, visiting="random", rng=s).objective for s in range(3)]
        assert own.objective >= np.mean(loop) * (1 - 1e-3)


def test_neither_memory_nor_threads_decide_the_way():
    known = KNOWN["resnet18"]
    spec, a, b = known.spec(), known.arrays(1), known.arrays(2)
    reference = rf.weight_matching(spec, a, b)
    for options in ({"rng": 0}, {"threads": 2}, {"memory_limit": 1 << 26}):
        found = rf.weight_matching(spec, a, b, **options)
        assert same(found, reference)
        assert found.history == reference.history
    limit = 4 * 64**2 + 16 * (1 << 20)  # the least that matches: nothing is kept
    bare = rf.weight_matching(spec, a, b, memory_limit=limit)
    assert same(bare, reference)
    assert bare.stats.visits == reference.stats.visits
    assert bare.stats.product_flop > reference.stats.product_flop


def test_it_multiplies_every_column_once_and_then_what_moved():
    """The floor is one sweep of products: a single visit of each permutation with everything in place."""
    known = KNOWN["resnet18"]
    spec, a, b = known.spec(), known.arrays(1), known.arrays(2)
    floor = rf.weight_matching(spec, a, b, order=[list(spec.permutations)]).stats
    own = rf.weight_matching(spec, a, b).stats
    loop = rf.weight_matching(spec, a, b, visiting="random").stats
    assert floor.product_flop <= own.product_flop < loop.product_flop
    assert floor.product_columns <= own.product_columns < loop.product_columns
    assert own.skipped_visits == 0
    assert own.visits <= own.assignments <= own.visits + 1  # the probe may be taken back
    assert 0 < own.accepted_steps <= own.visits
    assert own.packed_bytes > 0
    assert 0 <= own.packing_seconds <= own.product_seconds
    assert min(own.planning_seconds, own.assignment_seconds, own.objective_seconds) > 0


def test_progress_and_history_count_as_many_visits_a_sweep_as_there_are_permutations():
    a, b = MLP.arrays(0), MLP.arrays(1)
    events = []
    found = rf.weight_matching(MLP.spec(), a, b, progress=events.append)
    assert len(events) == found.stats.visits
    assert [e.sweep for e in events] == [1 + i // 3 for i in range(len(events))]
    assert [e.visit for e in events] == [1 + i % 3 for i in range(len(events))]
    assert found.sweeps == len(found.history) == events[-1].sweep
    ends = [e.objective for e in events if e.visit == 3]
    assert ends == found.history[: len(ends)]
    assert events[-1].objective == found.objective
    assert same(found, rf.weight_matching(MLP.spec(), a, b))


def test_it_can_be_cut_off():
    a, b = MLP.arrays(0), MLP.arrays(1)
    whole = rf.weight_matching(MLP.spec(), a, b)
    assert whole.sweeps > 1
    for sweeps in range(whole.sweeps):
        part = rf.weight_matching(MLP.spec(), a, b, max_iter=sweeps)
        assert (part.sweeps, part.converged) == (sweeps, False)
        assert part.history == whole.history[:sweeps]
    assert rf.weight_matching(MLP.spec(), a, b, max_iter=10**9).history == whole.history


def test_a_start_is_kept_or_improved():
    a, b = MLP.arrays(0), MLP.arrays(1)
    spec = MLP.spec()
    for seed in range(6):
        start = rf.weight_matching(spec, a, b, visiting="random", rng=seed)
        again = rf.weight_matching(spec, a, b, init=start.permutation)
        assert again.stats.accepted_steps == 0
        assert same(again, start)


def test_models_that_lie_aligned_stay_so():
    """The first pass may not give up an alignment for less."""
    known = KNOWN["resnet18"]
    a = known.arrays(1)
    rng = np.random.default_rng(0)
    for noise in (0.1, 1.0, 3.0):
        b = {
            k: w + np.float32(noise * w.std()) * rng.standard_normal(w.shape).astype(w.dtype)
            for k, w in a.items()
        }
        found = rf.weight_matching(known.spec(), a, b)
        assert found.objective >= found.first_objective


@pytest.mark.parametrize(
    "options", [{}, {"visiting": "random"}, {"order": ["P0", "P1", "P2"]}, {"restarts": 3}]
)
def test_sweeps_that_never_come_cost_nothing(options):
    a, b = MLP.arrays(0), MLP.arrays(1)
    long = rf.weight_matching(MLP.spec(), a, b, max_iter=10**12, **options)
    assert long.converged
    assert long.history == rf.weight_matching(MLP.spec(), a, b, **options).history


def test_restarts_begin_with_the_plan_and_go_on_from_drawn_seeds():
    a, b = MLP.arrays(0), MLP.arrays(1)
    found = rf.weight_matching(MLP.spec(), a, b, restarts=3)
    assert found.restarts[0].history == rf.weight_matching(MLP.spec(), a, b).history
    generator = np.random.default_rng(0)
    assert same(found.restarts[1], rf.weight_matching(MLP.spec(), a, b, rng=generator))


def test_entries_that_are_not_finite_are_named_by_every_way():
    a, b = MLP.arrays(0), MLP.arrays(1)
    for options in ({}, {"visiting": "random"}, {"max_iter": 0}):
        for value in (np.nan, np.inf):
            wrong = b | {"2.weight": b["2.weight"].copy()}
            wrong["2.weight"][1, 2] = value
            with pytest.raises(
                rf.ParamsError, match=r"'2.weight' of model B holds 1 entries .* the first at \(1, 2\)"
            ):
                rf.weight_matching(MLP.spec(), a, wrong, **options)
            with pytest.raises(rf.ParamsError, match=r"'2.weight' of model A"):
                rf.weight_matching(MLP.spec(), wrong, a, **options)


@pytest.mark.parametrize("visiting", ["auto", "random"])
def test_the_time_left_is_told_and_runs_out(visiting):
    spec, a, b = KNOWN["mlp"].spec(), *(KNOWN["mlp"].arrays(seed) for seed in (0, 1))
    events = []
    matching = rf.weight_matching(spec, a, b, visiting=visiting, progress=events.append)
    assert matching.converged
    told = [event.seconds_left for event in events if event.seconds_left is not None]
    assert len(told) > len(events) // 2
    assert max(told) > 0.0
    assert told[-1] == 0.0
