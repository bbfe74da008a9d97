"""Points on the line and on the arc between two models."""

import math

import ml_dtypes
import numpy as np
import pytest
import torch

import rebasin_fast as rf


def vector(params):
    return np.concatenate([np.asarray(w, dtype=np.float64).ravel() for w in params.values()])


def models(seed=0):
    rng = np.random.default_rng(seed)
    return [{"w": rng.standard_normal((3, 4)), "b": rng.standard_normal(3)} for _ in "ab"]


@pytest.mark.parametrize("t", [0.0, 0.25, 0.5, 1.0, -0.5, 2.0])
def test_the_line(t):
    a, b = models()
    found = rf.interpolate(a, b, t)
    for name in a:
        np.testing.assert_allclose(found[name], (1 - t) * a[name] + t * b[name], rtol=1e-15)
    assert list(found) == list(a)


@pytest.mark.parametrize("method", ["lerp", "slerp"])
def test_the_ends_are_the_models(method):
    a, b = models()
    for t, end in ((0, a), (1, b)):
        for name, w in rf.interpolate(a, b, t, method=method).items():
            np.testing.assert_array_equal(w, end[name])


@pytest.mark.parametrize("t", [0.1, 0.5, 0.9])
def test_the_arc_is_taken_by_the_whole_vector(t):
    a, b = models(1)
    va, vb = vector(a), vector(b)
    angle = math.acos(va @ vb / np.linalg.norm(va) / np.linalg.norm(vb))
    expected = math.sin((1 - t) * angle) / math.sin(angle) * va + math.sin(t * angle) / math.sin(angle) * vb
    np.testing.assert_allclose(vector(rf.interpolate(a, b, t, method="slerp")), expected, rtol=1e-12)


def test_the_arc_keeps_the_norm_and_divides_the_angle():
    a = {"x": np.array([3.0]), "y": np.array([0.0])}
    b = {"x": np.array([0.0]), "y": np.array([3.0])}
    found = vector(rf.interpolate(a, b, 1 / 3, method="slerp"))
    np.testing.assert_allclose(found, [3 * math.cos(math.pi / 6), 3 * math.sin(math.pi / 6)], rtol=1e-14)


@pytest.mark.parametrize("scale", [1.0, 1.0 + 1e-9, 2.0, 0.0])
def test_the_arc_between_parallel_models_is_the_line(scale):
    a, _ = models()
    b = {name: scale * w for name, w in a.items()}
    for name, w in rf.interpolate(a, b, 0.3, method="slerp").items():
        np.testing.assert_allclose(w, 0.7 * a[name] + 0.3 * b[name], rtol=1e-12)


@pytest.mark.parametrize("method", ["lerp", "slerp"])
@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64, ">f4"])
def test_numpy_dtypes_are_kept_and_computed_wide(dtype, method):
    a, b = ({name: w.astype(dtype) for name, w in model.items()} for model in models())
    wide = [{name: w.astype(np.float64) for name, w in model.items()} for model in (a, b)]
    expected = rf.interpolate(*wide, 0.3, method=method)
    for name, w in rf.interpolate(a, b, 0.3, method=method).items():
        assert w.dtype == np.dtype(dtype)
        eps = float(ml_dtypes.finfo(w.dtype).eps)
        # Terms below 3 may cancel: the error is that of the terms, rounded once more to the dtype.
        np.testing.assert_allclose(
            w.astype(np.float64), expected[name], rtol=eps, atol=4e-7 if eps > 1e-10 else 1e-15
        )


@pytest.mark.parametrize("method", ["lerp", "slerp"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_torch_dtypes_are_kept(dtype, method):
    a, b = ({name: torch.tensor(w).to(dtype) for name, w in model.items()} for model in models())
    expected = rf.interpolate(
        {k: w.double() for k, w in a.items()}, {k: w.double() for k, w in b.items()}, 0.3, method
    )
    for name, w in rf.interpolate(a, b, 0.3, method=method).items():
        assert w.dtype == dtype
        eps = torch.finfo(dtype).eps
        torch.testing.assert_close(w.double(), expected[name], rtol=eps, atol=4e-7 if eps > 1e-10 else 1e-15)


def test_halves_do_not_overflow_on_the_way():
    a = {"w": np.full(3, 60000.0, dtype=np.float16)}
    found = rf.interpolate(a, a, -1.0)["w"]
    np.testing.assert_array_equal(found, a["w"])


def test_integers_and_booleans_are_those_of_a():
    a = {"n": np.array(7), "mask": np.array([True, False]), "w": np.array([1.0])}
    b = {"n": np.array(9), "mask": np.array([False, False]), "w": np.array([3.0])}
    for method in ("lerp", "slerp"):
        found = rf.interpolate(a, b, 0.5, method=method)
        assert found["n"] is a["n"]
        assert found["mask"] is a["mask"]
    counters = [{"n": torch.tensor(3)}, {"n": torch.tensor(5)}]
    assert rf.interpolate(*counters, 0.5)["n"] is counters[0]["n"]


def test_models_of_two_kinds_give_the_kind_of_a():
    a = {"w": np.array([1.0, 2.0], dtype=np.float32)}
    b = {"w": np.array([3.0, 4.0])}
    assert rf.interpolate(a, b, 0.5)["w"].dtype == np.float32
    assert rf.interpolate(b, a, 0.5)["w"].dtype == np.float64


def test_nothing_is_changed_and_nothing_shared():
    a, b = models()
    before = vector(a).copy(), vector(b).copy()
    for t in (0.0, 0.5, 1.0):
        for w in rf.interpolate(a, b, t).values():
            w[...] = 0
    assert (vector(a) == before[0]).all()
    assert (vector(b) == before[1]).all()
    leaf = torch.nn.Parameter(torch.ones(2))
    out = rf.interpolate({"w": leaf}, {"w": leaf}, 0.0)["w"]
    assert not out.requires_grad
    out.zero_()
    assert leaf.detach().tolist() == [1.0, 1.0]


def test_models_must_agree():
    a, b = models()
    with pytest.raises(rf.ParamsError, match=r"'b' is in model A only \(1 such"):
        rf.interpolate(a, {"w": b["w"]}, 0.5)
    with pytest.raises(rf.ParamsError, match="'c' is in model B only"):
        rf.interpolate(a, b | {"c": b["w"]}, 0.5)
    with pytest.raises(rf.ParamsError, match=r"'b' has shape \(3,\) in A and \(4,\) in B"):
        rf.interpolate(a, b | {"b": np.ones(4)}, 0.5)
    with pytest.raises(TypeError, match="params_b is a mapping"):
        rf.interpolate(a, [b], 0.5)
    with pytest.raises(ValueError, match="'lerp' or 'slerp'; got 'cubic'"):
        rf.interpolate(a, b, 0.5, method="cubic")
