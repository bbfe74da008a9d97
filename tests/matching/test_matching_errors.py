"""Users' mistakes: each is refused before the work begins, with the fault and its cure."""

import numpy as np
import pytest
import torch

import rebasin_fast as rf
from helpers.networks import KNOWN, mlp

SPEC = KNOWN["mlp"].spec()


@pytest.fixture
def models():
    return KNOWN["mlp"].arrays(0), KNOWN["mlp"].arrays(1)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("side", ["A", "B"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, "bfloat16"])
def test_weights_that_are_not_finite_are_named(models, value, side, dtype):
    kind = {np.float16: torch.float16, np.float32: torch.float32, np.float64: torch.float64}.get(
        dtype, torch.bfloat16
    )
    pair = [{name: torch.tensor(w).to(kind) for name, w in model.items()} for model in models]
    pair["AB".index(side)]["2.weight"][3, 5] = value
    message = rf"'2\.weight' of model {side} holds 1 entries .* the first at \(3, 5\)"
    with pytest.raises(rf.ParamsError, match=message):
        rf.weight_matching(SPEC, *pair)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    "weights", [np.full((3, 4), 1e30, "f"), np.eye(3, dtype="f") * np.float32(1e30)], ids=["all", "few"]
)
def test_products_that_overflow_are_an_error(weights, sign):
    """Of few products, too, and of either sign: -inf would pass for a forbidden pair."""
    spec = rf.PermutationSpec({"w": ("P", None)})
    with pytest.raises(rf.ParamsError, match="products of the weights overflow"):
        rf.weight_matching(spec, {"w": weights}, {"w": sign * weights[[1, 2, 0]]})


def test_large_weights_in_float64_do_not_overflow():
    spec = rf.PermutationSpec({"w": ("P", None)})
    a = {"w": np.random.default_rng(0).standard_normal((5, 4)) * 1e30}
    found = rf.weight_matching(spec, a, {"w": a["w"][::-1]})
    assert found.permutation["P"].tolist() == [4, 3, 2, 1, 0]


def test_different_widths(models):
    a, _ = models
    b = {name: w.numpy() for name, w in mlp([6, 9, 8, 7, 3]).state_dict().items()}
    message = r"'0\.weight' has shape \(8, 6\) in A and \(9, 6\) in B; .* same architecture and width"
    with pytest.raises(rf.ParamsError, match=message):
        rf.weight_matching(SPEC, a, b)
    with pytest.raises(rf.ParamsError, match=message):
        rf.weight_matching(SPEC, a, b, strict=False)


def test_a_spec_for_another_network(models):
    a, b = models
    with pytest.raises(rf.SpecError, match=r"names parameter 'fc1\.weight', which the parameters lack"):
        rf.weight_matching(rf.specs.mlp(["fc1", "fc2"]), a, b)
    with pytest.raises(
        rf.SpecError, match=r"share no parameter: the spec has 'fc1\.weight', .*A has '0\.weight'"
    ):
        rf.weight_matching(rf.specs.mlp(["fc1", "fc2"]), a, b, strict=False)
    wrong = rf.PermutationSpec(SPEC.axes_to_perm | {"2.weight": ("P0", "P2")})
    with pytest.raises(
        rf.SpecError, match=r"'4\.weight' axis 0 has length 7; expected 8 .*'2\.weight' axis 1"
    ):
        rf.weight_matching(wrong, a, b)


@pytest.mark.parametrize("side", [0, 1])
def test_a_missing_parameter(models, side):
    pair = [dict(model) for model in models]
    del pair[side]["2.bias"]
    with pytest.raises(rf.SpecError, match=r"model [AB]: the spec names parameter '2\.bias'.*strict=False"):
        rf.weight_matching(SPEC, *pair)


