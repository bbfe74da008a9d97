"""Incremental learning: streams of tasks, learners without permutations, accuracy and forgetting, table and picture."""
