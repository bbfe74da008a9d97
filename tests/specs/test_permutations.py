"""Permutations themselves: checked, applied to arrays of every kind, inverted, composed."""

import ml_dtypes
import numpy as np
import pytest
import torch

import rebasin_fast as rf
from rebasin_fast.axis import Product

SPEC = rf.PermutationSpec({"w": ("P", "Q"), "b": ("P",), "scale": (), "other": (None,)})
NESTED = rf.PermutationSpec({"w": (Product("H", "d"),), "router": ("H",)})
PERMUTATION = {"P": [2, 0, 1], "Q": [1, 0]}


def params(make=lambda array: array):
    arrays = {
        "w": np.arange(6.0).reshape(3, 2),
        "b": np.arange(3.0),
        "scale": np.array(2.0),
        "other": np.ones(4),
    }
    return {name: make(array) for name, array in arrays.items()}


@pytest.mark.parametrize(
    "dtype",
    [
        np.float16,
        np.float32,
        np.float64,
        ml_dtypes.bfloat16,
        np.int64,
        np.int8,
        np.bool_,
        np.complex64,
        ">f4",
    ],
)
def test_numpy_dtypes_are_kept(dtype):
    given = params(lambda array: array.astype(dtype))
    out = rf.apply_permutation(SPEC, PERMUTATION, given)
    for name, array in out.items():
        assert isinstance(array, np.ndarray)
        assert array.dtype == np.dtype(dtype), name
    np.testing.assert_array_equal(out["w"], given["w"][[2, 0, 1]][:, [1, 0]])


@pytest.mark.parametrize(
    "dtype",
    [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64, torch.bool, torch.complex64],
)
def test_torch_dtypes_are_kept(dtype):
    given = params(lambda array: torch.tensor(array).to(dtype))
    out = rf.apply_permutation(SPEC, PERMUTATION, given)
    assert all(tensor.dtype == dtype for tensor in out.values())
    assert torch.equal(out["w"], given["w"][[2, 0, 1]][:, [1, 0]])


def test_parameters_that_need_gradients_are_detached():
    given = {name: torch.nn.Parameter(torch.tensor(array)) for name, array in params().items()}
    out = rf.apply_permutation(SPEC, PERMUTATION, given)
    assert not out["w"].requires_grad
    assert out["other"] is given["other"]


@pytest.mark.parametrize(
    "view",
    [
        lambda w: np.asfortranarray(w),
        lambda w: w[::-1][::-1],
        lambda w: np.repeat(w, 2, axis=1)[:, ::2],
        lambda w: np.broadcast_to(w[:1], w.shape),
    ],
)
def test_strides_do_not_matter(view):
    given = params() | {"w": view(params()["w"])}
    out = rf.apply_permutation(SPEC, PERMUTATION, given)
    np.testing.assert_array_equal(out["w"], np.array(given["w"])[[2, 0, 1]][:, [1, 0]])


def test_index_arrays_may_be_lists_narrow_integers_or_tensors():
    expected = rf.apply_permutation(SPEC, PERMUTATION, params())["w"]
    for make in (tuple, lambda p: np.array(p, dtype=np.uint8), torch.tensor):
        permutation = {name: make(index) for name, index in PERMUTATION.items()}
        np.testing.assert_array_equal(rf.apply_permutation(SPEC, permutation, params())["w"], expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"P": [0, 1]}, r"'P' has shape \(2,\); expected \(3,\)"),
        ({"P": [0, 1, 1]}, r"'P' is not one: it must hold each of 0 … 2 once"),
        ({"P": [0, 1, 3]}, r"'P' is not one"),
        ({"P": [0, 1, -1]}, r"'P' is not one"),
        ({"P": [0.0, 1.0, 2.0]}, r"'P' must be an array of integers, got float64"),
        ({"P": [True, False, True]}, r"'P' must be an array of integers, got bool"),
        ({"P": 0}, r"'P' must be an array of integers"),
        ({"P": [[0, 1, 2]]}, r"'P' has shape \(1, 3\); expected \(3,\)"),
        ({"R": [0]}, r"'R' is unknown to the spec, which has \('P', 'Q'\)"),
    ],
)
def test_what_is_no_permutation_is_refused(change, message):
    with pytest.raises(rf.PermutationError, match=message):
        rf.apply_permutation(SPEC, PERMUTATION | change, params())


