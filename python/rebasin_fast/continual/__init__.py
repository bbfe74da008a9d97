"""Incremental learning with permutations: a network and its permuted self share the tasks (re-basin)."""
