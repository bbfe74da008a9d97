"""The native descent and the twin, given the same order and data without ties, take the same steps."""

import numpy as np
import pytest

import rebasin_fast as rf
from rebasin_fast.axis import Concat, Fixed, Slice, blocks, tiled
from reference.from_spec import twin_axes
from reference.weight_matching import weight_matching as published_loop

SWEEPS = 30

# name -> spec, and the shape of each parameter
NETWORKS = {
    "perceptron": (
        {
            "0.weight": ("P", None),
            "0.bias": ("P",),
            "1.weight": ("Q", "P"),
            "1.bias": ("Q",),
            "2.weight": (None, "Q"),
        },
        {"0.weight": (17, 6), "0.bias": (17,), "1.weight": (13, 17), "1.bias": (13,), "2.weight": (3, 13)},
    ),
    "flattened convolution": (
        {
            "conv": ("P", None, None, None),
            "bias": ("P",),
            "linear": ("Q", blocks("P", 4)),
            "head": (None, "Q"),
        },
        {"conv": (11, 3, 3, 3), "bias": (11,), "linear": (14, 44), "head": (5, 14)},
    ),
    "stacked gates": (
        {
            "input": (tiled("P", 4), "Q"),
            "bias": (tiled("P", 4),),
            "embedding": (None, "Q"),
            "head": (None, "P"),
        },
        {"input": (36, 12), "bias": (36,), "embedding": (20, 12), "head": (4, 9)},
    ),
    "concatenation with a fixed piece": (
        {"p": ("P", None), "q": ("Q", None), "both": ("R", Concat("P", Fixed(3), "Q")), "head": (None, "R")},
        {"p": (8, 5), "q": (10, 5), "both": (15, 21), "head": (2, 15)},
    ),
    "zero-padded shortcut": (
        {
            "stem": ("P", None, None, None),
            "inner": ("R", "P", None, None),
            "outer": (Concat(Slice("Q", 0, 4), "P", Slice("Q", 4, 8)), "R", None, None),
            "head": (None, Concat(Slice("Q", 0, 4), "P", Slice("Q", 4, 8))),
        },
        {"stem": (8, 3, 3, 3), "inner": (16, 8, 3, 3), "outer": (16, 16, 3, 3), "head": (10, 16)},
    ),
}


def random_pair(shapes, dtype, seed):
    rng = np.random.default_rng(seed)
    return tuple(
        {name: rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items()} for _ in "ab"
    )


def random_order(spec, seed):
    rng = np.random.default_rng(seed)
    return [list(rng.permutation(spec.permutations)) for _ in range(SWEEPS)]


def assert_same_steps(native, reference):
    assert list(native.permutation) == list(reference.permutation)
    for name, indices in reference.permutation.items():
        np.testing.assert_array_equal(native.permutation[name], indices, err_msg=name)
    np.testing.assert_allclose(native.history, reference.history, rtol=1e-12)
    assert native.sweeps == reference.sweeps
    assert native.converged == reference.converged
    assert native.objective == pytest.approx(reference.objective, rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("seed", range(3))
def test_same_order_gives_the_same_steps(name, dtype, seed):
    axes, shapes = NETWORKS[name]
    spec = rf.PermutationSpec(axes)
    params_a, params_b = random_pair(shapes, dtype, seed)
    order = random_order(spec, seed)
    native = rf.weight_matching(spec, params_a, params_b, order=order)
    reference = published_loop(twin_axes(spec, params_a), params_a, params_b, order=order)
    assert reference.converged
    assert_same_steps(native, reference)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_cut_off_order_stops_both_at_the_same_place(name):
    axes, shapes = NETWORKS[name]
    spec = rf.PermutationSpec(axes)
    params_a, params_b = random_pair(shapes, np.float32, 7)
    order = random_order(spec, 7)[:1]
    native = rf.weight_matching(spec, params_a, params_b, order=order)
    reference = published_loop(twin_axes(spec, params_a), params_a, params_b, order=order)
    assert not reference.converged
    assert_same_steps(native, reference)


def test_same_start_gives_the_same_steps():
    axes, shapes = NETWORKS["perceptron"]
    spec = rf.PermutationSpec(axes)
    params_a, params_b = random_pair(shapes, np.float32, 3)
    rng = np.random.default_rng(3)
    init = {p: rng.permutation(n) for p, n in spec.sizes(params_a).items()}
    order = random_order(spec, 3)
    native = rf.weight_matching(spec, params_a, params_b, order=order, init=init)
    reference = published_loop(twin_axes(spec, params_a), params_a, params_b, order=order, init=init)
    assert_same_steps(native, reference)


def test_unmatched_parameters_count_in_neither():
    axes, shapes = NETWORKS["perceptron"]
    spec = rf.PermutationSpec(axes, unmatched=["0.bias"])
    params_a, params_b = random_pair(shapes, np.float32, 5)
    order = random_order(spec, 5)
    native = rf.weight_matching(spec, params_a, params_b, order=order)
    reference = published_loop(twin_axes(spec, params_a), params_a, params_b, order=order)
    assert "0.bias" not in twin_axes(spec, params_a)
    assert_same_steps(native, reference)
