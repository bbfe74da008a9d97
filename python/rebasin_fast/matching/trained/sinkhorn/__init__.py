"""Sinkhorn re-basin: permutations trained through doubly stochastic matrices."""
