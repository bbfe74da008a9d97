"""Incremental learning with permutations: a network and its permuted self share the tasks (re-basin)."""

from rebasin_fast.continual.episode import Episode
from rebasin_fast.continual.learner import RebasinLearner

__all__ = ["Episode", "RebasinLearner"]
