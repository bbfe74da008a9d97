"""weight_matching(device="cuda"), the engine's device being torch's CPU."""

import numpy as np
import pytest

import rebasin_fast as rf
from helpers.networks import KNOWN
from rebasin_fast._arrays.operations import TorchOperations
from rebasin_fast.matching.device import on_device
from rebasin_fast.matching.device.assigners import HostAssigner

KNOWN_NAME = "resnet20-projected"


@pytest.fixture
def pair(monkeypatch):
    def on_the_host(params, device, products, threads):
        ops = TorchOperations("cpu", products)
        return ops, HostAssigner(ops, threads or 1)

    monkeypatch.setattr(on_device, "choose_operations", on_the_host)
    known = KNOWN[KNOWN_NAME]
    return known.spec(), known.arrays(0), known.arrays(1)


def assert_same(found, expected):
    assert found.history == pytest.approx(expected.history, rel=1e-9)
    assert found.sweeps == expected.sweeps
    for name, index in expected.permutation.items():
        np.testing.assert_array_equal(found.permutation[name], index)


def test_the_same_order_gives_the_same_result(pair):
    spec = pair[0]
    for order in (list(spec.permutations), [list(spec.permutations), list(spec.permutations)[::-1]]):
        found = rf.weight_matching(*pair, order=order, device="cuda")
        assert_same(found, rf.weight_matching(*pair, order=order))


def test_a_seed_gives_the_published_loop(pair):
    found = rf.weight_matching(*pair, rng=3, visiting="random", device="cuda")
    assert_same(found, rf.weight_matching(*pair, rng=3, visiting="random"))
    assert found.converged


def test_starts_restarts_and_progress(pair):
    spec, a, b = pair
    events = []
    first = rf.weight_matching(spec, a, b, max_iter=2, device="cuda")
    again = rf.weight_matching(
        spec, a, b, init=first, restarts=2, max_iter=3, device="cuda", progress=events.append
    )
    assert again.first_objective == pytest.approx(first.objective)
    assert len(again.restarts) == 2
    assert again.objective == max(run.objective for run in again.restarts)
    assert {(event.restart, event.max_sweeps) for event in events} == {(1, 3), (2, 3)}
    assert sum(event.restart == 1 for event in events) == again.restarts[0].stats.visits


def test_lists_of_models_and_mistakes(pair):
    spec, a, b = pair
    two = rf.weight_matching(spec, a, [b, a], max_iter=2, device="cuda")
    assert len(two) == 2
    with pytest.raises(rf.SpecError, match="'nobody'"):
        rf.weight_matching(spec, a, b, order=["nobody"], device="cuda")


@pytest.fixture
def chosen(monkeypatch):
    """(products, threads) of every choice of a device's operations."""
    seen, choose = [], on_device.choose_operations

    def noting(params, device, products, threads):
        seen.append((products, threads))
        return choose(params, device, products, threads)

    monkeypatch.setattr(on_device, "choose_operations", noting)
    return seen


def test_products_reach_the_device_and_the_objective_stays_exact(pair, chosen):
    spec, a, b = pair
    found = rf.weight_matching(spec, a, b, max_iter=1, device="cuda", products="bfloat16")
    assert [products for products, _ in chosen] == ["bfloat16"]
    there = rf.weight_matching(spec, a, b, init=found.permutation, max_iter=0)
    assert found.objective == pytest.approx(there.objective, rel=1e-9)


def test_the_result_says_how_it_visited_and_threads_are_passed_on(pair, chosen):
    spec, a, b = pair
    order = list(spec.permutations)
    assert rf.weight_matching(spec, a, b, max_iter=1, device="cuda", threads=3).visiting == "auto"
    assert rf.weight_matching(spec, a, b, max_iter=1, device="cuda", order=order).visiting == "order"
    assert [threads for _, threads in chosen] == [3, None]
    for visiting in ("auto", "random"):
        found = rf.weight_matching(spec, a, b, max_iter=1, visiting=visiting)
        assert (found.visiting, found.to_dict()["visiting"]) == (visiting, visiting)
    assert rf.weight_matching(spec, a, b, max_iter=1, order=order).visiting == "order"
    assert rf.frank_wolfe_matching(spec, a, b, max_iter=1).visiting == "auto"  # of its polishing
