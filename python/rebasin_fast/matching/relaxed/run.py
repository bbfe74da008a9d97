"""One ascent of the relaxed problem, from a start to the permutation that it is rounded to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rebasin_fast.matching.relaxed.ascent import ascend, move
from rebasin_fast.matching.relaxed.linear_minimizer import LinearMinimizer
from rebasin_fast.matching.result import Progress, ProgressCallback
from rebasin_fast.permutation import random_permutation

if TYPE_CHECKING:
    from rebasin_fast.matching.relaxed.problem import RelaxedProblem
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Index

# A random start is the mean of the barycentre and of this many random permutations.
_RANDOM_PERMUTATIONS = 8


class AscentRun:
    """``history`` holds the relaxed objective at the start and after each of ``steps``, which are sizes in (0, 1]."""

    def __init__(
        self, spec: PermutationSpec, problem: RelaxedProblem, start: str, rng: np.random.Generator
    ) -> None:
        self._problem = problem
        self._flop_before = problem.product_flop
        self._minimizer = LinearMinimizer(spec, problem.chains, problem.sizes)
        self._soft = problem.barycentre()
        if start == "identity":
            self._soft = {chain: np.eye(len(m), dtype=m.dtype) for chain, m in self._soft.items()}
        if start == "random":
            for drawn in range(_RANDOM_PERMUTATIONS):
                # Steps of 1/(k+2) leave every permutation, and the barycentre, the same share.
                permutation = random_permutation(spec, problem.sizes, rng)
                move(self._soft, problem.units(permutation), 1.0 / (drawn + 2))
        self.history: list[float] = []
        self.steps: list[float] = []

    @property
    def product_flop(self) -> float:
        """Floating-point operations of the products so far."""
        return self._problem.product_flop - self._flop_before

    @property
    def assignments(self) -> int:
        """Assignments solved so far."""
        return self._minimizer.assignments

    def climb(
        self, max_iter: int, tolerance: float, constant: float, progress: ProgressCallback | None
    ) -> None:
        """Steps until none can gain more than ``tolerance`` of the value, or of that above ``constant`` if it is less.

        The terms that are the same for all permutations give no measure.
        """
        problem = self._problem
        for step, value in ascend(
            problem,
            self._soft,
            lambda tables: problem.units(self._minimizer.best(tables)),
            max_iter,
            lambda value: tolerance * min(abs(value), abs(value - constant)),
        ):
            self.history.append(value)
            if len(self.history) == 1:
                continue
            self.steps.append(step)
            if progress is not None:
                progress(Progress(len(self.steps), max_iter, 1, 1, "", value))

    def rounded(self) -> dict[str, Index]:
        """The permutation nearest to the matrices, without those that the relaxation does not move."""
        return self._minimizer.best(self._soft)
