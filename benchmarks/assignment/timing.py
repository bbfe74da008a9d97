"""Interleaved timing of assignment solvers on the same matrices, and the check of their totals."""

from __future__ import annotations

import math
import os
import select
import signal
import statistics
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assignment.rivals import Rival, pairs_of

Array = NDArray[Any]
TOLERANCE = 1e-9
clock = time.thread_time


def total_of(cost: Array, answer: object) -> tuple[float, float]:
    """Return the assignment's total, and the sum of magnitudes; (inf, 0) if it is no full assignment."""
    rows, columns = pairs_of(answer)
    count = min(cost.shape)
    if len(rows) != count or len(columns) != count or count == 0:
        return (math.inf, 0.0) if len(rows) or count else (0.0, 0.0)
    for indices, size in ((rows, cost.shape[0]), (columns, cost.shape[1])):
        if indices.min() < 0 or indices.max() >= size or len(np.unique(indices)) != count:
            return math.inf, 0.0
    chosen = cost[rows, columns].tolist()
    if cost.dtype.kind in "iu":
        return float(sum(chosen)), float(sum(map(abs, chosen)))
    return math.fsum(chosen), math.fsum(map(abs, chosen))


def surplus_of(cost: Array, answer: object, reference: object) -> float:
    """Return how much dearer `answer` is than `reference`, relative to the magnitude of the totals.

    Integers and floats that share an offset are compared without it: the difference is summed exactly.
    """
    total, magnitude = total_of(cost, answer)
    if math.isinf(total) or (magnitude == 0.0 and total != 0.0):
        return math.inf
    rows, columns = pairs_of(answer)
    other_rows, other_columns = pairs_of(reference)
    mine, other = cost[rows, columns].tolist(), cost[other_rows, other_columns].tolist()
    if cost.dtype.kind in "iu":
        difference = float(sum(mine) - sum(other))
    else:
        difference = math.fsum([*mine, *(-value for value in other)])
    if difference == 0.0:
        return 0.0
    spread = float(max(mine + other) - min(mine + other)) * len(mine)
    return difference / max(min(spread, magnitude), abs(difference) * 1e-6)


def survives(rival: Rival, cost: Array, seconds: float) -> bool:
    """Try the rival in a child process: some crash or never end on forbidden, huge or tied costs."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            rival.solve(cost)
            os.write(writing, b"1")
        finally:
            os._exit(0)
    os.close(writing)
    ready, _, _ = select.select([reading], [], [], seconds)
    answered = bool(ready) and bool(os.read(reading, 1))
    os.close(reading)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return answered


@dataclass
class Timing:
    """Medians in seconds by solver, over instances and repeats; who was wrong; who was left out, and why."""

    seconds: dict[str, float] = field(default_factory=dict)
    wrong: dict[str, float] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


@dataclass
class _Runner:
    rival: Rival
    loops: int = 1
    times: list[list[float]] = field(default_factory=list)
    spent: float = 0.0

    def run(self, costs: list[Array], k: int) -> object:
        answer: object = None
        solve, cost = self.rival.solve, costs[k]
        start = clock()
        for _ in range(self.loops):
            answer = solve(cost)
        seconds = clock() - start
        self.spent += seconds
        self.times[k].append(seconds / self.loops)
        return answer

    def median(self) -> float:
        return statistics.median(statistics.median(times) for times in self.times if times)


def compare(
    solvers: list[Rival],
    costs: list[Array],
    budget: float,
    keep: float = 2.5,
    always: tuple[str, ...] = ("rebasin_fast", "scipy", "old", "new"),
) -> Timing:
    """Time `solvers` on `costs`, interleaved, `budget` seconds each; the first solver is the reference.

    A first look takes every solver once or twice; those `keep` times slower than the best correct rival are
    timed no further. Each round begins with another solver, since the first one fetches the matrix for all.
    """
    timing = Timing()
    runners = [_Runner(rival, times=[[] for _ in costs]) for rival in solvers]
    reference: list[object] = [None] * len(costs)
    looked: list[_Runner] = []
    for runner in runners:
        name = runner.rival.name
        reason = runner.rival.refuses(costs[0])
        if not reason and runner.rival.may_hang and not survives(runner.rival, costs[0], 0.5 + 20 * budget):
            reason = "crashes or does not end"
        if reason:
            timing.left_out[name] = reason
            continue
        try:
            answer = _look(runner, costs)
        except Exception as error:
            timing.left_out[name] = f"{type(error).__name__}: {error}"[:100]
            continue
        if reference[0] is None:
            reference[0] = answer
        looked.append(runner)
        _judge(timing, name, costs[0], answer, reference[0])
    correct = [r for r in looked if r.rival.name not in timing.wrong and r.rival.name not in always]
    best = min((runner.median() for runner in correct), default=math.inf)
    staying = [r for r in looked if r.rival.name in always or r.median() <= keep * best]
    _rounds(timing, staying, costs, reference, budget)
    timing.seconds |= {runner.rival.name: runner.median() for runner in looked}
    return timing


def _look(runner: _Runner, costs: list[Array]) -> object:
    """Solve the first instance until a time is known that is not the first call's."""
    answer = runner.run(costs, 0)
    if runner.times[0][0] < 0.02:
        runner.times[0].clear()
        answer = runner.run(costs, 0)
        runner.loops = max(1, min(200, int(100e-6 / max(runner.times[0][0], 1e-7))))
    runner.spent = 0.0
    return answer


def _judge(timing: Timing, name: str, cost: Array, answer: object, reference: object) -> None:
    surplus = surplus_of(cost, answer, reference)
    if surplus > TOLERANCE:
        timing.wrong[name] = max(surplus, timing.wrong.get(name, 0.0))
    if surplus < -TOLERANCE:
        timing.wrong["rebasin_fast"] = max(-surplus, timing.wrong.get("rebasin_fast", 0.0))


def _rounds(
    timing: Timing, runners: list[_Runner], costs: list[Array], reference: list[object], budget: float
) -> None:
    for round_ in range(60 * len(costs)):
        k = round_ % len(costs)
        first = (round_ + round_ // len(costs)) % max(1, len(runners))
        answers: dict[str, object] = {}
        idle = True
        for runner in runners[first:] + runners[:first]:
            if runner.spent > budget and (round_ >= len(costs) or runner.spent > 4 * budget):
                continue
            idle = False
            try:
                answers[runner.rival.name] = runner.run(costs, k)
            except Exception as error:
                timing.left_out[runner.rival.name] = f"{type(error).__name__}: {error}"[:100]
                runner.spent = math.inf
        if idle:
            break
        if round_ < len(costs):
            reference[k] = answers.get(runners[0].rival.name, reference[k])
            for name, answer in answers.items():
                if reference[k] is not None:
                    _judge(timing, name, costs[k], answer, reference[k])
