"""Models measured: losses along a line, accuracies, statistics measured again, REPAIR."""

from rebasin_fast.evaluation.evaluator import Evaluator, load_into

__all__ = ["Evaluator", "load_into"]
