"""Steps of the ascent beside every move that there is, and beside moves drawn at random."""

from itertools import permutations, product

import numpy as np
import pytest

from helpers.symmetric_models import mlp
from rebasin_fast.matching.pair import check_pair
from rebasin_fast.matching.symmetric.ascent import Ascent
from rebasin_fast.matching.symmetric.polar import centred_polar_factor, polar_factor
from rebasin_fast.matching.symmetric.problem import SymmetricProblem
from rebasin_fast.matching.symmetric.similarity import Similarities
from rebasin_fast.matching.symmetric.state import State
from rebasin_fast.matching.symmetric.steps import best_move


@pytest.mark.parametrize("factor", [polar_factor, centred_polar_factor])
def test_a_polar_factor_is_orthogonal_and_no_drawn_matrix_beats_it(factor):
    rng = np.random.default_rng(0)
    similarity = rng.standard_normal((2, 5, 5))
    found = factor(similarity)
    assert np.abs(found @ found.swapaxes(-1, -2) - np.eye(5)).max() < 1e-13
    if factor is centred_polar_factor:
        assert np.abs(found.sum(-1) - 1.0).max() < 1e-13
    best = np.einsum("gij,gij->g", found, similarity)
    for _ in range(300):
        other = factor(rng.standard_normal((2, 5, 5)))
        near = factor(found + 1e-3 * rng.standard_normal((2, 5, 5)))
        for rival in (other, near):
            assert (np.einsum("gij,gij->g", rival, similarity) <= best + 1e-8).all()


def test_a_polar_factor_leaves_what_nothing_is_known_of_where_it_is():
    rng = np.random.default_rng(1)
    q, _ = np.linalg.qr(rng.standard_normal((2, 2)))
    similarity = np.zeros((1, 6, 6))
    similarity[0, :2, :2] = q
    expected = np.eye(6)
    expected[:2, :2] = q
    assert np.abs(polar_factor(similarity)[0] - expected).max() < 1e-8
    assert np.abs(polar_factor(np.zeros((1, 4, 4)))[0] - np.eye(4)).max() == 0.0


@pytest.mark.parametrize("seed", range(3))
def test_signs_and_order_are_the_best_of_all(seed):
    model = mlp("tanh", (3, 4, 2))
    a, b = (model.draw(np.random.default_rng(seed + 10 * i)) for i in range(2))
    problem = problem_of(model, a, b)
    state = State(problem)
    move = best_move(problem, problem.families["P0"], Similarities(problem, state.b))
    found = state.objective + move.gain
    values = [value_of(a, b, order, signs) for order, signs in elements(4)]
    assert found == pytest.approx(max(values), abs=1e-12)
    state.take(problem.families["P0"], move)
    assert state.objective == pytest.approx(found, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_an_ascent_ends_where_no_signed_order_of_one_layer_is_better(seed):
    model = mlp("tanh", (4, 3, 3, 2))
    a, b = (model.draw(np.random.default_rng(seed + 10 * i)) for i in range(2))
    problem = problem_of(model, a, b)
    ascent = Ascent(problem)
    order = ascent.settle()
    ascent.climb(lambda sweep: order)
    assert ascent.converged
    all_values = {(one, two): two_layer_value(a, b, one, two) for one in elements(3) for two in elements(3)}
    transform = ascent.state.transform()
    found = tuple((tuple(transform.permutation[p]), tuple(transform.signs[p])) for p in ("P0", "P1"))
    assert ascent.state.objective == pytest.approx(all_values[found], abs=1e-12)
    alone = [v for (one, two), v in all_values.items() if one == found[0] or two == found[1]]
    assert ascent.state.objective >= max(alone) - 1e-12
    assert ascent.state.objective >= 0.8 * max(all_values.values())


def problem_of(model, a, b):
    return SymmetricProblem(check_pair(model.spec, a, b, strict=True))


def elements(n):
    """All signed orders of n units."""
    return [(order, signs) for order in permutations(range(n)) for signs in product((-1.0, 1.0), repeat=n)]


def value_of(a, b, order, signs):
    """Of a network of one hidden layer; its last bias is a constant."""
    order, signs = list(order), np.array(signs)
    moved = {
        "fc0.weight": b["fc0.weight"][order] * signs[:, None],
        "fc0.bias": b["fc0.bias"][order] * signs,
        "fc1.weight": b["fc1.weight"][:, order] * signs,
    }
    return sum(float((a[name] * moved[name]).sum()) for name in moved)


def two_layer_value(a, b, one, two):
    (p, s), (q, t) = ((list(order), np.array(signs)) for order, signs in (one, two))
    moved = {
        "fc0.weight": b["fc0.weight"][p] * s[:, None],
        "fc0.bias": b["fc0.bias"][p] * s,
        "fc1.weight": b["fc1.weight"][q][:, p] * t[:, None] * s,
        "fc1.bias": b["fc1.bias"][q] * t,
        "fc2.weight": b["fc2.weight"][:, q] * t,
    }
    return sum(float((a[name] * moved[name]).sum()) for name in moved)
