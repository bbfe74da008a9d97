"""Sinkhorn re-basin: permutations learnt through doubly stochastic matrices."""
