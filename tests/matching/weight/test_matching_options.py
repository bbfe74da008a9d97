"""Options of weight matching, and its reports."""

import itertools

import numpy as np
import pytest

import rebasin_fast as rf
from helpers.matchings import same
from helpers.networks import KNOWN
from reference import general

MLP = KNOWN["mlp"]
SPEC = MLP.spec()


def models(*seeds):
    return [MLP.arrays(seed) for seed in seeds]


def test_the_objective_rises_from_sweep_to_sweep():
    for seed in range(10):
        a, b = models(seed, seed + 100)
        for visiting in ("auto", "random"):
            found = rf.weight_matching(SPEC, a, b, rng=seed, visiting=visiting)
            values = [found.first_objective, *found.history]
            assert all(later >= earlier for earlier, later in itertools.pairwise(values))
            assert found.history[-1] == found.objective
            assert found.sweeps == len(found.history)
            assert found.converged
        assert found.history[-1] == found.history[-2]  # the published loop ends with a sweep in vain


def test_no_swap_of_two_units_improves_the_result():
    a, b = models(0, 1)
    found = rf.weight_matching(SPEC, a, b)
    sizes = SPEC.sizes(a)
    for p, n in sizes.items():
        for i, j in itertools.combinations(range(n), 2):
            swapped = {q: index.copy() for q, index in found.permutation.items()}
            swapped[p][[i, j]] = swapped[p][[j, i]]
            assert general.objective(SPEC, swapped, a, b, sizes) <= found.objective * (1 + 1e-6)


def test_no_sweeps():
    a, b = models(0, 1)
    found = rf.weight_matching(SPEC, a, b, max_iter=0)
    assert found.history == []
    assert (found.sweeps, found.converged) == (0, False)
    assert found.objective == found.first_objective
    assert found.moved_units() == dict.fromkeys(SPEC.permutations, 0)


def test_a_sweep_at_a_time():
    a, b = models(0, 1)
    order = [["P0", "P1", "P2"], ["P2", "P0", "P1"], ["P1", "P2", "P0"]]
    whole = rf.weight_matching(SPEC, a, b, order=order)
    init = None
    for number, sweep in enumerate(order):
        part = rf.weight_matching(SPEC, a, b, order=[sweep], init=init)
        assert part.history == [pytest.approx(whole.history[number], rel=1e-12)]
        init = part.permutation
    assert same(part, whole)


def test_orders():
    a, b = models(0, 1)
    forward = rf.weight_matching(SPEC, a, b, order=["P0", "P1", "P2"])
    assert forward.converged
    assert same(forward, rf.weight_matching(SPEC, a, b, order=[["P0", "P1", "P2"]] * 100))
    one = rf.weight_matching(SPEC, a, b, order=["P0", "P1", "P2"], max_iter=1)
    assert one.sweeps == 1
    assert not one.converged
    assert rf.weight_matching(SPEC, a, b, order=[]).sweeps == 0
    only = rf.weight_matching(SPEC, a, b, order=[["P1"]])
    assert only.moved_units()["P0"] == only.moved_units()["P2"] == 0
    for wrong in (["P0", "P9"], [["P0"], ["P9"]]):
        with pytest.raises(rf.SpecError, match="order names permutation 'P"):
            rf.weight_matching(SPEC, a, b, order=wrong)
    with pytest.raises(TypeError, match="order is a list of names"):
        rf.weight_matching(SPEC, a, b, order="P0")


def test_init_is_where_it_starts():
    a, b = models(0, 1)
    first = rf.weight_matching(SPEC, a, b)
    again = rf.weight_matching(SPEC, a, b, init=first.permutation)
    assert again.first_objective == pytest.approx(first.objective, rel=1e-12)
    assert again.stats.accepted_steps == 0
    assert again.sweeps == 1
    assert same(again, first)
    with pytest.raises(rf.PermutationError, match="'P0' is not one"):
        rf.weight_matching(SPEC, a, b, init=first.permutation | {"P0": np.zeros(8, dtype=int)})
    with pytest.raises(rf.PermutationError, match="'P1' is missing"):
        rf.weight_matching(SPEC, a, b, init={"P0": np.arange(8)})


def test_same_seed_same_permutation_for_any_number_of_threads():
    a, b = models(0, 1)
    reference = rf.weight_matching(SPEC, a, b, rng=7)
    for threads in (None, 1, 2, 3):
        found = rf.weight_matching(SPEC, a, b, rng=7, threads=threads)
        assert same(found, reference)
        assert found.history == reference.history
    generator = np.random.default_rng(7)
    assert same(rf.weight_matching(SPEC, a, b, rng=generator), reference)
    rf.weight_matching(SPEC, a, b, rng=None)


def test_other_seeds_take_other_ways():
    a, b = models(0, 1)
    found = {rf.weight_matching(SPEC, a, b, rng=seed, visiting="random").objective for seed in range(8)}
    assert len(found) > 1


def test_restarts_keep_the_best():
    a, b = models(0, 1)
    found = rf.weight_matching(SPEC, a, b, restarts=6)
    assert len(found.restarts) == 6
    assert found.objective == max(run.objective for run in found.restarts)
    assert len({run.objective for run in found.restarts}) > 1
    assert same(found, max(found.restarts, key=lambda run: run.objective))
    assert same(found.restarts[0], rf.weight_matching(SPEC, a, b))
    assert rf.weight_matching(SPEC, a, b).restarts == ()


