"""One run of the core's descent: its policy of visiting, its steps in a checkpoint, its progress."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, fields
from time import perf_counter
from typing import Literal

from rebasin_fast import _core
from rebasin_fast._native.blas import gemm_address
from rebasin_fast.matching.compilation import CompiledProblem
from rebasin_fast.matching.device.backend import DeviceBackend
from rebasin_fast.matching.device.problem import ResidentProblem
from rebasin_fast.matching.pair import CheckedPair
from rebasin_fast.matching.result import Matching, MatchingStats, Progress, ProgressCallback
from rebasin_fast.matching.weight.checkpoint import Checkpoint
from rebasin_fast.typing import Index

# A step counts when it raises the float64 objective by more than this share of its magnitude.
TOLERANCE = 1e-9

# Small permutations come first and are slow for their size: no estimate before this share of the products.
_SHARE_BEFORE_ESTIMATE = 0.05

VisitListener = Callable[[_core.DescentEvent], None]
Effort = Literal["low", "normal", "high"]

# Perturbations of an iterated local search after planned visits. On trained perceptrons one closes the gap between the
# queue of a first pass that underperformed and the published loop; ten reach the objective of Frank-Wolfe.
_PERTURBATIONS: dict[Effort, int] = {"low": 0, "normal": 1, "high": 10}
EFFORTS = tuple(_PERTURBATIONS)

# MatchingStats' names of the core's statistics, where they differ.
_CORE_NAMES = {"shakes": "perturbations", "shakes_kept": "perturbations_kept"}


@dataclass(frozen=True)
class VisitPolicy:
    """Which permutations a run visits: ``next_order(sweep)``, or planned visits of at most ``most_sweeps``.

    ``seed`` tells one run of planned visits from another; 0 is the plan as it is.
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

    def recorded(self) -> list[_core.DescentStep]:
        """The steps of an earlier process."""
        recorded = [] if self.checkpoint is None else self.checkpoint.recorded(self.run)
        return [_core.DescentStep(*step) for step in recorded]

    def listener(self) -> Callable[[_core.DescentStep], None] | None:
        """Called by the core with every new step."""
        checkpoint = self.checkpoint
        if checkpoint is None:
            return None
        return lambda step: checkpoint.add(self.run, (step.permutation, step.fixed_axes_score, step.family))


def descend(
    problem: CompiledProblem,
    start: dict[str, Index],
    policy: VisitPolicy,
    bytes_to_keep: float,
    pair: CheckedPair,
    on_visit: VisitListener | None,
    steps: Steps,
    stop: _core.StopFlag | None = None,
) -> Matching:
    """Run the core's descent once, from ``start``, where the problem's parameters lie; ``stop`` ends it."""
    options = _core.DescentOptions()
    options.next_order = policy.next_order
    options.most_sweeps = policy.most_sweeps
    options.first_pass = policy.first_pass
    options.perturbations = _PERTURBATIONS[policy.effort]
    options.perturb_only_if_underperformed = policy.effort != "high"
    options.seed = policy.seed
    options.tolerance = TOLERANCE
    options.bytes_to_keep = bytes_to_keep
    options.on_visit = on_visit
    options.recorded = steps.recorded()
    options.on_step = steps.listener()
    resident = problem if isinstance(problem, ResidentProblem) else None
    with nullcontext() if resident is None else resident.operations.running():
        found = _core.coordinate_descent(
            problem.native,
            [start[name] for name in problem.permutations],
            options,
            double_products=problem.double_products,
            gemm=gemm_address("dgemm" if problem.double_products else "sgemm"),
            backend=None if resident is None else DeviceBackend(resident),
            stop=stop,
        )
    return Matching(
        permutation=start
        | {
            name: units.reshape(start[name].shape)
            for name, units in zip(problem.permutations, found.permutations, strict=True)
        },
        objective=found.objective,
        first_objective=found.first_objective,
        history=found.history,
        sweeps=len(found.history),
        converged=found.converged,
        stats=_stats(found.stats),
        report=pair.left_in_place,
        visiting=policy.visiting,
    )


def _stats(stats: _core.DescentStats) -> MatchingStats:
    names = {field.name: _CORE_NAMES.get(field.name, field.name) for field in fields(MatchingStats)}
    return MatchingStats(
        **{ours: getattr(stats, core) for ours, core in names.items() if hasattr(stats, core)}
    )


def visit_listener(
    progress: ProgressCallback | None,
    problem: CompiledProblem,
    max_sweeps: int,
    run: int,
    restarts: int,
) -> VisitListener | None:
    """Called by the core after every visit; None without ``progress``."""
    if progress is None:
        return None

    started = perf_counter()

    def on_visit(event: _core.DescentEvent) -> None:
        done, ahead = event.flop_done, event.flop_ahead
        known = done > _SHARE_BEFORE_ESTIMATE * (done + ahead)
        left = ahead * (perf_counter() - started) / done if known else None
        progress(
            Progress(
                event.sweep + 1, max_sweeps, event.visit, event.visits, problem.permutations[event.permutation],
                event.objective, run, restarts, left,
            )
        )  # fmt: skip

    return on_visit
