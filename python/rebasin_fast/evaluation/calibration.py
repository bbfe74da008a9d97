"""One softmax temperature, fitted on held-out data, and the expected calibration error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _arguments
from rebasin_fast.errors import DataError

Scores: TypeAlias = NDArray[Any]
Classes: TypeAlias = NDArray[Any]
Calibration: TypeAlias = Literal["temperature"]

_BINS = 15  # Guo et al. 2017
_CHUNK = 4096  # rows widened to float64 at a time
# The spread of the scaled scores beyond which probabilities are uniform, or exactly 0 and 1, for every purpose.
_LEAST_SPREAD, _LARGEST_SPREAD = 1e-3, 100.0
_STEPS, _RELATIVE = 100, 1e-10


def fit_temperature(scores: Scores, classes: Classes) -> float:
    """The softmax temperature T of least mean cross-entropy of ``scores / T`` (Guo et al. 2017).

    Parameters
    ----------
    scores : (n, C) array of floats
        Logits, one row a sample. float32 and float64 are read as they are; not changed.
    classes : (n,) array of integers
        The right class of each row, from 0 to C - 1.

    Returns
    -------
    float
        Positive and finite. Where no finite temperature is best the bound is given: scores that always rank the
        right class first are sharpened until they have a standard deviation of 100 within rows (root mean
        square), scores that are no better than chance flattened until it is 0.001. 1.0 for scores that are equal
        within every row.

    Raises
    ------
    DataError
        There is no sample, the shapes do not fit, a class is out of range, or a score is NaN or infinite.

    Notes
    -----
    The loss is convex in the inverse temperature; Newton's method with a bracket, in float64, to a relative precision
    of 1e-10. O(n C) a step, some ten steps; 4096 rows are widened at a time.

    Examples
    --------
    >>> import numpy as np
    >>> from rebasin_fast.evaluation import fit_temperature
    >>> scores = np.log([[0.8, 0.2]] * 10)  # right in eight cases of ten
    >>> classes = np.array([0] * 8 + [1] * 2)
    >>> round(fit_temperature(scores, classes), 6), round(fit_temperature(5 * scores, classes), 6)
    (1.0, 5.0)
    """
    scores, classes = _checked(scores, classes)
    spread = _spread(scores)
    if spread == 0.0:
        return 1.0
    low, high = _LEAST_SPREAD / spread, _LARGEST_SPREAD / spread
    if _derivatives(scores, classes, low)[0] >= 0.0:
        return 1.0 / low
    if _derivatives(scores, classes, high)[0] <= 0.0:
        return 1.0 / high
    beta = float(np.clip(1.0, low, high))
    for _ in range(_STEPS):
        slope, curvature = _derivatives(scores, classes, beta)
        low, high = (beta, high) if slope < 0.0 else (low, beta)
        step = beta - slope / curvature if curvature > 0.0 else np.inf
        following = step if low < step < high else float(np.sqrt(low * high))
        if abs(following - beta) <= _RELATIVE * beta:
            return 1.0 / following
        beta = following
    return 1.0 / beta


@_arguments.checked(bins=1)
def expected_calibration_error(scores: Scores, classes: Classes, *, bins: int = 15) -> float:
    """The mean over samples of |accuracy - confidence| of the sample's bin (Naeini et al. 2015; Guo et al. 2017).

    Parameters
    ----------
    scores : (n, C) array of floats
        Logits; the confidence of a sample is the largest entry of their softmax.
    classes : (n,) array of integers
    bins : int
        Number of bins of equal width on [0, 1].

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    DataError
        As in :func:`fit_temperature`.

    Examples
    --------
    >>> import numpy as np
    >>> from rebasin_fast.evaluation import expected_calibration_error
    >>> scores, classes = np.log([[0.8, 0.2]] * 10), np.array([0] * 5 + [1] * 5)
    >>> round(expected_calibration_error(scores, classes), 6)
    0.3
    """
    scores, classes = _checked(scores, classes)
    error = CalibrationError(bins)
    for start in range(0, len(scores), _CHUNK):
        error.add(scores[start : start + _CHUNK], classes[start : start + _CHUNK])
    return error.value()


class CalibrationError:
    """The expected calibration error of samples that come in batches."""

    def __init__(self, bins: int = _BINS) -> None:
        self._bins = bins
        self._excess = np.zeros(bins)  # right answers less confidence
        self._count = 0

    def add(self, scores: Scores, classes: Classes, temperature: float = 1.0) -> None:
        """Count the samples of ``scores`` (n, C), divided by ``temperature``."""
        centred = _centred(scores)
        confidence = 1.0 / np.exp(centred / temperature).sum(axis=1)
        right = centred.argmax(axis=1) == classes
        # Bins are open to the left: (0, 1/k], …, (1 - 1/k, 1].
        places = np.clip(np.ceil(confidence * self._bins).astype(np.int64) - 1, 0, self._bins - 1)
        self._excess += np.bincount(places, right - confidence, minlength=self._bins)
        self._count += len(right)

    def value(self) -> float:
        """The error of all samples so far."""
        return float(np.abs(self._excess).sum() / self._count)


def measure_of(evaluate: Callable[[Any], Any], calibrate: Calibration | None) -> Callable[[Any], Any]:
    """``evaluate``, or its method that also measures the calibrated loss.

    Raises
    ------
    TypeError
        ``evaluate`` cannot calibrate.
    ValueError
        ``calibrate`` names no calibration.
    """
    if calibrate is None:
        return evaluate
    if calibrate != "temperature":
        raise ValueError(f"calibrate is 'temperature' or None; got {calibrate!r}")
    calibrated: Callable[[Any], Any] | None = getattr(evaluate, "calibrated", None)
    if calibrated is None:
        raise TypeError(
            f"calibrate='temperature' needs logits, and evaluate, a {type(evaluate).__qualname__}, gives metrics only; "
            "pass rebasin_fast.evaluation.Evaluator(model, batches, calibration_batches=...), or an object with a "
            "method calibrated(params)"
        )
    return calibrated


def _derivatives(scores: Scores, classes: Classes, beta: float) -> tuple[float, float]:
    """First and second derivative of the mean cross-entropy by the inverse temperature."""
    slope = curvature = 0.0
    for start in range(0, len(scores), _CHUNK):
        rows, right = _centred(scores[start : start + _CHUNK]), classes[start : start + _CHUNK]
        shares = np.exp(beta * rows)
        shares /= shares.sum(axis=1, keepdims=True)
        mean = (shares * rows).sum(axis=1)
        slope += float((mean - rows[np.arange(len(right)), right]).sum())
        curvature += float((shares * (rows - mean[:, None]) ** 2).sum())
    return slope / len(scores), curvature / len(scores)


def _centred(scores: Scores) -> NDArray[np.float64]:
    """In float64, with a largest entry of 0 in each row."""
    wide: NDArray[np.float64] = np.asarray(scores, dtype=np.float64)
    centred: NDArray[np.float64] = wide - wide.max(axis=1, keepdims=True)
    return centred


def _spread(scores: Scores) -> float:
    """Root mean square over samples of the standard deviation within rows."""
    chunks = [scores[start : start + _CHUNK] for start in range(0, len(scores), _CHUNK)]
    return float(np.sqrt(sum(float(_centred(rows).var(axis=1).sum()) for rows in chunks) / len(scores)))


def _checked(scores: Scores, classes: Classes) -> tuple[Scores, Classes]:
    scores = _arguments.array("scores", scores, "an array (n, C) of numbers")
    classes = _arguments.array("classes", classes, "an array (n,) of integers")
    if scores.ndim != 2 or classes.shape != scores.shape[:1] or scores.size == 0:
        raise DataError(
            f"calibration takes scores (n, C) and classes (n,), n and C at least 1; got {scores.shape} and "
            f"{classes.shape}"
        )
    if not np.issubdtype(classes.dtype, np.integer):
        raise DataError(f"classes are integers; got {classes.dtype}")
    if classes.min() < 0 or classes.max() >= scores.shape[1]:
        raise DataError(
            f"classes are from 0 to {scores.shape[1] - 1}, as there are {scores.shape[1]} scores a row; got "
            f"{classes.min()} to {classes.max()}"
        )
    if not np.isfinite(scores).all():
        raise DataError("the scores hold NaN or infinite values, for which there is no best temperature")
    return scores, classes