def test_a_list_of_models():
    a, b, c = models(0, 1, 2)
    found = rf.weight_matching(SPEC, a, [b, c], rng=3)
    assert same(found[0], rf.weight_matching(SPEC, a, b, rng=3))
    assert found[1].objective > found[1].first_objective
    assert rf.weight_matching(SPEC, a, []) == []
    assert len(rf.weight_matching(SPEC, a, (b,), max_iter=1)) == 1


def test_progress_tells_every_visit():
    a, b = models(0, 1)
    events = []
    found = rf.weight_matching(SPEC, a, b, restarts=2, progress=events.append, visiting="random")
    for run, matching in enumerate(found.restarts, 1):
        own = [event for event in events if event.restart == run]
        assert len(own) == 3 * matching.sweeps == matching.stats.visits
        assert [event.visit for event in own] == [1, 2, 3] * matching.sweeps
        assert [event.sweep for event in own] == [s for s in range(1, matching.sweeps + 1) for _ in range(3)]
        assert [event.objective for event in own][2::3] == matching.history
        assert all((event.visits, event.restarts, event.max_sweeps) == (3, 2, 100) for event in own)
        assert all(sorted(event.permutation for event in own[i : i + 3]) == ["P0", "P1", "P2"]
                   for i in range(0, len(own), 3))  # fmt: skip


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_what_progress_raises_ends_the_matching(error):
    a, b = models(0, 1)
    calls = []

    def stop(event):
        calls.append(event)
        if len(calls) == 2:
            raise error("enough")

    with pytest.raises(error, match="enough"):
        rf.weight_matching(SPEC, a, b, progress=stop)
    assert len(calls) == 2
    assert rf.weight_matching(SPEC, a, b).converged


def test_statistics_add_up():
    a, b = models(0, 1)
    stats = rf.weight_matching(SPEC, a, b, visiting="random").stats
    assert stats.visits == stats.skipped_visits + stats.assignments
    assert 0 < stats.accepted_steps <= stats.assignments
    assert stats.product_flop > 0
    assert min(stats.product_seconds, stats.assignment_seconds, stats.objective_seconds) >= 0


def test_a_matching_says_what_it_is():
    found = rf.weight_matching(SPEC, *models(0, 1))
    for part in ("3 permutations", "23 units", "converged"):
        assert part in repr(found)
    fields = found.to_dict()
    assert fields["sizes"] == {"P0": 8, "P1": 8, "P2": 7}
    assert fields["moved_units"] == found.moved_units()


def test_parameters_left_in_place_are_reported():
    a, b = models(0, 1)
    whole = rf.weight_matching(SPEC, a, b)
    extra = rf.weight_matching(
        SPEC, a | {"ema": np.ones(2), "step": np.ones(())}, b | {"step": np.zeros(())}, strict=False
    )
    assert extra.report == {"ema": "in model A only"}
    assert same(extra, whole)
    short = {name: w for name, w in b.items() if name != "6.bias"}
    found = rf.weight_matching(
        SPEC, {name: w for name, w in a.items() if name != "6.bias"}, short, strict=False
    )
    assert found.report == {"6.bias": "in the spec, and in neither model"}
    assert rf.weight_matching(SPEC, a, short, strict=False).report == {"6.bias": "in model A only"}
    assert whole.report == {}


def test_a_permutation_whose_parameters_are_all_left_out_stays():
    spec = rf.PermutationSpec({"w": ("P", None), "v": ("Q", None)})
    rng = np.random.default_rng(0)
    a = {"w": rng.standard_normal((4, 3)), "v": rng.standard_normal((5, 3))}
    found = rf.weight_matching(spec, a, {"w": a["w"][::-1]}, strict=False)
    assert found.permutation["P"].tolist() == [3, 2, 1, 0]
    assert found.permutation["Q"].tolist() == list(range(5))
    aligned = rf.apply_permutation(spec, found.permutation, a)
    np.testing.assert_array_equal(aligned["v"], a["v"])


def test_two_axes_of_one_array_take_only_steps_that_help():
    """The linearised step overshoots here: the published loop would lower the objective and wander."""
    spec = rf.PermutationSpec({"w": ("P", "P")})
    rejected = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        a, b = ({"w": rng.standard_normal((6, 6))} for _ in "ab")
        found = rf.weight_matching(spec, a, b, effort="low")
        assert found.objective >= found.first_objective
        assert found.converged
        rejected += found.stats.assignments > found.stats.accepted_steps + (found.stats.accepted_steps > 0)
        table = general.similarity(spec, "P", found.permutation, a, b, {"P": 6})
        assert table.shape == (6, 6)
        free = general.weight_matching(spec, a, b, order=[["P"]] * 100)
        assert found.objective == pytest.approx(free.objective, rel=1e-9)


def test_memory_limit():
    a, b = models(0, 1)
    with pytest.raises(MemoryError, match=r"8 units and needs [\d,]+ bytes .*memory_limit is 1,000"):
        rf.weight_matching(SPEC, a, b, memory_limit=1000)
    rf.weight_matching(SPEC, a, b, memory_limit=1 << 30)


def test_products_are_for_a_gpu():
    spec, (a, b) = SPEC, models(0, 1)
    with pytest.raises(ValueError, match="for matchings on a GPU"):
        rf.weight_matching(spec, a, b, products="tf32")
    with pytest.raises(ValueError, match="products is one of"):
        rf.weight_matching(spec, a, b, products="float8")
