"""Sinkhorn's operator, for loops of the user's own."""

from rebasin_fast.matching.trained.sinkhorn.operator import soft_permutations

__all__ = ["soft_permutations"]