def test_a_missing_permutation_is_named():
    with pytest.raises(rf.PermutationError, match=r"'Q' is missing"):
        rf.apply_permutation(SPEC, {"P": [0, 1, 2]}, params())


def test_only_some_of_the_parameters():
    out = rf.apply_permutation(SPEC, {"P": [2, 0, 1]}, {"b": np.arange(3.0)})
    np.testing.assert_array_equal(out["b"], [2, 0, 1])


def test_nothing_but_arrays():
    with pytest.raises(
        TypeError, match=r"expected an array \(NumPy, torch, JAX, CuPy\), got builtins\.memoryview"
    ):
        rf.apply_permutation(rf.PermutationSpec({"b": ("P",)}), {"P": [1, 0]}, {"b": memoryview(np.ones(2))})


def test_inversion_and_composition_leave_their_arguments_alone():
    first = {"P": np.array([2, 0, 1])}
    second = {"P": np.array([1, 0, 2])}
    rf.invert_permutation(first)["P"][:] = 0
    rf.compose_permutations(first, second)["P"][:] = 0
    assert first["P"].tolist() == [2, 0, 1]
    assert second["P"].tolist() == [1, 0, 2]


def test_composition_needs_the_same_names_and_shapes():
    with pytest.raises(rf.PermutationError, match=r"\['P'\] and \['Q'\]; names must agree"):
        rf.compose_permutations({"P": [0]}, {"Q": [0]})
    with pytest.raises(
        rf.PermutationError, match=r"'P' has shape \(1,\) in the first and \(2,\) in the second"
    ):
        rf.compose_permutations({"P": [0]}, {"P": [0, 1]})
    with pytest.raises(rf.PermutationError, match=r"'P' is not one"):
        rf.compose_permutations({"P": [0, 0]}, {"P": [0, 1]})


def test_nested_permutations_need_the_spec():
    nested = {"H": [1, 0], "d": [[0, 1], [1, 0]]}
    with pytest.raises(
        rf.PermutationError, match=r"'d' has shape \(2, 2\): it stands within others; pass spec="
    ):
        rf.invert_permutation(nested)
    with pytest.raises(rf.PermutationError, match="pass spec="):
        rf.compose_permutations(nested, nested)


@pytest.mark.parametrize(
    ("permutation", "message"),
    [
        ({"H": [1, 0], "x": [0]}, r"'x' is unknown to the spec"),
        ({"d": [[0, 1], [1, 0]]}, r"'d' stands within 'H', which is missing"),
        ({"H": [1, 0], "d": [0, 1]}, r"'d' has shape \(2,\); expected \(2,\) before its last axis"),
        ({"H": [1, 0], "d": [[0, 1]] * 3}, r"'d' has shape \(3, 2\); expected \(2,\) before its last axis"),
    ],
)
def test_nested_permutations_must_fit_the_spec(permutation, message):
    with pytest.raises(rf.PermutationError, match=message):
        rf.invert_permutation(permutation, NESTED)
    with pytest.raises(rf.PermutationError, match=message):
        rf.compose_permutations(permutation, permutation, NESTED)


def test_parameters_under_other_names_are_refused():
    spec = rf.PermutationSpec({"w": ("P", None)})
    with pytest.raises(rf.SpecError, match=r"none of the 1 parameters: the first is 'module\.w'"):
        rf.apply_permutation(spec, {"P": [1, 0]}, {"module.w": np.eye(2)})
    assert rf.apply_permutation(spec, {"P": [1, 0]}, {}) == {}


def test_what_is_given_in_the_place_of_mappings_is_named():
    spec, params = rf.PermutationSpec({"w": ("P", None)}), {"w": np.eye(2)}
    matching = rf.weight_matching(spec, params, params)
    with pytest.raises(TypeError, match=r"got an object of Matching; pass matching\.permutation"):
        rf.apply_permutation(spec, matching, params)
    with pytest.raises(TypeError, match=r"params is a mapping of names to arrays; got \[\{'w': "):
        rf.apply_permutation(spec, matching.permutation, [params])
    with pytest.raises(TypeError, match=r"params is a mapping of names to arrays; got \[\{'w': "):
        rf.specs.for_params([params])
    with pytest.raises(TypeError, match=r"params is a mapping of names to arrays; got \[\{'w': "):
        rf.save_params("never.npz", [params])
