"""The Sinkhorn operator, for users' own training loops."""

from rebasin_fast.matching.trained.sinkhorn.operator import soft_permutations

__all__ = ["soft_permutations"]
