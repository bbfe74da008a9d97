"""The plane through three models: quadratic losses that are known on it, distances, projections, pictures."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import rebasin_fast as rf
from rebasin_fast.analysis import LossPlane, ModeCurve, loss_plane
from rebasin_fast.analysis.plane.drawing import contour_levels
from rebasin_fast.merging.distance import l2_distance


def models(seed=0, size=7, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return [
        {
            "fc.weight": rng.standard_normal((size, 3)).astype(dtype),
            "fc.bias": rng.standard_normal(size).astype(dtype),
            "n": np.array(i),
        }
        for i in range(3)
    ]


def flat(params):
    return np.concatenate([params["fc.weight"].ravel(), params["fc.bias"]])


def squares(params):
    return float((flat(params) ** 2).sum())


def gram_schmidt(a, b, c):
    """The published formulas, on flat vectors."""
    u = b - a
    v = (c - a) - (c - a) @ u / (u @ u) * u
    return u / np.linalg.norm(u), v / np.linalg.norm(v)


def test_a_quadratic_loss_on_the_plane():
    a, b, c = models()
    plane = loss_plane(squares, a, b, c, points=(5, 4), margin=0.3)
    u, v = gram_schmidt(flat(a), flat(b), flat(c))
    assert plane.values["loss"].shape == (4, 5) == (plane.y.size, plane.x.size)
    for row, y in enumerate(plane.y):
        for column, x in enumerate(plane.x):
            here = flat(a) + x * u + y * v
            assert plane.values["loss"][row, column] == pytest.approx(here @ here, rel=1e-12)


@given(st.integers(0, 10_000))
def test_distances_in_the_plane_are_distances_of_parameters(seed):
    three = models(seed)
    coordinates = loss_plane(lambda p: 0.0, *three, points=2).positions
    for i in range(3):
        for j in range(i):
            distance = np.linalg.norm(coordinates[i] - coordinates[j])
            assert distance == pytest.approx(l2_distance(three[i], three[j]), rel=1e-10)


@given(st.integers(0, 1000), st.floats(-2, 2), st.floats(-2, 2))
def test_a_projection_is_the_nearest_point(seed, x, y):
    three = models(seed)
    plane = loss_plane(lambda p: 0.0, *three, points=2)
    assume(plane.positions[2, 1] > 0.1)
    np.testing.assert_allclose(plane.project(plane.coordinates.at(x, y)), [x, y], atol=1e-9)
    other = models(seed + 1)[0]
    basis = np.array(gram_schmidt(*map(flat, three)))
    np.testing.assert_allclose(plane.project(other), basis @ (flat(other) - flat(three[0])), atol=1e-9)


def test_the_models_lie_at_their_places():
    three = models(dtype=np.float32)
    plane = loss_plane(lambda p: 0.0, *three, points=2)
    for params, place in zip(three, plane.positions, strict=True):
        np.testing.assert_allclose(plane.project(params), place, atol=1e-6)
        found = plane.coordinates.at(*place)
        np.testing.assert_allclose(flat(found), flat(params), atol=1e-6)
        assert found["fc.bias"].dtype == np.float32
        assert found["n"] is three[0]["n"]


def test_the_grid_holds_the_models_and_a_margin():
    a, b, c = ({"w": np.array(w)} for w in ([0.0, 0.0], [2.0, 0.0], [-2.0, 1.0]))
    seen, told = [], []
    plane = loss_plane(
        lambda p: {"loss": seen.append(p["w"].tolist()) or 0.0, "accuracy": p["w"][1]},
        a, b, c, points=(3, 2), margin=0.25, progress=lambda *done: told.append(done),
    )  # fmt: skip
    np.testing.assert_allclose(plane.x, [-3.0, 0.0, 3.0])
    np.testing.assert_allclose(plane.y, [-0.25, 1.25])
    np.testing.assert_allclose(seen, [[x, y] for y in plane.y for x in plane.x], atol=1e-12)
    assert told == [(i, 6) for i in range(1, 7)]
    np.testing.assert_allclose(plane.values["accuracy"], [[-0.25] * 3, [1.25] * 3])


def test_statistics_of_batch_norm_do_not_count():
    three = models()
    for i, params in enumerate(three):
        params["bn.running_var"] = np.full(7, 1e3 * i)
    plane = loss_plane(lambda p: float(p["bn.running_var"][0]), *three, points=2, margin=0.0)
    assert plane.positions[1, 0] == pytest.approx(np.linalg.norm(flat(three[1]) - flat(three[0])))
    assert plane.values["loss"][0, 0] == pytest.approx(0.0)
    assert plane.coordinates.at(*plane.positions[1])["bn.running_var"][0] == pytest.approx(1e3)


def test_saved_and_loaded_without_the_models(tmp_path):
    plane = loss_plane(squares, *models(), points=3)
    plane.save(tmp_path / "plane.npz")
    found = LossPlane.load(tmp_path / "plane.npz")
    for name in ("x", "y", "positions"):
        np.testing.assert_array_equal(getattr(found, name), getattr(plane, name))
    np.testing.assert_array_equal(found.values["loss"], plane.values["loss"])
    with pytest.raises(ValueError, match="no models to project on"):
        found.project(models()[0])


def test_a_table():
    pytest.importorskip("pandas")
    plane = loss_plane(squares, *models(), points=(3, 2))
    table = plane.to_pandas()
    assert list(table.columns) == ["x", "y", "loss"]
    assert table["x"].tolist() == plane.x.tolist() * 2
    assert table["y"].tolist() == np.repeat(plane.y, 3).tolist()
    assert table["loss"].tolist() == plane.values["loss"].ravel().tolist()


def test_a_picture_with_the_models_lines_and_paths():
    figure = pytest.importorskip("matplotlib.figure").Figure()
    a, b, c = models()
    plane = loss_plane(squares, a, b, c, points=4)
    curve = ModeCurve("bezier", [a, c, b])
    ax = figure.subplots()
    shown = plane.plot(
        ax,
        labels=("A", "B", "bend"),
        lines=[(0, 1)],
        paths={"curve": curve, "given": np.array([[0.0, 0.0], [1.0, 1.0]])},
    )
    assert shown is ax
    line, _, path, _, given = ax.lines
    np.testing.assert_allclose(line.get_xydata(), plane.positions[:2])
    np.testing.assert_allclose(given.get_xydata(), [[0, 0], [1, 1]])
    middle = (plane.positions[0] + 2 * plane.positions[2] + plane.positions[1]) / 4
    np.testing.assert_allclose(
        path.get_xydata()[[0, 30, 60]], [plane.positions[0], middle, plane.positions[1]], atol=1e-9
    )
    assert [text.get_text() for text in ax.texts] == ["A", "B", "bend"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["curve", "given"]
    with pytest.raises(KeyError, match="no metric 'bleu'"):
        plane.plot(metric="bleu")


@pytest.mark.parametrize("value", [2.0, np.inf])
def test_a_picture_of_a_flat_or_partly_infinite_loss(value):
    pytest.importorskip("matplotlib")
    a, b, c = models()
    border = (a["fc.bias"][0] + b["fc.bias"][0]) / 2
    plane = loss_plane(lambda p: 2.0 if p["fc.bias"][0] < border else value, a, b, c, points=4)
    assert {2.0, value} == set(plane.values["loss"].ravel().tolist())
    plane.plot()
    plane.plot(top=1.0)


def test_levels_of_contours():
    values = np.array([1.0, 2.0, 9.0])
    levels = contour_levels(values, 5.0, 4, logarithmic=True)
    assert levels[0] == 1.0
    assert levels[-1] == pytest.approx(5.0)
    np.testing.assert_allclose(np.diff(np.log(levels[1:] - 1.0)), np.log(1 / 3e-3) / 3)
    np.testing.assert_allclose(contour_levels(values, 5.0, 4, logarithmic=False), [1, 2, 3, 4, 5])


def test_three_models_that_are_no_plane():
    a, b, c = models()
    with pytest.raises(rf.ParamsError, match="lie on one line"):
        loss_plane(squares, a, b, rf.interpolate(a, b, 0.3))
    with pytest.raises(rf.ParamsError, match="lie on one line"):
        loss_plane(squares, a, b, a)
    with pytest.raises(rf.ParamsError, match=r"three different models .* are 0 \(A to B\)"):
        loss_plane(squares, a, a, c)
    with pytest.raises(rf.ParamsError, match="of finite parameters"):
        loss_plane(squares, a, b | {"fc.bias": np.full(7, np.inf)}, c)
    with pytest.raises(rf.ParamsError, match="in model A only"):
        loss_plane(squares, a, b, {"fc.weight": c["fc.weight"]})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"points": 1}, "points is a number of points along each axis, 2 or more; got 1"),
        ({"points": (3, 1)}, r"got \(3, 1\)"),
        ({"margin": -0.1}, "margin is a share of the sides, 0 or more; got -0.1"),
        ({"margin": float("nan")}, "margin"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        loss_plane(squares, *models(), **options)


def test_metrics_must_stay_the_same():
    rows = iter([{"loss": 1.0}, {"error": 1.0}])
    with pytest.raises(ValueError, match=r"evaluate gave \['error'\] at \(.*\) and \['loss'\] before"):
        loss_plane(lambda p: next(rows), *models(), points=2)
