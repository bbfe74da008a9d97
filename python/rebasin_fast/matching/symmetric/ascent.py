"""Sweeps over all permutations of a problem, from anchored arrays first, until the objective stops rising."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from rebasin_fast.matching.result import MatchingStats, Progress, ProgressCallback
from rebasin_fast.matching.symmetric.evidence import settling_order
from rebasin_fast.matching.symmetric.similarity import Similarities
from rebasin_fast.matching.symmetric.state import State
from rebasin_fast.matching.symmetric.steps import best_move

if TYPE_CHECKING:
    from rebasin_fast.matching.symmetric.problem import Family, SymmetricProblem
    from rebasin_fast.matching.symmetric.similarity import Counts
    from rebasin_fast.matching.symmetric.steps import Move

# A step counts when it raises the objective by more than this share of |A| |B|, summed over arrays: more than the
# rounding of its products.
TOLERANCES = {np.dtype(np.float64): 1e-13, np.dtype(np.float32): 1e-8}


class Ascent:
    """One run: where it stands (at the identity unless ``state`` says otherwise), and its account."""

    def __init__(
        self,
        problem: SymmetricProblem,
        progress: ProgressCallback | None = None,
        *,
        state: State | None = None,
        most_sweeps: int = 100,
        run: int = 1,
        runs: int = 1,
    ) -> None:
        self.problem = problem
        self.state = state or State(problem)
        self.first_objective = self.state.objective
        self.history: list[float] = []
        self.converged = False
        self._counts: Counter[str] = Counter()
        self._seconds: dict[str, float] = dict.fromkeys(("product", "assignment", "objective"), 0.0)
        self._flop = 0.0
        self._least = TOLERANCES[problem.dtype] * problem.bound
        self._pending = set(problem.families)
        self._notify = _Notifier(progress, most_sweeps, run, runs)

    def settle(self) -> list[str]:
        """Match every permutation once, on the arrays whose other permutations are matched; their order.

        A pass that ends below the start is discarded.
        """
        order = []
        steps = settling_order(self.problem)
        for visit, (name, arrays) in enumerate(steps, 1):
            family = self.problem.families[name]
            self.state.take(family, self._best_move(family, arrays.__contains__))
            order += [name, *family.inner]
            self._notify(name, 1, visit, len(steps), self.state.objective)
        if self.state.objective < self.first_objective:
            self.state = State(self.problem)
        return order

    def climb(self, orders: Callable[[int], list[str] | None]) -> None:
        """Sweeps of visits in the orders given, until one changes nothing or there are no more."""
        while (order := orders(len(self.history))) is not None:
            raised = False
            for visit, name in enumerate(order, 1):
                raised |= self._visit(self.problem.families[name])
                self._notify(name, len(self.history) + 1, visit, len(order), self.state.objective)
            self.history.append(self.state.objective)
            if not raised:
                self.converged = True
                return

    def course(self) -> dict[str, Any]:
        """The fields of a result that say how the objective rose."""
        return {
            "objective": self.state.objective,
            "first_objective": self.first_objective,
            "history": self.history,
            "sweeps": len(self.history),
            "converged": self.converged,
        }

    def stats(self) -> MatchingStats:
        """The work so far."""
        return MatchingStats(
            **self._counts,
            product_flop=self._flop,
            product_seconds=self._seconds["product"],
            assignment_seconds=self._seconds["assignment"],
            objective_seconds=self._seconds["objective"],
        )

    def _visit(self, family: Family) -> bool:
        """One step, unless nothing beside the permutation has moved since the last; whether it was taken."""
        self._counts["visits"] += 1
        if family.name not in self._pending:
            self._counts["skipped_visits"] += 1
            return False
        move = self._best_move(family)
        self._pending.discard(family.name)
        started = perf_counter()
        if family.is_quadratic:
            taken = self.state.attempt(family, move, self._least)
        else:
            taken = move.gain > self._least
            if taken:
                self.state.take(family, move)
        self._seconds["objective"] += perf_counter() - started
        if taken:
            self._counts["accepted_steps"] += 1
            for name in (family.name, *family.inner):
                self._pending |= set().union(*self.problem.families[name].arrays.values())
            if family.is_quadratic:
                self._pending.add(family.name)
        return taken

    def _best_move(self, family: Family, counts: Counts = lambda _array: True) -> Move:
        started = perf_counter()
        similarities = Similarities(self.problem, self.state.b, counts)
        move = best_move(self.problem, family, similarities)
        self._seconds["product"] += similarities.seconds
        self._seconds["assignment"] += perf_counter() - started - similarities.seconds
        self._flop += similarities.flop
        self._counts["assignments"] += 0 if move.order is None else len(move.order)
        return move


class _Notifier:
    """Calls ``progress``, if there is one, after every visit of a run."""

    def __init__(self, progress: ProgressCallback | None, most_sweeps: int, run: int, runs: int) -> None:
        self._progress, self._most_sweeps, self._run = progress, most_sweeps, (run, runs)

    def __call__(self, name: str, sweep: int, visit: int, visits: int, objective: float) -> None:
        if self._progress is not None:
            self._progress(Progress(sweep, self._most_sweeps, visit, visits, name, objective, *self._run))