def test_a_parameter_that_the_spec_lacks(models):
    a, b = models
    extra = np.ones(4, dtype=np.float32)
    with pytest.raises(rf.SpecError, match=r"'head\.bias' is not in the spec.*strict=False"):
        rf.weight_matching(SPEC, a | {"head.bias": extra}, b | {"head.bias": extra})
    with pytest.raises(rf.RebasinError, match=r"'head\.bias'.*strict=False"):
        rf.weight_matching(SPEC, a, b | {"head.bias": extra})


def test_arguments_in_another_order(models):
    a, b = models
    with pytest.raises(
        TypeError, match="first argument is the PermutationSpec, then A's and B's parameters; got dict"
    ):
        rf.weight_matching(a, b, SPEC)
    with pytest.raises(TypeError, match="parameters of A are a mapping of names to arrays"):
        rf.weight_matching(SPEC, [a], b)
    with pytest.raises(TypeError, match="parameters of B are a mapping of names to arrays"):
        rf.weight_matching(SPEC, a, None)
    with pytest.raises(TypeError, match=r"pass model\.state_dict\(\)"):
        rf.weight_matching(SPEC, mlp([6, 8, 8, 7, 3]), b)


def test_values_that_are_no_arrays(models):
    a, b = models
    with pytest.raises(
        TypeError, match=r"parameters of A: 'model' is no array but a dict.*pass params\['model'\]"
    ):
        rf.weight_matching(SPEC, {"model": a}, b)
    with pytest.raises(TypeError, match=r"parameters of B: 'epoch' is no array but a int"):
        rf.weight_matching(SPEC, a, b | {"epoch": 3}, strict=False)


@pytest.mark.parametrize("dtype", [object, "U3"])
def test_what_are_no_numbers(models, dtype):
    a, b = ({name: w.astype(dtype) for name, w in model.items()} for model in models)
    with pytest.raises(rf.ParamsError, match=r"'0\.weight' of model A is of dtype .*numbers"):
        rf.weight_matching(SPEC, a, b)


@pytest.mark.parametrize("method", [rf.weight_matching, rf.frank_wolfe_matching])
def test_integers_alone_are_no_weights(models, method):
    a, b = ({name: (8 * w).astype(np.int8) for name, w in model.items()} for model in models)
    with pytest.raises(rf.ParamsError, match=r"'0\.weight' is int8.*convert"):
        method(SPEC, a, b)
    with pytest.raises(rf.ParamsError, match=r"'0\.weight' is int8.*convert"):
        rf.merge_many(SPEC, [a, b])


def test_complex_beside_real(models):
    a, b = models
    b = {name: w.astype(np.complex64) for name, w in b.items()}
    with pytest.raises(rf.ParamsError, match=r"'0\.weight' is complex in B and real in the other"):
        rf.weight_matching(SPEC, a, b)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"max_iter": -1}, ValueError, "max_iter is a number of sweeps, 0 or more; got -1"),
        ({"visiting": "sorted"}, ValueError, "'auto' or 'random'; got 'sorted'"),
        ({"restarts": 0}, ValueError, "restarts is a number of runs, 1 or more; got 0"),
        ({"threads": 0}, ValueError, "threads is a number of threads, 1 or more"),
        ({"threads": -2}, ValueError, "threads is a number of threads, 1 or more"),
        ({"memory_limit": "2G"}, TypeError, "memory_limit is a number of bytes.*got '2G'"),
        ({"device": "cuda:7x"}, ValueError, "device"),
        ({"rng": -1}, ValueError, "rng is a seed"),
        ({"init": {"P9": [0]}}, rf.PermutationError, "'P9' is unknown"),
    ],
)
def test_options_out_of_range(models, options, error, message):
    with pytest.raises(error, match=message):
        rf.weight_matching(SPEC, *models, **options)


def test_models_of_different_architectures_are_told_apart_first(models):
    a, b = models
    renamed = {f"{name}.other": array for name, array in b.items()}
    with pytest.raises(rf.ParamsError, match=r"share no parameter.*one architecture"):
        rf.weight_matching(SPEC, a, renamed)
