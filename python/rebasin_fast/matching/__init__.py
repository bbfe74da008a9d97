"""Methods that find the permutation of one network onto another; a folder each."""

from rebasin_fast.matching.activation.method import activation_matching
from rebasin_fast.matching.many.method import merge_many
from rebasin_fast.matching.many.result import ManyMatching
from rebasin_fast.matching.relaxed.frank_wolfe import FrankWolfeMatching, frank_wolfe_matching
from rebasin_fast.matching.result import Matching, MatchingStats, Progress
from rebasin_fast.matching.symmetric.result import SymmetricMatching
from rebasin_fast.matching.trained.sinkhorn.method import SinkhornMatching, sinkhorn_matching
from rebasin_fast.matching.trained.sinkhorn.run import SinkhornOptions
from rebasin_fast.matching.trained.straight_through.method import straight_through_matching
from rebasin_fast.matching.trained.straight_through.options import StraightThroughOptions
from rebasin_fast.matching.trained.straight_through.result import (
    StraightThroughMatching,
    SymmetricStraightThroughMatching,
)
from rebasin_fast.matching.weight.method import weight_matching

__all__ = [
    "FrankWolfeMatching",
    "ManyMatching",
    "Matching",
    "MatchingStats",
    "Progress",
    "SinkhornMatching",
    "SinkhornOptions",
    "StraightThroughMatching",
    "StraightThroughOptions",
    "SymmetricMatching",
    "SymmetricStraightThroughMatching",
    "activation_matching",
    "frank_wolfe_matching",
    "merge_many",
    "sinkhorn_matching",
    "straight_through_matching",
    "weight_matching",
]
