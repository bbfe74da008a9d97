"""Losses over a simplex: quadratics whose barrier is known, grids by brute force, and pictures."""

from __future__ import annotations

from itertools import product
from math import comb
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rebasin_fast as rf
from rebasin_fast.analysis import LossSimplex, loss_simplex


def quadratic(sign: float) -> Any:
    return lambda params: sign * float((params["w"] ** 2).sum())


def random_models(seed: int, count: int, size: int = 4) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    return [{"w": rng.standard_normal(size)} for _ in range(count)]


@given(st.integers(0, 1000), st.integers(3, 5), st.integers(2, 6))
@settings(max_examples=20, deadline=None)
def test_the_excess_of_a_quadratic_is_the_variance_of_its_ends(seed: int, count: int, points: int) -> None:
    """-|Σ w θ|² + Σ w |θ|² = Σ w |θ - Σ w θ|²."""
    models = random_models(seed, count)
    found = loss_simplex(quadratic(-1.0), models, points_per_edge=points)
    ends = np.array([model["w"] for model in models])
    means = found.weights @ ends
    variances = [
        sum(w * ((end - mean) ** 2).sum() for w, end in zip(shares, ends, strict=True))
        for shares, mean in zip(found.weights, means, strict=True)
    ]
    np.testing.assert_allclose(found.excess(), variances, atol=1e-12)
    assert found.barrier() == pytest.approx(max(variances))


@given(st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_a_convex_loss_has_no_barrier_and_a_linear_one_no_excess(seed: int) -> None:
    models = random_models(seed, 4)
    assert loss_simplex(quadratic(1.0), models, points_per_edge=4).barrier() == pytest.approx(0.0, abs=1e-12)
    linear = loss_simplex(lambda params: params["w"].sum(), models, points_per_edge=4)
    np.testing.assert_allclose(linear.excess(), 0.0, atol=1e-12)


@pytest.mark.parametrize(("models", "points"), [(3, 2), (3, 7), (3, 4), (4, 4), (5, 3), (4, 5)])
def test_the_grid_holds_every_multiple_of_a_step_once(models: int, points: int) -> None:
    found = loss_simplex(quadratic(1.0), random_models(0, models), points_per_edge=points).weights
    steps = points - 1
    expected = {parts for parts in product(range(steps + 1), repeat=models) if sum(parts) == steps}
    assert len(expected) == comb(steps + models - 1, models - 1)
    rows = {tuple(np.rint(row * steps).astype(int).tolist()) for row in found[: len(expected)]}
    assert rows == expected
    centre = np.full(models, 1 / models)
    assert np.isclose(found, centre).all(axis=1).sum() == 1  # the mean of all is there, and once
    assert len(found) == len(expected) + (steps % models != 0)


@pytest.mark.parametrize("metric", ["loss", "accuracy"])
def test_edges_have_the_barriers_and_points_of_loss_curves(metric: str) -> None:
    models = random_models(3, 4)

    def evaluate(params: Any) -> dict[str, float]:
        return {"accuracy": float(np.cos(params["w"]).sum()), "loss": float(np.sin(3 * params["w"]).sum())}

    found = loss_simplex(evaluate, models, points_per_edge=5)
    barriers = found.edge_barriers(metric)
    for i, j in product(range(4), repeat=2):
        if i == j:
            assert barriers[i, j] == 0.0
            continue
        curve = rf.loss_curve(evaluate, models[i], models[j], ts=5)
        assert barriers[i, j] == pytest.approx(curve.barrier("linear", metric))
        np.testing.assert_allclose(found.curve(i, j).ts, curve.ts)
        np.testing.assert_allclose(found.curve(i, j).values[metric], curve.values[metric])
    assert found.barrier(metric) >= barriers.max()
    assert found.barrier(metric, higher_is_better=metric == "accuracy") == found.barrier(metric)


def test_a_loss_that_is_nan_is_not_hidden() -> None:
    def evaluate(params: Any) -> float:
        return np.nan if 0.3 < params["w"][0] < 0.4 else 1.0

    found = loss_simplex(evaluate, [{"w": row} for row in np.eye(3)], points_per_edge=4)
    with pytest.warns(RuntimeWarning, match="barrier is NaN: loss is not finite"):
        assert np.isnan(found.barrier())
    pytest.importorskip("matplotlib")
    assert "nan" in found.plot().get_title("left")


def test_refusals() -> None:
    models = random_models(0, 3)
    with pytest.raises(ValueError, match=r"three models or more; got 2.*loss_curve"):
        loss_simplex(quadratic(1.0), models[:2])
    with pytest.raises(ValueError, match=r"points_per_edge is 2 or more.*got 1"):
        loss_simplex(quadratic(1.0), models, points_per_edge=1)
    with pytest.raises(ValueError, match=r"make 5151 points; at most 5000"):
        loss_simplex(quadratic(1.0), models, points_per_edge=101)
    with pytest.raises(rf.ParamsError):
        loss_simplex(quadratic(1.0), [*models, {"v": np.ones(4)}])
    with pytest.raises(KeyError, match="no metric 'accuracy'"):
        loss_simplex(quadratic(1.0), models).barrier("accuracy")
    names = iter("ab" * 30)
    with pytest.raises(ValueError, match=r"gave \['b'\]"):
        loss_simplex(lambda params: {next(names): 0.0}, models)


def test_progress_counts_points() -> None:
    told: list[tuple[int, int]] = []
    loss_simplex(quadratic(1.0), random_models(0, 3), points_per_edge=3, progress=lambda *d: told.append(d))
    assert told == [(i, 7) for i in range(1, 8)]  # six, and the mean of all


def test_saved_loaded_and_given_to_pandas(tmp_path: Any) -> None:
    found = loss_simplex(quadratic(-1.0), random_models(1, 4), points_per_edge=3)
    found.save(tmp_path / "simplex.npz")
    again = LossSimplex.load(tmp_path / "simplex.npz")
    np.testing.assert_array_equal(again.weights, found.weights)
    np.testing.assert_array_equal(again.values["loss"], found.values["loss"])
    pytest.importorskip("pandas")
    table = found.to_pandas()
    assert list(table.columns) == ["weight_0", "weight_1", "weight_2", "weight_3", "loss"]
    assert len(table) == len(found.weights)


@pytest.mark.parametrize(("count", "drawn"), [(3, "triangle"), (4, "bars")])
def test_pictures(count: int, drawn: str) -> None:
    pytest.importorskip("matplotlib")
    found = loss_simplex(quadratic(-1.0), random_models(1, count), points_per_edge=4)
    axes = found.plot()
    if drawn == "triangle":
        assert [text.get_text().split("\n")[0] for text in axes.texts] == ["model 0", "model 1", "model 2"]
        assert f"{found.barrier():.3g}" in axes.get_title("left")
    else:
        assert len(axes.patches) == 6 + 2
        assert axes.patches[-1].get_height() == pytest.approx(found.barrier())
    with pytest.raises(KeyError):
        found.plot(metric="accuracy")


def test_a_flat_triangle_is_drawn() -> None:
    pytest.importorskip("matplotlib")
    assert loss_simplex(lambda _: 2.0, random_models(1, 3)).plot().get_title("left") == "barrier 0"
