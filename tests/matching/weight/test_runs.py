"""Restarts and lists of models on threads: the results of one after the other, and an end to all when one ends."""

import threading

import numpy as np
import pytest

import rebasin_fast as rf
from helpers.networks import KNOWN
from rebasin_fast.matching.runs import generators, run_all
from rebasin_fast.matching.weight import runs

MLP = KNOWN["mlp"]
SPEC = MLP.spec()


def same(one, other):
    assert one.history == other.history
    for p, index in one.permutation.items():
        np.testing.assert_array_equal(other.permutation[p], index)


@pytest.mark.parametrize("threads", [2, 3, 8])
@pytest.mark.parametrize("visiting", ["auto", "random"])
def test_restarts_on_threads_are_the_restarts(visiting, threads):
    a, b = MLP.arrays(0), MLP.arrays(1)
    apart = rf.weight_matching(SPEC, a, b, restarts=5, rng=2, visiting=visiting)
    together = rf.weight_matching(SPEC, a, b, restarts=5, rng=2, visiting=visiting, threads=threads)
    same(together, apart)
    for one, other in zip(together.restarts, apart.restarts, strict=True):
        same(one, other)
    assert len({run.objective for run in apart.restarts}) > 1


@pytest.mark.parametrize("options", [{}, {"visiting": "random"}, {"restarts": 3}, {"memory_limit": 1 << 30}])
def test_a_list_on_threads_is_the_list(options):
    a, *models = (MLP.arrays(seed) for seed in range(5))
    apart = rf.weight_matching(SPEC, a, models, rng=5, **options)
    together = rf.weight_matching(SPEC, a, models, rng=5, threads=3, **options)
    assert len(together) == 4
    for one, other in zip(together, apart, strict=True):
        same(one, other)
        assert len(one.restarts) == len(other.restarts)


def test_a_generator_draws_the_same_on_threads():
    a, b = MLP.arrays(0), MLP.arrays(1)
    one, other = (
        rf.weight_matching(SPEC, a, b, rng=np.random.default_rng(8), restarts=4, threads=threads)
        for threads in (None, 4)
    )
    same(one, other)


def test_progress_comes_from_one_thread_at_a_time():
    a, b = MLP.arrays(0), MLP.arrays(1)
    inside = threading.Semaphore(1)
    events = []

    def progress(event):
        assert inside.acquire(blocking=False)
        events.append(event)
        inside.release()

    found = rf.weight_matching(SPEC, a, b, restarts=4, threads=4, progress=progress)
    for number, run in enumerate(found.restarts, 1):
        assert sum(event.restart == number for event in events) == run.stats.visits


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_progress_raises_ends_all_runs(error):
    a, b = MLP.arrays(0), MLP.arrays(1)
    before = set(threading.enumerate())

    def stop(event):
        raise error("enough")

    with pytest.raises(error, match="enough"):
        rf.weight_matching(SPEC, a, b, restarts=6, threads=2, progress=stop)
    assert set(threading.enumerate()) == before


def test_an_error_of_one_model_is_told():
    a, b = MLP.arrays(0), MLP.arrays(1)
    wrong = b | {"2.weight": np.full_like(b["2.weight"], np.nan)}
    with pytest.raises(rf.ParamsError, match=r"'2.weight' of model B"):
        rf.weight_matching(SPEC, a, [b, wrong, b], threads=2)


def test_memory_is_shared_by_the_runs():
    a, b = MLP.arrays(0), MLP.arrays(1)
    with pytest.raises(MemoryError, match="memory_limit is 20,000,000"):
        rf.weight_matching(SPEC, a, b, restarts=3, threads=3, memory_limit=20_000_000)
    rf.weight_matching(SPEC, a, b, restarts=3, memory_limit=20_000_000)


@pytest.mark.parametrize("options", [{}, {"memory_limit": 1 << 30}])
def test_memory_is_shared_by_the_pairs_of_a_list(monkeypatch, options):
    kept, bytes_to_keep = [], runs._bytes_to_keep

    def noting(*arguments):
        kept.append(bytes_to_keep(*arguments))
        return kept[-1]

    monkeypatch.setattr(runs, "_bytes_to_keep", noting)
    a, b = MLP.arrays(0), MLP.arrays(1)
    rf.weight_matching(SPEC, a, [b, b], **options)
    alone = kept.pop()
    rf.weight_matching(SPEC, a, [b, b], threads=2, **options)
    assert sum(kept[-2:]) <= alone < 3 * kept[-1]
    with pytest.raises(MemoryError, match="memory_limit is 20,000,000"):
        rf.weight_matching(SPEC, a, [b, b], threads=2, memory_limit=20_000_000)


def test_calls_run_in_their_order_or_at_once():
    assert run_all([], 4) == []
    assert run_all([lambda stop, i=i: (i, stop is None) for i in range(3)], 1) == [
        (i, True) for i in range(3)
    ]
    assert run_all([lambda stop, i=i: (i, stop is None) for i in range(3)], 2) == [
        (i, False) for i in range(3)
    ]


def test_each_run_draws_from_its_own_generator():
    drawn = [each.integers(1 << 40) for each in generators(np.random.default_rng(1), 4)]
    assert len(set(drawn)) == 4
    assert drawn[0] == np.random.default_rng(1).integers(1 << 40)
    assert generators(np.random.default_rng(1), 0) == []
