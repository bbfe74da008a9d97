"""Interleaved timing of programs on the same inputs, and the check of their answers."""

from __future__ import annotations

import math
import os
import select
import signal
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

TOLERANCE = 1e-9
Clock = Callable[[], float]
Surplus = Callable[[Any, Any, Any], float]  # of a problem, an answer and the reference's answer


def medians(
    programs: dict[str, Callable[[], object]],
    rounds: int = 7,
    seconds: float = math.inf,
    clock: Clock = time.process_time,
) -> dict[str, float]:
    """Return each program's median time; rounds begin with another program each, until the seconds are spent.

    A first call of each is not counted: it imports what the program imports.
    """
    names = list(programs)
    times: dict[str, list[float]] = {name: [] for name in names}
    for program in programs.values():
        program()
    began = clock()
    for round_ in range(rounds):
        first = round_ % len(names)
        for name in names[first:] + names[:first]:
            started = clock()
            programs[name]()
            times[name].append(clock() - started)
        if clock() - began > seconds:
            break
    return {name: statistics.median(spent) for name, spent in times.items()}


@dataclass
class Timing:
    """Medians in seconds by program, over instances and repeats; wrong ones; those left out, and why."""

    seconds: dict[str, float] = field(default_factory=dict)
    wrong: dict[str, float] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Rules:
    """How `compare` measures.

    `budget` seconds for each program; one slower than `limit` is not repeated. After a first trial programs
    `keep` times slower than the best correct rival are timed no further, but for those in `always`. Programs
    that may hang are tried in a process of their own for `patience` seconds. `surplus` returns by how much an
    answer is worse than the reference's; None checks nothing.
    """

    budget: float
    surplus: Surplus | None = None
    keep: float = 2.5
    limit: float = math.inf
    patience: float | None = None
    clock: Clock = time.thread_time
    always: tuple[str, ...] = ("rebasin_fast", "scipy", "old", "new")


def fault(program: Any, problem: Any, seconds: float) -> str:
    """Try the program in a child process: some crash or never end on forbidden, huge or tied costs.

    Returns an empty string where it answers.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            program.solve(problem)
            os.write(writing, b"1")
        finally:
            os._exit(0)
    os.close(writing)
    ready, _, _ = select.select([reading], [], [], seconds)
    found = "does not end" if not ready else "" if os.read(reading, 1) else "crashes"
    os.close(reading)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return found


@dataclass
class _Runner:
    program: Any
    clock: Clock
    loops: int = 1
    times: list[list[float]] = field(default_factory=list)
    spent: float = 0.0

    def run(self, problems: list[Any], k: int) -> object:
        answer: object = None
        solve, problem = self.program.solve, problems[k]
        start = self.clock()
        for _ in range(self.loops):
            answer = solve(problem)
        seconds = self.clock() - start
        self.spent += seconds
        self.times[k].append(seconds / self.loops)
        return answer

    def median(self) -> float:
        return statistics.median(statistics.median(times) for times in self.times if times)


def compare(programs: list[Any], problems: list[Any], rules: Rules) -> Timing:
    """Time programs (see `assignment.rival.Rival`) on problems, interleaved; the first program is the reference.

    Each round begins with another program, since the first one fetches the problem for all.
    """
    timing = Timing()
    runners = [_Runner(program, rules.clock, times=[[] for _ in problems]) for program in programs]
    reference: list[object] = [None] * len(problems)
    tried: list[_Runner] = []
    patience = 0.5 + 20 * rules.budget if rules.patience is None else rules.patience
    for runner in runners:
        name = runner.program.name
        reason = runner.program.refuses(problems[0])
        if not reason and runner.program.may_hang:
            reason = fault(runner.program, problems[0], patience)
        if reason:
            timing.left_out[name] = reason
            continue
        try:
            answer = _try(runner, problems)
        except Exception as error:
            timing.left_out[name] = f"{type(error).__name__}: {error}"[:100]
            continue
        if reference[0] is None:
            reference[0] = answer
        tried.append(runner)
        _judge(timing, rules, name, problems[0], answer, reference[0])
    correct = [r for r in tried if r.program.name not in timing.wrong and r.program.name not in rules.always]
    best = min((runner.median() for runner in correct), default=math.inf)
    staying = [r for r in tried if r.program.name in rules.always or r.median() <= rules.keep * best]
    _rounds(timing, rules, staying, problems, reference)
    timing.seconds |= {runner.program.name: runner.median() for runner in tried}
    return timing


def _try(runner: _Runner, problems: list[Any]) -> object:
    """Solve the first instance until a time is known that is not the first call's."""
    answer = runner.run(problems, 0)
    if runner.times[0][0] < 0.02:
        runner.times[0].clear()
        answer = runner.run(problems, 0)
        runner.loops = max(1, min(200, int(100e-6 / max(runner.times[0][0], 1e-7))))
    runner.spent = 0.0
    return answer


def _judge(timing: Timing, rules: Rules, name: str, problem: Any, answer: object, reference: object) -> None:
    if rules.surplus is None:
        return
    surplus = rules.surplus(problem, answer, reference)
    if surplus > TOLERANCE:
        timing.wrong[name] = max(surplus, timing.wrong.get(name, 0.0))
    if surplus < -TOLERANCE:
        timing.wrong["rebasin_fast"] = max(-surplus, timing.wrong.get("rebasin_fast", 0.0))


def _rounds(
    timing: Timing, rules: Rules, runners: list[_Runner], problems: list[Any], reference: list[object]
) -> None:
    for round_ in range(60 * len(problems)):
        k = round_ % len(problems)
        first = (round_ + round_ // len(problems)) % max(1, len(runners))
        answers: dict[str, object] = {}
        for runner in runners[first:] + runners[:first]:
            over = runner.spent > rules.budget or runner.median() > rules.limit
            if over and (round_ >= len(problems) or runner.spent > 4 * rules.budget):
                continue
            try:
                answers[runner.program.name] = runner.run(problems, k)
            except Exception as error:
                timing.left_out[runner.program.name] = f"{type(error).__name__}: {error}"[:100]
                answers[runner.program.name] = None
                runner.spent = math.inf
        if not answers:
            break
        if round_ < len(problems):
            reference[k] = answers.get(runners[0].program.name, reference[k])
            for name, answer in answers.items():
                if reference[k] is not None and answer is not None:
                    _judge(timing, rules, name, problems[k], answer, reference[k])
