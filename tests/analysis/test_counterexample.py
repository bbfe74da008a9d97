"""Two networks without errors that no permutation connects linearly (Git Re-Basin, appendix A.6)."""

import pytest

import rebasin_fast as rf
from reference import counterexample

POINTS = counterexample.grid(100)
ALL = dict(counterexample.all_permutations())


def test_both_networks_classify_perfectly_under_every_permutation() -> None:
    assert counterexample.error(counterexample.NETWORK_A, POINTS) == 0.0
    for permutation in ALL.values():
        permuted = rf.apply_permutation(counterexample.SPEC, permutation, counterexample.NETWORK_B)
        assert counterexample.error(permuted, POINTS) == 0.0


def test_all_permutations_are_tried() -> None:
    count = 10 ** counterexample.SPEC.log10_symmetries(counterexample.NETWORK_A)
    assert len(ALL) == round(count) == 4
    assert len({tuple(order.tolist() for order in p.values()).__repr__() for p in ALL.values()}) == 4


@pytest.mark.parametrize("name", list(ALL))
def test_a_quarter_is_wrong_halfway_under_each(name: str) -> None:
    permuted = rf.apply_permutation(counterexample.SPEC, ALL[name], counterexample.NETWORK_B)
    curve = rf.loss_curve(
        lambda params: {"error": counterexample.error(params, POINTS)},
        counterexample.NETWORK_A,
        permuted,
        ts=9,
    )
    assert curve.barrier(metric="error") == pytest.approx(0.25, abs=2e-3)
    assert curve.barrier("midpoint", "error") == pytest.approx(0.25, abs=2e-3)
