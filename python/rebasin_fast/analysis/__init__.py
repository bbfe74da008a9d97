"""Analyses of pairs and groups of networks: the measurements of the papers on linear mode connectivity."""

from rebasin_fast.analysis.curves.method import connect
from rebasin_fast.analysis.curves.result import ModeCurve
from rebasin_fast.analysis.plane.method import loss_plane
from rebasin_fast.analysis.plane.result import LossPlane

__all__ = ["LossPlane", "ModeCurve", "connect", "loss_plane"]
