"""Analyses of pairs and groups of networks: the measurements of the papers on linear mode connectivity."""

from rebasin_fast.analysis.curves.method import connect
from rebasin_fast.analysis.curves.result import ModeCurve

__all__ = ["ModeCurve", "connect"]
