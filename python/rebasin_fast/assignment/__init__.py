"""The linear assignment problem: SciPy's function, and a richer one with duals and a proof of optimality."""

from rebasin_fast.assignment.result import Assignment
from rebasin_fast.assignment.solve import linear_sum_assignment, solve_assignment

__all__ = ["Assignment", "linear_sum_assignment", "solve_assignment"]
