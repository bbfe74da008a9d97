"""Analyses of pairs and groups of networks: the measurements of the papers on linear mode connectivity."""

from rebasin_fast.analysis.simplex import LossSimplex, loss_simplex

__all__ = ["LossSimplex", "loss_simplex"]
