"""One run of the native descent: its order of visits, its steps in a checkpoint, its progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Literal

from rebasin_fast import _core
from rebasin_fast._native.blas import gemm_address
from rebasin_fast.matching.compilation import CompiledProblem
from rebasin_fast.matching.pair import CheckedPair
from rebasin_fast.matching.result import Matching, MatchingStats, Progress, ProgressCallback
from rebasin_fast.matching.weight.checkpoint import Checkpoint, Step
from rebasin_fast.typing import Index

# A step counts when it raises the float64 objective by more than this share of its magnitude.
TOLERANCE = 1e-9

# Small permutations come first and are slow for their size: no time is foretold before this share of the products.
_SHARE_BEFORE_ESTIMATE = 0.05


Effort = Literal["low", "normal", "high"]

# How often a run that found its own way is shaken out of where it came to rest. One shake mends what the published
# loop is ahead on trained perceptrons, ten bring them to what Frank-Wolfe reaches.
_SHAKES: dict[Effort, int] = {"low": 0, "normal": 1, "high": 10}
EFFORTS = tuple(_SHAKES)


@dataclass(frozen=True)
class Way:
    """Which permutations a run visits: ``next_order(sweep)``, or its own way for at most ``most_sweeps``.

    ``seed`` tells one run on its own way from another; 0 is the plan as it is.
    """

    next_order: Callable[[int], list[int] | None] | None
    most_sweeps: int
    first_pass: bool
    effort: Effort
    seed: int = 0
    visiting: str = "auto"


@dataclass(frozen=True)
class Steps:
    """The steps of one run in the checkpoint, if there is one."""

    checkpoint: Checkpoint | None
    run: int

    def recorded(self) -> list[Step]:
        """What an earlier process took."""
        return [] if self.checkpoint is None else self.checkpoint.recorded(self.run)

    def listener(self) -> Callable[[int, float, list[Index]], None] | None:
        """What the core calls with every new step."""
        checkpoint = self.checkpoint
        if checkpoint is None:
            return None
        return lambda permutation, score, family: checkpoint.add(self.run, (permutation, score, family))


def descend(
    problem: CompiledProblem,
    start: dict[str, Index],
    way: Way,
    bytes_to_keep: float,
    pair: CheckedPair,
    on_visit: Any,
    steps: Steps,
    stop: _core.StopFlag | None = None,
) -> Matching:
    """Run the native descent once, from ``start``; ``stop`` ends it from another thread."""
    found = _core.coordinate_descent(
        problem.native,
        double_products=problem.double_products,
        gemm=gemm_address("dgemm" if problem.double_products else "sgemm"),
        start=[start[name] for name in problem.permutations],
        next_order=way.next_order,
        most_sweeps=way.most_sweeps,
        first_pass=way.first_pass,
        shakes=_SHAKES[way.effort],
        shakes_where_astray=way.effort != "high",
        seed=way.seed,
        stop=stop,
        tolerance=TOLERANCE,
        overwrite=False,
        bytes_to_keep=bytes_to_keep,
        on_visit=on_visit,
        recorded=steps.recorded(),
        on_step=steps.listener(),
    )
    return Matching(
        permutation=start
        | {
            name: units.reshape(start[name].shape)
            for name, units in zip(problem.permutations, found["permutations"], strict=True)
        },
        objective=found["objective"],
        first_objective=found["first_objective"],
        history=found["history"],
        sweeps=len(found["history"]),
        converged=found["converged"],
        stats=MatchingStats(**found["stats"]),
        report=pair.left_in_place,
        visiting=way.visiting,
    )


def visit_listener(
    progress: ProgressCallback | None,
    problem: CompiledProblem,
    max_sweeps: int,
    run: int,
    restarts: int,
) -> Any:
    """What the core calls after every visit, or None where nobody listens."""
    if progress is None:
        return None

    started = perf_counter()

    def on_visit(
        sweep: int, visit: int, visits: int, permutation: int, objective: float, done: float, ahead: float
    ) -> None:
        name = problem.permutations[permutation]
        told = done > _SHARE_BEFORE_ESTIMATE * (done + ahead)
        left = ahead * (perf_counter() - started) / done if told else None
        progress(Progress(sweep + 1, max_sweeps, visit, visits, name, objective, run, restarts, left))

    return on_visit
