"""Arrays that people bring: dtypes, strides, libraries. None is changed, none changes the answer."""

import ml_dtypes
import numpy as np
import pytest
import torch

import rebasin_fast as rf
from helpers.networks import KNOWN
from reference import general

SPEC = KNOWN["mlp"].spec()


def pair(seed=0, noise=0.3):
    """A and a shuffled, noisy copy of it, in float32."""
    rng = np.random.default_rng(seed)
    a = KNOWN["mlp"].arrays(seed)
    planted = {p: rng.permutation(n) for p, n in SPEC.sizes(a).items()}
    noisy = {
        name: w + np.float32(noise) * rng.standard_normal(w.shape).astype(np.float32) for name, w in a.items()
    }
    return a, rf.apply_permutation(SPEC, planted, noisy)


def assert_matches(a, b, expected_a, expected_b, rel=1e-12):
    """The objective is that of the arrays as float64, and the permutation reaches it."""
    found = rf.weight_matching(SPEC, a, b)
    reached = general.objective(SPEC, found.permutation, expected_a, expected_b, SPEC.sizes(expected_a))
    assert found.objective == pytest.approx(reached, rel=rel)
    reference = rf.weight_matching(SPEC, expected_a, expected_b)
    assert found.objective == pytest.approx(reference.objective, rel=1e-6)
    for name, index in reference.permutation.items():
        np.testing.assert_array_equal(found.permutation[name], index, err_msg=name)


def widened(params):
    return {name: np.asarray(w, dtype=np.float64) for name, w in params.items()}


@pytest.mark.parametrize(
    "dtype",
    [np.float16, ml_dtypes.bfloat16, np.float32, np.float64, np.longdouble, ">f4", ">f8", ">f2"],
)
def test_numpy_dtypes(dtype):
    a, b = ({name: (w * 8).astype(dtype) for name, w in side.items()} for side in pair())
    assert_matches(a, b, widened(a), widened(b))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_torch_dtypes(dtype):
    a, b = ({name: torch.tensor(w).to(dtype) for name, w in side.items()} for side in pair())
    wide_a, wide_b = ({name: w.double().numpy() for name, w in side.items()} for side in (a, b))
    assert_matches(a, b, wide_a, wide_b)


def test_models_of_two_dtypes():
    a, b = pair()
    kinds = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64]
    for shift in (1, 2, 3):
        one = {name: w.astype(kinds[i % 4]) for i, (name, w) in enumerate(a.items())}
        two = {name: torch.tensor(w).to([torch.float16, torch.bfloat16, torch.float32, torch.float64][(i + shift) % 4])
               for i, (name, w) in enumerate(b.items())}  # fmt: skip
        assert_matches(one, two, widened(one), {name: w.double().numpy() for name, w in two.items()})


def test_parameters_of_a_model_in_training():
    a, b = pair()
    leaves = {name: torch.nn.Parameter(torch.tensor(w)) for name, w in a.items()}
    assert_matches(leaves, b, widened(a), widened(b))
    assert all(leaf.grad is None for leaf in leaves.values())


def fortran(w):
    return w.copy(order="F")


def negative(w):
    backwards = tuple(slice(None, None, -1) for _ in w.shape)
    return w[backwards].copy()[backwards]


def every_other(w):
    wide = np.full([2 * n for n in w.shape], np.nan, w.dtype)
    view = wide[tuple(slice(1, None, 2) for _ in w.shape)]
    view[...] = w
    return view


def misaligned(w):
    return np.frombuffer(b"x" + w.tobytes(), dtype=w.dtype, offset=1).reshape(w.shape)


def odd_strides(w):
    record = np.zeros(w.shape, dtype=[("flag", "i1"), ("value", w.dtype)])
    record["value"] = w
    return record["value"]


def read_only(w):
    w = w.copy()
    w.flags.writeable = False
    return w


def transposed(w):
    return np.ascontiguousarray(w.T).T


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64])
@pytest.mark.parametrize(
    "view",
    [fortran, negative, every_other, misaligned, odd_strides, read_only, transposed],
    ids=lambda f: f.__name__,
)
def test_strides(view, dtype):
    a, b = ({name: w.astype(dtype) for name, w in side.items()} for side in pair())
    views_a, views_b = ({name: view(w) for name, w in side.items()} for side in (a, b))
    plain = rf.weight_matching(SPEC, a, b)
    for one, two in ((views_a, b), (a, views_b), (views_a, views_b)):
        found = rf.weight_matching(SPEC, one, two)
        assert found.objective == pytest.approx(plain.objective, rel=1e-12)
        for name, index in plain.permutation.items():
            np.testing.assert_array_equal(found.permutation[name], index)


def test_strided_convolutions():
    known = KNOWN["resnet8-padded"]
    spec, a, b = known.spec(), known.arrays(1), known.arrays(2)
    plain = rf.weight_matching(spec, a, b)
    last = {name: torch.tensor(w).contiguous(memory_format=torch.channels_last) if w.ndim == 4 else torch.tensor(w)
            for name, w in b.items()}  # fmt: skip
    for other in (
        {name: negative(w) for name, w in b.items()},
        {name: fortran(w) for name, w in b.items()},
        last,
    ):
        found = rf.weight_matching(spec, a, other)
        assert found.objective == pytest.approx(plain.objective, rel=1e-12)
        for name, index in plain.permutation.items():
            np.testing.assert_array_equal(found.permutation[name], index)


def test_broadcast_arrays():
    spec = rf.PermutationSpec({"w": ("P", "Q"), "v": ("P",)})
    a = {"w": np.broadcast_to(np.arange(4.0)[:, None], (4, 5)), "v": np.broadcast_to(np.float64(2.0), (4,))}
    b = {"w": np.arange(20.0).reshape(4, 5)[::-1], "v": np.arange(4.0)}
    found = rf.weight_matching(spec, a, b)
    dense = rf.weight_matching(spec, {k: w.copy() for k, w in a.items()}, {k: w.copy() for k, w in b.items()})
    assert found.objective == dense.objective


def test_scalars_of_another_byte_order():
    spec = rf.PermutationSpec({"w": ("P",), "scale": ()})
    a = {"w": np.arange(3.0, dtype=">f4"), "scale": np.array(2.0, dtype=">f4")}
    assert rf.weight_matching(spec, a, a).objective == 5.0


def test_one_unit_and_empty_axes():
    spec = rf.PermutationSpec({"w": ("P", None), "one": ("Q", "P"), "hollow": ("P", None), "scalar": ()})
    rng = np.random.default_rng(0)
    shapes = {"w": (5, 3), "one": (1, 5), "hollow": (5, 0), "scalar": ()}
    a, b = ({name: rng.standard_normal(shape) for name, shape in shapes.items()} for _ in "ab")
    found = rf.weight_matching(spec, a, b)
    assert found.permutation["Q"].tolist() == [0]
    assert found.objective == pytest.approx(general.objective(spec, found.permutation, a, b, spec.sizes(a)))


def test_no_permutation_at_all():
    found = rf.weight_matching(rf.PermutationSpec({"w": (None,)}), {"w": np.ones(3)}, {"w": np.full(3, 2.0)})
    assert found.objective == 0.0
    assert found.permutation == {}
    assert found.converged


def test_permutations_that_only_unmatched_parameters_carry_stay():
    spec = rf.PermutationSpec({"w": ("P",), "mean": ("Q",)}, ["mean"])
    found = rf.weight_matching(spec, *({"w": np.arange(3.0), "mean": np.full(2, np.nan)} for _ in "ab"))
    assert found.permutation["Q"].tolist() == [0, 1]
