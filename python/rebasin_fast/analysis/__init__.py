"""Analyses of pairs and groups of networks: the measurements of the papers on linear mode connectivity."""

from rebasin_fast.analysis.agreement import Agreement, permutation_agreement
from rebasin_fast.analysis.curves.method import connect
from rebasin_fast.analysis.curves.result import ModeCurve
from rebasin_fast.analysis.distance import DistanceReduction, distance_reduction
from rebasin_fast.analysis.inputs import InputAlignment, input_alignment
from rebasin_fast.analysis.mutual import MutualBarriers, mutual_barriers
from rebasin_fast.analysis.plane.method import loss_plane
from rebasin_fast.analysis.plane.result import LossPlane
from rebasin_fast.analysis.simplex import LossSimplex, loss_simplex
from rebasin_fast.analysis.singular import SingularAlignment, singular_alignment
from rebasin_fast.analysis.taylor import TaylorBarrier, taylor_barrier

__all__ = [
    "Agreement",
    "DistanceReduction",
    "InputAlignment",
    "LossPlane",
    "LossSimplex",
    "ModeCurve",
    "MutualBarriers",
    "SingularAlignment",
    "TaylorBarrier",
    "connect",
    "distance_reduction",
    "input_alignment",
    "loss_plane",
    "loss_simplex",
    "mutual_barriers",
    "permutation_agreement",
    "singular_alignment",
    "taylor_barrier",
]
