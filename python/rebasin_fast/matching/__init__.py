"""Methods that find the permutation of one network onto another; one file each."""

from rebasin_fast.matching.activation import activation_matching
from rebasin_fast.matching.many import merge_many
from rebasin_fast.matching.many_result import ManyMatching
from rebasin_fast.matching.result import Matching, MatchingStats, Progress
from rebasin_fast.matching.weight import weight_matching

__all__ = [
    "ManyMatching",
    "Matching",
    "MatchingStats",
    "Progress",
    "activation_matching",
    "merge_many",
    "weight_matching",
]
