"""Coordinate descent over resident parameters: what the core's descent does, with every array on the device."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from time import perf_counter
from typing import Any

import numpy as np

from rebasin_fast._arrays.operations import Operations
from rebasin_fast.matching.device.assigners import Assigner
from rebasin_fast.matching.device.graph import Graph
from rebasin_fast.matching.device.problem import ResidentProblem
from rebasin_fast.matching.device.similarity import Similarity
from rebasin_fast.matching.device.spread import spread_of_objective
from rebasin_fast.matching.device.steps import Permutations, Steps
from rebasin_fast.matching.device.tables import TableMaker, Tables
from rebasin_fast.matching.result import MatchingStats

# (sweep from 0, visit from 1, visits of the sweep, permutation, objective)
Listener = Callable[[int, int, int, str, float], None]


def _stats(work: dict[str, Any]) -> MatchingStats:
    """Statistics in which what is not counted on a device is zero."""
    return MatchingStats(**{one.name: work.get(one.name, 0) for one in fields(MatchingStats)})


@dataclass
class Descended:
    """Where a descent ended; ``permutations`` have the shape (*parents' sizes, n)."""

    permutations: Permutations
    objective: float = 0.0
    first_objective: float = 0.0
    history: list[float] = field(default_factory=list)
    converged: bool = False
    stats: MatchingStats = field(default_factory=lambda: _stats({}))


class ResidentDescent:
    """One descent; ``run`` once.

    Visits follow ``orders`` as the core's do. Visits in a row of permutations that stand alone and do not see each
    other are solved together: none of them changes what another finds.
    """

    def __init__(
        self,
        problem: ResidentProblem,
        ops: Operations,
        assigner: Assigner,
        start: Permutations,
        *,
        tolerance: float,
        bytes_to_keep: float = float("inf"),
        on_visit: Listener | None = None,
    ) -> None:
        self._problem = problem
        self._ops = ops
        self._graph = Graph(problem)
        self._similarity = Similarity(problem, ops)
        self._steps = Steps(problem, self._graph, self._similarity, ops, assigner, bytes_to_keep)
        self._current = {name: np.array(start[name], np.int64) for name in problem.permutations}
        self._tolerance = tolerance
        self._spread: float | None = None  # measured where a step depends on it
        self._on_visit = on_visit
        self._pending = set(problem.permutations)
        self._seconds = {"product": 0.0, "assignment": 0.0, "objective": 0.0}
        self._counts = {"visits": 0, "skipped": 0, "accepted": 0}
        self._maker = TableMaker(problem)
        self._tables = [self._maker.tables_of(t, self._current) for t in range(len(problem.tensors))]

    def run(self, orders: Iterable[list[str]]) -> Descended:
        """Descend by ``orders``, one list a sweep, until a sweep accepts nothing."""
        with self._ops.running():
            with self._timed("objective"):
                numbers = list(range(len(self._problem.tensors)))
                self._parts = self._similarity.objectives(numbers, self._tables)
            self._objective = sum(self._parts)
            result = Descended(self._current, first_objective=self._objective)
            for sweep, order in enumerate(orders):
                accepted = self._counts["accepted"]
                self._sweep(sweep, order)
                result.history.append(self._objective)
                result.converged = self._counts["accepted"] == accepted
                if result.converged:
                    break
        result.objective = self._objective
        result.stats = self._statistics()
        return result

    def _sweep(self, sweep: int, order: list[str]) -> None:
        visit = 0
        while visit < len(order):
            group = self._independent(order[visit:])
            proposals = self._propose_together(group)
            for name in group:
                visit += 1
                self._counts["visits"] += 1
                if name in proposals:
                    # Cleared before the step: one that is its own neighbour is pending again once it has moved.
                    self._pending.discard(name)
                    self._take_if_better(name, proposals[name])
                else:
                    self._counts["skipped"] += 1
                if self._on_visit is not None:
                    self._on_visit(sweep, visit, len(order), name, self._objective)

    def _independent(self, names: list[str]) -> list[str]:
        """The longest beginning of ``names`` that can be solved together; at least one."""
        group = names[:1]
        if names[0] not in self._graph.alone:
            return group
        for name in names[1:]:
            apart = name in self._graph.alone and name not in group
            if not apart or self._graph.neighbours[name].intersection(group):
                break
            group.append(name)
        return group

    def _propose_together(self, group: list[str]) -> dict[str, Permutations]:
        pending = [name for name in group if name in self._pending]
        if not pending:
            return {}
        if pending[0] not in self._graph.alone:
            with self._timed("assignment"):
                return {pending[0]: self._steps.propose(pending[0], self._current, self._tables)}
        with self._timed("product"):
            matrices = [self._steps.refreshed(name, self._tables) for name in pending]
        with self._timed("assignment"):
            found = self._steps.assign_alone(pending, matrices)
        return {name: {name: columns} for name, columns in zip(pending, found, strict=True)}

    def _take_if_better(self, name: str, proposal: Permutations) -> None:
        if all(np.array_equal(self._current[member], index) for member, index in proposal.items()):
            return
        with self._timed("objective"):
            touched = self._graph.tensors[name]
            stepped = self._current | proposal
            moved: dict[int, Tables] = {t: self._maker.tables_of(t, stepped) for t in touched}
            tables = [moved.get(t, table) for t, table in enumerate(self._tables)]
            measured = self._similarity.objectives(touched, tables)
            gain = 0.0
            for t, part in zip(touched, measured, strict=True):
                gain += part - self._parts[t]
            if not self._is_better(gain):
                return
            self._current.update(proposal)
            self._tables = tables
            for t, part in zip(touched, measured, strict=True):
                self._parts[t] = part
            self._objective = sum(self._parts)
        self._counts["accepted"] += 1
        self._pending |= self._graph.neighbours[name]

    def _is_better(self, gain: float) -> bool:
        """As the core's engine: constants in the objective hold no step back."""
        if gain > self._tolerance * abs(self._objective):
            return True
        if not gain > 0.0:
            return False
        if self._spread is None:
            self._spread = spread_of_objective(self._problem, self._ops)
        return gain > self._tolerance * self._spread

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        """Wall time by stage; what the device still has queued counts for the stage that waits for it."""
        began = perf_counter()
        try:
            yield
        finally:
            self._seconds[what] += perf_counter() - began

    def _statistics(self) -> MatchingStats:
        work = {
            "visits": self._counts["visits"],
            "skipped_visits": self._counts["skipped"],
            "assignments": self._steps.assignments,
            "accepted_steps": self._counts["accepted"],
            "product_flop": self._similarity.flop,
            "product_seconds": self._seconds["product"],
            "assignment_seconds": self._seconds["assignment"],
            "objective_seconds": self._seconds["objective"],
        }
        return _stats(work)
