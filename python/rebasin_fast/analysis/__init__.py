"""Analyses of pairs and groups of networks: the measurements of the papers on linear mode connectivity."""

from rebasin_fast.analysis.taylor import TaylorBarrier, taylor_barrier

__all__ = ["TaylorBarrier", "taylor_barrier"]
