"""One run of the core's descent: its policy of visiting, its steps in a checkpoint, its progress."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, fields
from time import perf_counter
from typing import TYPE_CHECKING

from rebasin_fast import _core
from rebasin_fast._native.blas import gemm_address
from rebasin_fast.matching.device.backend import DeviceBackend
from rebasin_fast.matching.device.problem import ResidentProblem
from rebasin_fast.matching.orders import most_sweeps, orders_of
from rebasin_fast.matching.result import Matching, MatchingStats, Progress, ProgressCallback
from rebasin_fast.matching.runs import is_default_seed
from rebasin_fast.matching.weight.options import PERTURBATIONS, Options

if TYPE_CHECKING:
    import numpy as np

    from rebasin_fast.matching.compilation import CompiledProblem
    from rebasin_fast.matching.weight.checkpoint import Checkpoint
    from rebasin_fast.typing import Index

# A step counts when it raises the float64 objective by more than this share of its magnitude.
TOLERANCE = 1e-9

# Small permutations come first and are slow for their size: no estimate before this share of the products.
_SHARE_BEFORE_ESTIMATE = 0.05

# MatchingStats' names of the core's statistics, where they differ.
_CORE_NAMES = {"shakes": "perturbations", "shakes_kept": "perturbations_kept"}


@dataclass(frozen=True)
class Descents:
    """The runs of one pair, counted from 1. They share the compiled problem, which they only read, and the start."""

    problem: CompiledProblem
    start: dict[str, Index]
    options: Options
    left_in_place: dict[str, str]
    progress: ProgressCallback | None
    bytes_to_keep: float
    checkpoint: Checkpoint | None

    def follows_plan(self, number: int) -> bool:
        """Whether a run takes the plan as it is; other runs of planned visits draw a seed."""
        return self.options.uses_planned_visits and number == 1 and is_default_seed(self.options.rng)

    def run(self, number: int, draws: np.random.Generator, stop: _core.StopFlag | None) -> Matching:
        """Run the core's descent once, where the problem's parameters lie; ``stop`` ends it."""
        problem, start = self.problem, self.start
        resident = problem if isinstance(problem, ResidentProblem) else None
        with nullcontext() if resident is None else resident.operations.running():
            found = _core.coordinate_descent(
                problem.native,
                [start[name] for name in problem.permutations],
                self._core_options(number, draws),
                double_products=problem.double_products,
                gemm=gemm_address("dgemm" if problem.double_products else "sgemm"),
                backend=None if resident is None else DeviceBackend(resident),
                stop=stop,
            )
        units = zip(problem.permutations, found.permutations, strict=True)
        return Matching(
            permutation=start | {name: index.reshape(start[name].shape) for name, index in units},
            objective=found.objective,
            first_objective=found.first_objective,
            history=found.history,
            sweeps=len(found.history),
            converged=found.converged,
            stats=_stats(found.stats),
            report=self.left_in_place,
            visiting=self.options.visiting if self.options.order is None else "order",
        )

    def _core_options(self, number: int, draws: np.random.Generator) -> _core.DescentOptions:
        options, core = self.options, _core.DescentOptions()
        if not options.uses_planned_visits:
            core.next_order = orders_of(options.order, self.problem.permutations, options.max_iter, draws)
        elif not self.follows_plan(number):
            core.seed = int(draws.integers(1, 2**63))
        core.most_sweeps = options.max_iter * (10 if options.effort == "high" else 1)
        core.first_pass = options.init is None
        core.perturbations = PERTURBATIONS[options.effort]
        core.perturb_only_if_underperformed = options.effort != "high"
        core.tolerance = TOLERANCE
        core.bytes_to_keep = self.bytes_to_keep
        core.on_visit = self._visit_listener(number)
        if self.checkpoint is not None:
            checkpoint = self.checkpoint
            core.recorded = [_core.DescentStep(*step) for step in checkpoint.recorded(number)]
            core.on_step = lambda step: checkpoint.add(
                number, (step.permutation, step.fixed_axes_score, step.family)
            )
        return core

    def _visit_listener(self, number: int) -> Callable[[_core.DescentEvent], None] | None:
        """Called by the core after every visit; None without ``progress``."""
        progress, options = self.progress, self.options
        if progress is None:
            return None
        names, sweeps = self.problem.permutations, most_sweeps(options.order, options.max_iter)
        started = perf_counter()

        def on_visit(event: _core.DescentEvent) -> None:
            done, ahead = event.flop_done, event.flop_ahead
            known = done > _SHARE_BEFORE_ESTIMATE * (done + ahead)
            left = ahead * (perf_counter() - started) / done if known else None
            progress(
                Progress(
                    event.sweep + 1, sweeps, event.visit, event.visits, names[event.permutation],
                    event.objective, number, options.restarts, left,
                )
            )  # fmt: skip

        return on_visit


def _stats(stats: _core.DescentStats) -> MatchingStats:
    names = {field.name: _CORE_NAMES.get(field.name, field.name) for field in fields(MatchingStats)}
    return MatchingStats(
        **{ours: getattr(stats, core) for ours, core in names.items() if hasattr(stats, core)}
    )
