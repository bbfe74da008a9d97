"""Loss curves, and every barrier on numbers worked out by hand."""

import json

import numpy as np
import pytest

import rebasin_fast as rf

A, B = {"w": np.array([0.0])}, {"w": np.array([1.0])}


def curve(losses, ts=None, metric="loss"):
    ts = np.linspace(0, 1, len(losses)) if ts is None else np.array(ts)
    return rf.LossCurve(ts, {metric: np.array(losses)})


@pytest.mark.parametrize(
    ("losses", "mean", "linear", "midpoint"),
    [
        # The ends average 3; the line between them is 1, 2, 3, 4, 5.
        ([1.0, 4.0, 3.0, 6.0, 5.0], 3.0, 2.0, 0.0),
        ([1.0, 2.0, 3.0], 1.0, 0.0, 0.0),
        ([2.0, 0.5, 1.0], 0.5, 0.0, -1.0),
    ],
)
def test_barriers_by_hand(losses, mean, linear, midpoint):
    found = curve(losses)
    assert found.barrier() == found.barrier("mean") == mean
    assert found.barrier("linear") == linear
    assert found.barrier("midpoint") == midpoint


@pytest.mark.parametrize("metric", ["accuracy", "val_acc", "test/accuracy", "Top1", "f1", "test_acc1"])
def test_metrics_that_should_be_high(metric):
    """-L = 0.9, 0.4, 0.7: ends average 0.8."""
    found = curve([0.9, 0.4, 0.7], metric=metric)
    assert found.barrier(metric=metric) == pytest.approx(0.4)
    assert found.barrier("linear", metric) == pytest.approx(0.4)
    assert found.barrier("midpoint", metric) == pytest.approx(0.4)
    assert found.barrier(metric=metric, higher_is_better=False) == pytest.approx(0.1)


@pytest.mark.parametrize("metric", ["loss", "error", "nll", "perplexity"])
def test_metrics_that_should_be_low(metric):
    assert curve([1.0, 3.0, 1.0], metric=metric).barrier(metric=metric) == 2.0
    assert curve([1.0, 3.0, 1.0], metric=metric).barrier(metric=metric, higher_is_better=True) == 0.0


def test_points_that_a_barrier_needs():
    assert curve([1.0, 2.0, 5.0, 3.0], [0, 0.2, 0.4, 1]).barrier("linear") == pytest.approx(3.2)
    with pytest.raises(ValueError, match=r"a point at t = 0\.5, and the curve has \[0\.0, 1\.0\]"):
        curve([1.0, 2.0]).barrier("midpoint")
    with pytest.raises(ValueError, match="a point at t = 1,"):
        curve([1.0, 2.0], [0, 0.5]).barrier()
    with pytest.raises(KeyError, match="no metric 'accuracy'; it has"):
        curve([1.0, 2.0]).barrier(metric="accuracy")
    with pytest.raises(ValueError, match="'mean' or 'linear' or 'midpoint'; got 'max'"):
        curve([1.0, 2.0]).barrier("max")


def test_a_loss_that_is_nan_is_not_hidden():
    for definition in ("mean", "linear", "midpoint"):
        with pytest.warns(RuntimeWarning, match=r"barrier is NaN: loss is nan at t = 0\.5"):
            assert np.isnan(curve([1.0, np.nan, 1.0]).barrier(definition))


def test_each_point_is_evaluated_once_in_order():
    seen, told = [], []

    def evaluate(params):
        seen.append(float(params["w"][0]))
        return {"loss": 2 * seen[-1], "accuracy": 1 - seen[-1]}

    found = rf.loss_curve(evaluate, A, B, ts=5, progress=lambda *done: told.append(done))
    assert seen == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert told == [(i, 5) for i in range(1, 6)]
    assert found.ts.tolist() == seen
    assert found.values["loss"].tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert found.values["accuracy"].tolist() == [1.0, 0.75, 0.5, 0.25, 0.0]
    assert found.barrier(metric="accuracy") == 0.5
    assert len(rf.loss_curve(lambda p: 0.0, A, B).ts) == 25


@pytest.mark.parametrize("ts", [[0, 0.1, 1], (0, 0.1, 1), np.array([0, 0.1, 1])])
def test_points_may_be_given(ts):
    assert rf.loss_curve(lambda p: float(p["w"][0]), A, B, ts=ts).values["loss"].tolist() == [0.0, 0.1, 1.0]
    assert rf.loss_curve(lambda p: 0.0, A, B, ts=np.int64(3)).ts.tolist() == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("ts", [1, 0, -3, [0.5], [[0, 1]], 0.5])
def test_too_few_points(ts):
    with pytest.raises(ValueError, match=r"ts is a number of points, 2 or more"):
        rf.loss_curve(lambda p: 0.0, A, B, ts=ts)


def test_metrics_must_stay_the_same():
    rows = iter([{"loss": 1.0}, {"loss": 1.0, "accuracy": 0.5}])
    with pytest.raises(ValueError, match=r"gave \['loss', 'accuracy'\] at t = 1 and \['loss'\] before"):
        rf.loss_curve(lambda p: next(rows), A, B, ts=2)


def test_models_are_checked_before_anything_is_evaluated():
    def evaluate(params):
        raise AssertionError("evaluated")

    with pytest.raises(rf.ParamsError, match="'v' is in model B only"):
        rf.loss_curve(evaluate, A, B | {"v": np.ones(1)})


def test_along_the_arc():
    a, b = {"w": np.array([1.0, 0.0])}, {"w": np.array([0.0, 1.0])}
    found = rf.loss_curve(lambda p: float(np.linalg.norm(p["w"])), a, b, ts=5, method="slerp")
    np.testing.assert_allclose(found.values["loss"], 1.0, rtol=1e-14)
    assert rf.loss_curve(lambda p: float(np.linalg.norm(p["w"])), a, b, ts=3).values["loss"][1] < 0.8


class Circle:
    def at(self, t):
        return {"w": np.array([np.cos(np.pi * t), np.sin(np.pi * t)])}


def test_along_a_path():
    found = rf.loss_curve(lambda p: float(p["w"][1]), path=Circle(), ts=5)
    np.testing.assert_allclose(found.values["loss"], np.sin(np.pi * found.ts), atol=1e-15)
    assert found.barrier() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, TypeError, "the ends are missing: pass params_a and params_b, or path="),
        ({"params_a": A}, TypeError, "the ends are missing"),
        ({"params_a": A, "params_b": B, "path": Circle()}, TypeError, "pass path= alone"),
        ({"params_b": B, "path": Circle()}, TypeError, "pass path= alone"),
        (
            {"path": Circle(), "method": "slerp"},
            ValueError,
            "method='slerp' is for the way between two models",
        ),
        ({"path": [A, B]}, TypeError, r"whose at\(t\) gives parameters or None; got \["),
    ],
)
def test_a_path_or_two_ends(arguments, error, message):
    with pytest.raises(error, match=message):
        rf.loss_curve(lambda p: 0.0, **arguments)


def test_as_json_and_back():
    found = curve([1.0, 4.0, 3.0])
    again = rf.LossCurve.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again.ts.tolist() == found.ts.tolist()
    assert again.values["loss"].tolist() == found.values["loss"].tolist()
