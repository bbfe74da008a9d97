"""Match, align and merge neural networks by permuting their hidden units, exactly and fast."""

from rebasin_fast.assignment import Assignment, linear_sum_assignment, solve_assignment

__all__ = ["Assignment", "linear_sum_assignment", "solve_assignment"]
