"""By how much permutations can change the objective of resident parameters."""

from __future__ import annotations

from math import sqrt
from typing import Any

from rebasin_fast._arrays.operations import Operations
from rebasin_fast.matching.device.problem import ResidentProblem, Tensor


def spread_of_objective(problem: ResidentProblem, ops: Operations) -> float:
    """The sum over tensors of |A - mean A| |B - mean B|, each mean over the entries that permutations exchange.

    What the core's ``spread_of_objective`` is: by Cauchy and Schwarz no permutation moves the objective further from
    its mean over all permutations. Two copies of the largest tensor in float64.
    """
    spread = 0.0
    for tensor in problem.tensors:
        squares = []
        for array in (tensor.a, tensor.b):
            difference = _about_means(tensor, ops.widen(array, "float64"), ops)
            squares.append(ops.dots([(difference, difference)])[0])
        spread += sqrt(squares[0]) * sqrt(squares[1])
    return spread


def _about_means(tensor: Tensor, array: Any, ops: Operations) -> Any:
    means = array
    for move in tensor.moves:
        copies = move.positions.shape[-1]
        if copies:
            means = ops.averaged(means, move.axis, move.positions.reshape(-1, copies))
    return array - means
