"""The linear assignment problem: SciPy's function, and a richer one with duals and a proof of optimality."""

from rebasin_fast.assignment.bottleneck import BottleneckAssignment, bottleneck_assignment
from rebasin_fast.assignment.k_best import KBestAssignments, RankedAssignment, k_best_assignments
from rebasin_fast.assignment.result import Assignment, AssignmentBatch
from rebasin_fast.assignment.solve import linear_sum_assignment, solve_assignment

__all__ = [
    "Assignment",
    "AssignmentBatch",
    "BottleneckAssignment",
    "KBestAssignments",
    "RankedAssignment",
    "bottleneck_assignment",
    "k_best_assignments",
    "linear_sum_assignment",
    "solve_assignment",
]
