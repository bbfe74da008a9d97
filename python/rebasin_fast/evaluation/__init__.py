"""Models measured: losses along a line, accuracies, statistics measured again, REPAIR."""

from rebasin_fast.evaluation.calibration import expected_calibration_error, fit_temperature
from rebasin_fast.evaluation.evaluator import Evaluator
from rebasin_fast.evaluation.loading import load_into

__all__ = ["Evaluator", "expected_calibration_error", "fit_temperature", "load_into"]
