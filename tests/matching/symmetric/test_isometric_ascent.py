"""What every ascent over all groups keeps: a rising objective that is its transform's, and the best of single moves."""

import numpy as np
import pytest

import rebasin_fast as rf
from helpers.symmetric_models import MODELS
from rebasin_fast.permutation import compose_transforms, identity_transform
from rebasin_fast.permutation.transform import Transform


@pytest.fixture(params=MODELS, scope="module")
def matched(request):
    """Unrelated models, and their matching with the events of its visits."""
    model = MODELS[request.param]
    a, b = (rf.normalise(model.spec, model.draw(np.random.default_rng(seed))).params for seed in (0, 1))
    events = []
    matching = rf.weight_matching(model.spec, a, b, symmetries="all", max_iter=300, progress=events.append)
    return model, a, b, matching, events


def test_the_objective_rises_step_by_step(matched):
    model, *_, matching, events = matched
    parents, matrices = model.spec.parents, matching.isometry.matrices
    steps = [p for p in model.spec.permutations if not (parents[p] and p in matrices)]
    sweeps = events[len(steps) :]  # after the first pass, which sees a part of the arrays
    objectives = [event.objective for event in sweeps]
    assert objectives == sorted(objectives)
    assert len(sweeps) == matching.sweeps * len(model.spec.permutations)
    assert matching.converged
    assert matching.objective == objectives[-1] == matching.history[-1] > matching.first_objective


def test_the_objective_is_that_of_the_transform(matched):
    model, a, b, matching, _ = matched
    assert matching.objective == pytest.approx(product(model, a, b, matching.isometry), rel=1e-12)
    identity = identity_transform(model.spec, model.spec.sizes(a))
    assert matching.first_objective == pytest.approx(product(model, a, b, identity), rel=1e-12)


def test_no_single_move_raises_the_objective(matched):
    """Swaps of two units, a sign, and small and large rotations, of each permutation in turn."""
    model, a, b, matching, _ = matched
    rng = np.random.default_rng(2)
    for name, order in matching.permutation.items():
        for _ in range(20):
            move = drawn_move(model, matching, name, order.shape, rng)
            moved = compose_transforms(matching.isometry, move, model.spec)
            assert product(model, a, b, moved) <= matching.objective * (1.0 + 1e-9), (name, move)


def drawn_move(model, matching, name, shape, rng):
    identity = identity_transform(model.spec, model.spec.sizes(model.draw(rng)))
    orders, signs, matrices = dict(identity.permutation), {}, {}
    copy = tuple(rng.integers(0, extent) for extent in shape[:-1])
    i, j = rng.choice(shape[-1], 2, replace=False)
    if name in matching.isometry.matrices:
        layer = any(
            n.kind == "layer" for s in model.spec.symmetries if s.permutation == name for n in s.norms
        )
        matrices[name] = np.tile(np.eye(shape[-1]), (*shape[:-1], 1, 1))
        matrices[name][copy] = rotation(shape[-1], rng.choice([1e-3, 1.0]), layer, rng)
    else:
        orders[name] = orders[name].copy()
        if rng.random() < 0.5 or name not in matching.isometry.signs:
            orders[name][(*copy, [i, j])] = orders[name][(*copy, [j, i])]
        else:
            signs[name] = np.ones(shape)
            signs[name][(*copy, i)] = -1.0
    return Transform(orders, signs, matrices=matrices)


def rotation(n, size, layer, rng):
    """exp of a drawn antisymmetric matrix, by Cayley's transform; with ``layer`` one that keeps the vector of ones."""
    drawn = rng.standard_normal((n, n))
    if layer:
        centring = np.eye(n) - 1.0 / n
        drawn = centring @ drawn @ centring
    turn = size * (drawn - drawn.T) / n
    return np.linalg.solve(np.eye(n) + turn, np.eye(n) - turn)


def product(model, a, b, transform):
    """vec(A) . vec(moved B) over the parameters that move, by the package's own application."""
    moved = rf.apply_transform(model.spec, transform, b)
    places = {name for places in model.spec.perm_to_axes.values() for name, _ in places}
    return sum(float((a[name] * moved[name]).sum()) for name in places)
