"""Points of Bézier curves and polygonal chains: where they are known, and against de Casteljau's algorithm."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import rebasin_fast as rf
from rebasin_fast.analysis import ModeCurve
from rebasin_fast.evaluation.curve import loss_curve

KINDS = ["bezier", "polygonal"]
A, B = {"w": np.array([0.1, -2.0]), "n": np.array(3)}, {"w": np.array([1.7, 5.0]), "n": np.array(9)}
POINTS = arrays.arrays(np.float64, st.tuples(st.integers(2, 6), st.just(3)), elements=st.floats(-10, 10))
TIMES = st.floats(0.0, 1.0)


def curve(kind, points):
    return ModeCurve(kind, [{"w": point} for point in points])


def de_casteljau(points, t):
    while len(points) > 1:
        points = [(1 - t) * p + t * q for p, q in pairwise(points)]
    return points[0]


@given(POINTS, TIMES)
def test_a_bezier_curve_is_de_casteljaus(points, t):
    found = curve("bezier", points).at(t)["w"]
    np.testing.assert_allclose(found, de_casteljau(list(points), t), rtol=0, atol=1e-12)


@given(POINTS, TIMES)
def test_a_polygonal_chain_is_interpolated_piecewise(points, t):
    vertices = np.linspace(0, 1, len(points))
    expected = [np.interp(t, vertices, column) for column in points.T]
    np.testing.assert_allclose(curve("polygonal", points).at(t)["w"], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bends", [0, 1, 4])
def test_bends_on_the_line_give_the_line(kind, bends):
    points = [rf.interpolate(A, B, i / (bends + 1)) for i in range(bends + 2)]
    for t in np.linspace(0, 1, 7):
        np.testing.assert_allclose(
            ModeCurve(kind, points).at(t)["w"], rf.interpolate(A, B, t)["w"], rtol=1e-12
        )


@pytest.mark.parametrize("kind", KINDS)
def test_the_ends_are_exact_and_integers_are_those_of_a(kind):
    bend = {"w": np.array([np.inf, 0.3]), "n": np.array(5)}
    found = ModeCurve(kind, [A, bend, B])
    assert found.bends == 1
    assert found.at(0.0)["w"].tolist() == A["w"].tolist()
    assert found.at(1.0)["w"].tolist() == B["w"].tolist()
    assert found.at(0.0)["n"] is found.at(1.0)["n"] is A["n"]
    with pytest.raises(rf.ParamsError, match="'w' of bend 1 holds 1 entries that are NaN or infinite"):
        found.at(0.25)


def test_dtypes_are_those_of_a():
    points = [{"w": np.ones(2, dtype)} for dtype in (np.float16, np.float32, np.float64)]
    assert {ModeCurve("bezier", points).at(t)["w"].dtype for t in (0.0, 0.3, 1.0)} == {np.dtype(np.float16)}


def test_torch_in_torch_out():
    torch = pytest.importorskip("torch")
    points = [{"w": torch.full((2,), value, dtype=torch.bfloat16)} for value in (0.0, 1.0, 0.0)]
    found = ModeCurve("bezier", points).at(0.5)["w"]
    assert found.dtype == torch.bfloat16
    assert found.tolist() == [0.5, 0.5]


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_saved_and_loaded(tmp_path, suffix, library):
    pytest.importorskip("safetensors")
    points = [{"fc/w": np.arange(2.0) + i, "n": np.array([i])} for i in range(12)]
    if library == "torch":
        torch = pytest.importorskip("torch")
        points = [{name: torch.from_numpy(array) for name, array in point.items()} for point in points]
    saved = ModeCurve("polygonal", points, np.array([3.0, 2.0]))
    saved.save(tmp_path / f"curve{suffix}")
    found = ModeCurve.load(tmp_path / f"curve{suffix}")
    assert (found.kind, found.bends, found.losses.tolist()) == ("polygonal", 10, [3.0, 2.0])
    for t in (0.0, 0.33, 1.0):
        np.testing.assert_array_equal(found.at(t)["fc/w"], saved.at(t)["fc/w"])
        assert found.at(t)["n"] == [0]


def test_along_a_curve_as_a_path():
    found = ModeCurve("bezier", [A, {"w": np.array([0.0, 100.0]), "n": A["n"]}, B])
    along = loss_curve(lambda params: float(params["w"][1]), path=found, ts=5)
    assert along.values["loss"].tolist() == [float(found.at(t)["w"][1]) for t in along.ts]


def test_a_table_and_a_picture_of_the_training():
    pytest.importorskip("pandas")
    pytest.importorskip("matplotlib")
    found = ModeCurve("bezier", [A, B], np.array([3.0, 1.0, 2.0]))
    assert found.to_pandas()["loss"].tolist() == [3.0, 1.0, 2.0]
    (line,) = found.plot(window=2).lines
    np.testing.assert_allclose(line.get_xydata(), [[2, 2.0], [3, 1.5]])


@pytest.mark.parametrize("t", [-0.1, 1.01, float("nan")])
def test_outside_of_the_curve(t):
    with pytest.raises(
        ValueError, match=r"t is a number from 0 \(A\) to 1 \(B\), finite of at least 0 up to 1; got"
    ):
        ModeCurve("bezier", [A, B]).at(t)


def test_what_is_no_curve():
    with pytest.raises(ValueError, match="kind is 'bezier' or 'polygonal', got 'spline'"):
        ModeCurve("spline", [A, B])
    with pytest.raises(ValueError, match="two points or more, its ends; got 1"):
        ModeCurve("bezier", [A])
    with pytest.raises(rf.ParamsError, match="shape"):
        ModeCurve("bezier", [A, {"w": np.ones(3), "n": A["n"]}, B])
