"""Analyses of pairs and groups of networks: the measurements of the papers on linear mode connectivity."""

from rebasin_fast.analysis.agreement import Agreement, permutation_agreement
from rebasin_fast.analysis.mutual import MutualBarriers, mutual_barriers
from rebasin_fast.analysis.taylor import TaylorBarrier, taylor_barrier

__all__ = [
    "Agreement",
    "MutualBarriers",
    "TaylorBarrier",
    "mutual_barriers",
    "permutation_agreement",
    "taylor_barrier",
]
