"""Temperature scaling against a grid search and known factors, and the calibrated points of a curve."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rebasin_fast as rf
from rebasin_fast.evaluation import expected_calibration_error, fit_temperature


def cross_entropy(scores: np.ndarray, classes: np.ndarray) -> float:
    """Of one row after another, in Python's floats."""
    total = 0.0
    for row, right in zip(scores.tolist(), classes.tolist(), strict=True):
        top = max(row)
        total += top + float(np.log(sum(np.exp(x - top) for x in row))) - row[right]
    return total / len(scores)


def drawn(seed: int, count: int = 400, width: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and classes drawn from their softmax: calibrated but for the noise of the draw."""
    rng = np.random.default_rng(seed)
    scores = 2.0 * rng.standard_normal((count, width))
    return scores, (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)


@given(st.integers(0, 1000), st.floats(1e-4, 1e4), st.integers(2, 7))
@settings(max_examples=30, deadline=None)
def test_scaled_logits_have_the_scaled_temperature(seed: int, factor: float, width: int) -> None:
    scores, classes = drawn(seed, width=width)
    assert fit_temperature(factor * scores, classes) == pytest.approx(
        factor * fit_temperature(scores, classes), rel=1e-6
    )


def test_calibrated_logits_have_a_temperature_of_one() -> None:
    scores, classes = drawn(0, count=100_000)
    assert fit_temperature(scores, classes) == pytest.approx(1.0, abs=0.02)
    assert fit_temperature(np.float32(7 * scores), classes) == pytest.approx(7.0, abs=0.1)


@pytest.mark.parametrize("seed", range(4))
def test_no_temperature_of_a_grid_is_better(seed: int) -> None:
    scores, classes = drawn(seed, count=100)
    if seed == 3:  # half the labels wrong at random: the best temperature is high
        classes[::2] = np.random.default_rng(1).integers(0, 5, 50)
    found = fit_temperature(scores, classes)
    best = cross_entropy(scores / found, classes)
    grid = found * np.geomspace(0.01, 100, 201)
    others = [cross_entropy(scores / t, classes) for t in grid if abs(t / found - 1) > 1e-6]
    assert best < min(others)
    # the least loss of two neighbours of the optimum is above it on both sides
    assert best <= min(cross_entropy(scores / (found * f), classes) for f in (1 - 1e-3, 1 + 1e-3))


@pytest.mark.parametrize("factor", [1e-6, 1.0, 1e6])
def test_separable_scores_are_sharpened_to_a_bound(factor: float) -> None:
    scores, classes = np.eye(3)[[0, 1, 2, 0]], np.array([0, 1, 2, 0])
    found = fit_temperature(factor * scores, classes)
    assert found / factor == pytest.approx(np.sqrt(2 / 9) / 100)
    assert cross_entropy(factor * scores / found, classes) < 1e-12


def test_scores_that_are_worse_than_chance_are_flattened_to_a_bound() -> None:
    scores, classes = np.eye(3)[[0, 1, 2, 0]], np.array([1, 2, 0, 1])
    found = fit_temperature(scores, classes)
    assert np.isfinite(found)
    assert cross_entropy(scores / found, classes) == pytest.approx(np.log(3), abs=3e-3)


def test_equal_scores_are_left_as_they_are() -> None:
    assert fit_temperature(np.full((4, 3), 7.0), np.array([0, 1, 2, 0])) == 1.0


def test_huge_scores_do_not_overflow() -> None:
    scores, classes = drawn(5)
    found = fit_temperature(np.float32(1e37 * scores), classes)
    assert found == pytest.approx(1e37 * fit_temperature(scores, classes), rel=1e-6)


@pytest.mark.parametrize(
    ("scores", "classes", "message"),
    [
        (np.zeros((0, 3)), np.zeros(0, int), "at least 1"),
        (np.zeros(3), np.zeros(3, int), r"scores \(n, C\)"),
        (np.zeros((2, 3)), np.zeros(3, int), r"\(2, 3\) and \(3,\)"),
        (np.zeros((2, 3)), np.zeros(2), "classes are integers; got float64"),
        (np.zeros((2, 3)), np.array([0, 3]), "from 0 to 2.*got 0 to 3"),
        (np.array([[0.0, np.nan]]), np.array([0]), "NaN"),
    ],
)
def test_bad_samples_are_refused(scores: np.ndarray, classes: np.ndarray, message: str) -> None:
    with pytest.raises(rf.DataError, match=message):
        fit_temperature(scores, classes)


@given(st.integers(0, 1000), st.integers(1, 20))
@settings(max_examples=20, deadline=None)
def test_calibration_error_is_the_mean_over_bins(seed: int, bins: int) -> None:
    scores, classes = drawn(seed, count=60)
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    sure, right = shares.max(axis=1), shares.argmax(axis=1) == classes
    expected = 0.0
    for place in range(bins):
        inside = (sure > place / bins) & (sure <= (place + 1) / bins)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - sure[inside].mean())
    assert expected_calibration_error(scores, classes, bins=bins) == pytest.approx(expected, abs=1e-12)


# --- points of a curve ------------------------------------------------------------------------------------------------


def evaluator(torch: Any, **options: Any) -> Any:
    from rebasin_fast.evaluation import Evaluator

    scores, classes = drawn(1)
    batches = [
        (torch.from_numpy(scores)[i : i + 90], torch.from_numpy(classes)[i : i + 90])
        for i in range(0, 400, 90)
    ]
    model = torch.nn.Linear(5, 5, bias=False).double()
    return Evaluator(model, batches, **{"calibration_batches": batches, **options})


def test_the_metrics_of_a_calibrated_curve() -> None:
    torch = pytest.importorskip("torch")
    scores, classes = drawn(1)
    ends = {"weight": np.eye(5)}, {"weight": 5 * np.eye(5)}
    curve = rf.loss_curve(evaluator(torch), *ends, ts=3, calibrate="temperature")
    base = fit_temperature(scores, classes)
    np.testing.assert_allclose(curve.values["temperature"], base * np.array([1.0, 3.0, 5.0]))
    np.testing.assert_allclose(curve.values["calibrated_loss"], cross_entropy(scores / base, classes))
    np.testing.assert_allclose(curve.values["loss"], [cross_entropy(f * scores, classes) for f in (1, 3, 5)])
    np.testing.assert_allclose(
        curve.values["ece"], [expected_calibration_error(f * scores, classes) for f in (1, 3, 5)]
    )
    np.testing.assert_allclose(
        curve.values["calibrated_ece"], expected_calibration_error(scores / base, classes)
    )
    assert curve.barrier(metric="calibrated_loss") == pytest.approx(0.0, abs=1e-12)
    assert (curve.values["accuracy"] == (scores.argmax(axis=1) == classes).mean()).all()


def test_the_temperature_is_that_of_the_held_out_data() -> None:
    torch = pytest.importorskip("torch")
    scores, classes = drawn(2)
    held_out = [(torch.from_numpy(3 * scores), torch.from_numpy(classes))]
    found = evaluator(torch, calibration_batches=held_out).calibrated({"weight": np.eye(5)})
    assert found["temperature"] == pytest.approx(fit_temperature(3 * scores, classes))


def test_positions_are_samples_and_ignored_ones_are_left_out() -> None:
    torch = pytest.importorskip("torch")
    from rebasin_fast.evaluation import Evaluator

    scores, classes = drawn(3, count=40)
    shown = torch.from_numpy(scores).reshape(4, 10, 5)
    targets = torch.from_numpy(classes).reshape(4, 10).clone()
    targets[:, 7:] = -100
    kept = np.arange(40) % 10 < 7

    class ClassesSecond(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(()))

        def forward(self, x: Any) -> Any:
            return (self.scale * x).movedim(-1, 1)

    evaluate = Evaluator(ClassesSecond(), [(shown, targets)], calibration_batches=[(shown, targets)])
    found = evaluate.calibrated({"scale": np.float32(1.0)})
    base = fit_temperature(scores[kept], classes[kept])
    assert found["temperature"] == pytest.approx(base)
    assert found["calibrated_loss"] == pytest.approx(cross_entropy(scores[kept] / base, classes[kept]))


def test_a_plain_callable_cannot_calibrate() -> None:
    with pytest.raises(TypeError, match=r"a function, gives metrics only.*calibration_batches"):
        rf.loss_curve(lambda p: 0.0, {"w": np.zeros(1)}, {"w": np.ones(1)}, calibrate="temperature")


def test_another_calibration_is_refused() -> None:
    with pytest.raises(ValueError, match="'temperature' or None; got 'platt'"):
        rf.loss_curve(lambda p: 0.0, {"w": np.zeros(1)}, {"w": np.ones(1)}, calibrate="platt")  # type: ignore[arg-type]


def test_evaluators_without_data_or_cross_entropy_are_refused() -> None:
    torch = pytest.importorskip("torch")
    params = {"weight": np.eye(5)}
    functional = torch.nn.functional
    refused = partial(pytest.raises, ValueError)
    with refused(match="calibration_batches="):
        evaluator(torch, calibration_batches=None).calibrated(params)
    with refused(match="needs the cross-entropy"):
        evaluator(torch, loss=functional.mse_loss).calibrated(params)
    with refused(match="needs the cross-entropy"):
        evaluator(torch, loss=torch.nn.CrossEntropyLoss(label_smoothing=0.1)).calibrated(params)
    assert "temperature" in evaluator(torch, loss=torch.nn.CrossEntropyLoss()).calibrated(params)
    shares = [(torch.zeros(4, 5).double(), torch.full((4, 5), 0.2).double())]
    with pytest.raises(rf.DataError, match="class numbers"):
        evaluator(torch, calibration_batches=shares).calibrated(params)
    with pytest.raises(rf.DataError, match="calibration_batches gave no batches"):
        evaluator(torch, calibration_batches=[]).calibrated(params)
