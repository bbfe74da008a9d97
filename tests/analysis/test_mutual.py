"""Barriers between every two models: those of loss_curve, pair by pair."""

import numpy as np
import pytest

import rebasin_fast as rf
from rebasin_fast.analysis import MutualBarriers, mutual_barriers

RNG = np.random.default_rng(0)
MODELS = {name: {"w": RNG.standard_normal(3)} for name in ("a", "b", "c", "d")}


def evaluate(params):
    return {"loss": float(np.sin(3 * params["w"]).sum()), "accuracy": float(np.cos(params["w"][0]))}


@pytest.mark.parametrize("ts", [6, [0.0, 0.3, 0.35, 1.0]])
def test_every_line_is_that_of_loss_curve(ts):
    found = mutual_barriers(evaluate, MODELS, ts=ts)
    for first in MODELS:
        for second in MODELS:
            if first == second:
                continue
            points = found.ts if first < second else 1 - found.ts[::-1]
            curve = rf.loss_curve(evaluate, MODELS[first], MODELS[second], ts=points)
            own = found.curve(first, second)
            np.testing.assert_allclose(own.ts, points)
            for metric in ("loss", "accuracy"):
                np.testing.assert_allclose(own.values[metric], curve.values[metric], atol=1e-12)
                i, j = (found.names.index(name) for name in (first, second))
                for definition in ("mean", "linear"):
                    assert found.barriers(definition, metric)[i, j] == pytest.approx(
                        curve.barrier(definition, metric), abs=1e-12
                    )
    assert not np.diag(found.barriers()).any()


def test_each_model_and_each_point_is_evaluated_once():
    calls, events = [], []

    def counted(params):
        calls.append(params)
        return 1.0

    found = mutual_barriers(
        counted, list(MODELS.values()), ts=5, progress=lambda *event: events.append(event)
    )
    assert len(calls) == 4 + 6 * 3
    assert events == [(done, len(calls)) for done in range(1, len(calls) + 1)]
    assert found.names == ["0", "1", "2", "3"]
    assert list(found.values) == ["loss"]


def test_equal_models_have_no_barrier():
    model = MODELS["a"]
    found = mutual_barriers(evaluate, [model, model, model], ts=3)
    np.testing.assert_allclose(found.barriers("midpoint"), 0, atol=1e-12)


def test_models_that_cannot_be_compared():
    with pytest.raises(rf.ParamsError):
        mutual_barriers(evaluate, [MODELS["a"], {"w": np.zeros(2)}])
    with pytest.raises(ValueError, match="two or more; got 1"):
        mutual_barriers(evaluate, [MODELS["a"]])
    for ts in (1, [0.0, 0.5], [0.0, 0.6, 0.5, 1.0], [[0.0, 1.0]]):
        with pytest.raises(ValueError, match=r"rising points from 0 to 1|ts is .*; got \[0\.0, 1\.0\] in it"):
            mutual_barriers(evaluate, MODELS, ts=ts)
    metrics = iter([{"loss": 1.0}, {"error": 1.0}])
    with pytest.raises(ValueError, match=r"gave \['error'\] at t = 0 from 'b' to 'b' and \['loss'\] before"):
        mutual_barriers(lambda params: next(metrics), MODELS)


def test_names():
    found = mutual_barriers(evaluate, MODELS, ts=3)
    with pytest.raises(KeyError, match="no model 'e'"):
        found.curve("a", "e")
    with pytest.raises(ValueError, match="'a' twice"):
        found.curve("a", "a")


def test_saved_drawn_and_given_to_pandas(tmp_path):
    found = mutual_barriers(evaluate, MODELS, ts=3)
    found.save(tmp_path / "mutual.npz")
    again = MutualBarriers.load(tmp_path / "mutual.npz")
    np.testing.assert_array_equal(again.barriers(), found.barriers())
    pytest.importorskip("matplotlib")
    axes = found.plot(metric="accuracy")
    assert len(axes.texts) == 12
    pytest.importorskip("pandas")
    assert found.to_pandas().columns.tolist() == ["first", "second", "t", "loss", "accuracy"]
    assert len(found.to_pandas()) == 6 * 3
