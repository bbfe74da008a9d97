"""Analyses of pairs and groups of networks: the measurements of the papers on linear mode connectivity."""

from rebasin_fast.analysis.distance import DistanceReduction, distance_reduction
from rebasin_fast.analysis.inputs import InputAlignment, input_alignment
from rebasin_fast.analysis.singular import SingularAlignment, singular_alignment

__all__ = [
    "DistanceReduction",
    "InputAlignment",
    "SingularAlignment",
    "distance_reduction",
    "input_alignment",
    "singular_alignment",
]
