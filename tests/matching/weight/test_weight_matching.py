"""The twin, which all else is compared to, compared to what needs no program: brute force and plants."""

import itertools

import numpy as np
import pytest

from reference.weight_matching import objective, parts_of, permuted, similarity_of, weight_matching

MLP_AXES = {
    "0.weight": ("P0", None),
    "0.bias": ("P0",),
    "1.weight": ("P1", "P0"),
    "1.bias": ("P1",),
    "2.weight": (None, "P1"),
    "2.bias": (None,),
}


def mlp_params(rng, widths=(5, 12, 9, 3)):
    params = {}
    for layer, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        params[f"{layer}.weight"] = rng.standard_normal((outputs, inputs)).astype(np.float32)
        params[f"{layer}.bias"] = rng.standard_normal(outputs).astype(np.float32)
    return params


def expanded(axes, params):
    return {
        name: [parts_of(entry, size) for entry, size in zip(entries, params[name].shape, strict=True)]
        for name, entries in axes.items()
    }


def shuffled(axes, params, permutation):
    parts = expanded(axes, params)
    return {name: permuted(params[name], parts[name], permutation) for name in axes}


def test_identical_networks_keep_the_identity():
    params = mlp_params(np.random.default_rng(0))
    matching = weight_matching(MLP_AXES, params, params)
    for indices in matching.permutation.values():
        np.testing.assert_array_equal(indices, np.arange(len(indices)))
    assert matching.converged
    assert matching.sweeps == 1
    assert matching.objective == pytest.approx(
        sum(float((w.astype(float) ** 2).sum()) for w in params.values())
    )


def test_planted_permutation_is_undone():
    rng = np.random.default_rng(1)
    params = mlp_params(rng, (20, 24, 16, 3))
    planted = {"P0": rng.permutation(24), "P1": rng.permutation(16)}
    moved = shuffled(MLP_AXES, params, planted)
    matching = weight_matching(MLP_AXES, params, moved, rng=rng)
    for name, indices in planted.items():
        np.testing.assert_array_equal(matching.permutation[name], np.argsort(indices))
    restored = shuffled(MLP_AXES, moved, matching.permutation)
    for name, weights in params.items():
        np.testing.assert_array_equal(restored[name], weights)


def test_single_permutation_is_globally_best():
    rng = np.random.default_rng(2)
    axes = {"in": ("P", None), "out": (None, "P")}
    params_a, params_b = (
        {"in": rng.standard_normal((5, 3)), "out": rng.standard_normal((2, 5))} for _ in "ab"
    )
    parts = expanded(axes, params_a)
    best = max(
        objective(parts, {"P": np.array(candidate)}, params_a, params_b)
        for candidate in itertools.permutations(range(5))
    )
    assert weight_matching(axes, params_a, params_b).objective == pytest.approx(best, rel=1e-12)


def test_history_never_falls_and_ends_at_the_objective():
    rng = np.random.default_rng(3)
    params_a, params_b = mlp_params(rng), mlp_params(rng)
    matching = weight_matching(MLP_AXES, params_a, params_b)
    assert len(matching.history) == matching.sweeps > 1
    assert np.all(np.diff(matching.history) >= -1e-4)
    assert matching.history[-1] == matching.objective
    parts = expanded(MLP_AXES, params_a)
    assert matching.objective == objective(parts, matching.permutation, params_a, params_b)
    assert matching.assignments == 2 * matching.sweeps


def test_order_is_replayed_and_bounds_the_sweeps():
    rng = np.random.default_rng(4)
    params_a, params_b = mlp_params(rng), mlp_params(rng)
    forward = weight_matching(MLP_AXES, params_a, params_b, order=[["P0", "P1"]])
    assert forward.sweeps == 1
    assert not forward.converged
    first = weight_matching(MLP_AXES, params_a, params_b, order=[["P0"]])
    second = weight_matching(MLP_AXES, params_a, params_b, order=[["P1"]], init=first.permutation)
    for name in ("P0", "P1"):
        np.testing.assert_array_equal(forward.permutation[name], second.permutation[name])


def test_max_iter_bounds_the_sweeps():
    rng = np.random.default_rng(5)
    matching = weight_matching(MLP_AXES, mlp_params(rng), mlp_params(rng), max_iter=1)
    assert matching.sweeps == 1
    assert not matching.converged


@pytest.mark.parametrize(
    ("entry", "size"),
    [
        ({"P": np.arange(12).reshape(4, 3).T}, 12),  # each unit owns 3 consecutive entries
        ({"P": np.arange(8).reshape(2, 4)}, 8),  # P repeats twice
        ({"P": [[0, 1, 6, 7]], "Q": [[2, 3, 4, 5]]}, 8),  # P spread over two pieces around Q
    ],
    ids=["owned-block", "repeated", "spread"],
)
def test_similarity_predicts_the_objective_of_parts(entry, size):
    """Changing P alone changes the objective by what the similarity of P says."""
    rng = np.random.default_rng(6)
    axes = {"first": ("P", None), "second": (None, entry), "third": ("Q", None)}
    shapes = {"first": (4, 3), "second": (2, size), "third": (4, 2)}
    params_a, params_b = ({name: rng.standard_normal(shape) for name, shape in shapes.items()} for _ in "ab")
    parts = expanded(axes, params_a)
    before = {"P": rng.permutation(4), "Q": rng.permutation(4)}
    after = before | {"P": rng.permutation(4)}
    similarity = similarity_of("P", 4, parts, before, params_a, params_b)
    predicted = similarity[np.arange(4), after["P"]].sum() - similarity[np.arange(4), before["P"]].sum()
    measured = objective(parts, after, params_a, params_b) - objective(parts, before, params_a, params_b)
    assert predicted == pytest.approx(measured, abs=1e-12)


def test_sizes_that_disagree_are_refused():
    axes = {"first": ("P",), "second": ("P",)}
    params = {"first": np.zeros(3), "second": np.zeros(4)}
    with pytest.raises(ValueError, match="3 units in one place, 4 in another"):
        weight_matching(axes, params, params)
