"""Weight matching once its arguments are checked: the runs of one pair, and lists of models."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from rebasin_fast import _core
from rebasin_fast._native.blas import blas_threads
from rebasin_fast.errors import ParamsError
from rebasin_fast.matching.compilation import CompiledProblem, compile_problem, refuse_all_nonfinite
from rebasin_fast.matching.device.on_device import compile_on_device, device_for, device_memory_explained
from rebasin_fast.matching.orders import Order, most_sweeps, orders_of
from rebasin_fast.matching.pair import CheckedPair, check_pair, start_of
from rebasin_fast.matching.result import Matching, ProgressCallback
from rebasin_fast.matching.runs import Call, best_of, generators, is_default_seed, one_at_a_time, run_all
from rebasin_fast.matching.state_file import key_of
from rebasin_fast.matching.weight.checkpoint import Checkpoint, open_checkpoint
from rebasin_fast.matching.weight.descent import (
    Effort,
    Steps,
    VisitPolicy,
    descend,
    visit_listener,
)

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Index, Params, Permutation, Rng

# Most bytes of similarities by default, the one at work and those kept between visits: ResNet-50 needs 32 MB, VGG-16
# with a classifier of 4096 units 141 MB; of a perceptron of 16 layers of 8192 units three are kept beside the fourth.
_SIMILARITIES_BY_DEFAULT = 1 << 30
_SIMILARITIES_ON_DEVICE = 4 << 30


@dataclass(frozen=True)
class Options:
    """The options of ``weight_matching`` that all its pairs share."""

    rng: Rng
    max_iter: int
    init: Permutation | None
    order: Order | None
    visiting: str
    effort: Effort
    restarts: int
    strict: bool
    threads: int | None
    memory_limit: int | None
    device: str | None
    products: str

    def decisive(self) -> dict[str, Any]:
        """Those that decide which steps are taken, beside the start."""
        names = ("rng", "max_iter", "order", "visiting", "effort", "restarts")
        narrow = {} if self.products == "float32" else {"products": self.products}
        return {name: getattr(self, name) for name in names} | narrow


def match_list(
    spec: PermutationSpec,
    params_a: Params,
    models: Sequence[Params],
    options: Options,
    generator: np.random.Generator,
    progress: ProgressCallback | None,
) -> list[Matching]:
    """A to each of the models; on ``threads`` threads, as many pairs at a time, with one BLAS thread each."""
    on_cpu = device_for(options.device, params_a) is None
    at_once = min(options.threads or 1, len(models)) if on_cpu else 1
    if at_once > 1:
        memory = None if options.memory_limit is None else options.memory_limit // at_once
        options = replace(options, threads=None, memory_limit=memory)
        progress = one_at_a_time(progress)

    def one(params_b: Params, draws: np.random.Generator) -> Call[Matching]:
        return lambda stop: match_pair(spec, params_a, params_b, options, draws, progress, stop=stop)

    draws = generators(generator, len(models))
    with blas_threads(1 if at_once > 1 else None):
        return run_all([one(*each) for each in zip(models, draws, strict=True)], at_once)


def match_pair(
    spec: PermutationSpec,
    params_a: Params,
    params_b: Params,
    options: Options,
    generator: np.random.Generator,
    progress: ProgressCallback | None,
    checkpoint: str | os.PathLike[str] | None = None,
    stop: _core.StopFlag | None = None,
) -> Matching:
    """The best of ``restarts`` runs, on the CPU or a device."""
    pair = check_pair(spec, params_a, params_b, strict=options.strict)
    start = start_of(spec, pair.sizes, options.init)
    device = device_for(options.device, params_a)
    with device_memory_explained():
        problem = _compiled(spec, params_a, params_b, pair, options, device)
        kept = _open_checkpoint(checkpoint, spec, params_a, params_b, start, options)
        # A device runs one descent at a time; its threads are those of assignments on the host.
        at_once = 1 if kept is not None or device is not None else min(options.threads or 1, options.restarts)
        runs = _Runs(problem, start, pair, options, progress if at_once == 1 else one_at_a_time(progress),
                     _bytes_to_keep(problem, options.memory_limit, at_once, device), kept)  # fmt: skip
        # The default seed's run of planned visits draws nothing: the one after it draws as a single run would.
        undrawn = 1 if runs.follows_plan(1) else 0
        draws = [generator] * undrawn + generators(generator, options.restarts - undrawn)
        calls = [partial(runs.run, number, each, outer=stop) for number, each in enumerate(draws, 1)]
        threads = 1 if at_once > 1 else None if device is not None else options.threads
        with blas_threads(threads), _overflow_explained(spec, params_a, params_b), _saved(kept):
            return best_of(run_all(calls, at_once))


def _compiled(
    spec: PermutationSpec,
    params_a: Params,
    params_b: Params,
    pair: CheckedPair,
    options: Options,
    device: str | None,
) -> CompiledProblem:
    if device is not None:
        return compile_on_device(
            spec, params_a, params_b, pair.sizes, device=device, products=options.products, threads=options.threads
        )  # fmt: skip
    if options.products != "float32":
        raise ValueError(f"products={options.products!r} is for matchings on a GPU; this one is on the CPU")
    return compile_problem(spec, params_a, params_b, pair.sizes, check_finite=False)


@dataclass(frozen=True)
class _Runs:
    """Shared by the runs of one pair: the compiled problem, which they only read, and the start."""

    problem: CompiledProblem
    start: dict[str, Index]
    pair: CheckedPair
    options: Options
    progress: ProgressCallback | None
    bytes_to_keep: float
    checkpoint: Checkpoint | None

    @property
    def uses_planned_visits(self) -> bool:
        """Whether runs draw no orders and replay none."""
        return self.options.order is None and self.options.visiting == "auto"

    def follows_plan(self, number: int) -> bool:
        """Whether a run, counted from 1, takes the plan as it is; other runs of planned visits draw a seed."""
        return self.uses_planned_visits and number == 1 and is_default_seed(self.options.rng)

    def run(
        self,
        number: int,
        draws: np.random.Generator,
        stop: _core.StopFlag | None,
        outer: _core.StopFlag | None,
    ) -> Matching:
        """One run, counted from 1; the flag of a list that it belongs to ends it too."""
        options, planned = self.options, self.uses_planned_visits
        policy = VisitPolicy(
            None if planned else orders_of(options.order, self.problem.permutations, options.max_iter, draws),
            options.max_iter * (10 if options.effort == "high" else 1),
            first_pass=options.init is None,
            effort=options.effort,
            visiting=options.visiting if options.order is None else "order",
            seed=int(draws.integers(1, 2**63)) if planned and not self.follows_plan(number) else 0,
        )
        sweeps = most_sweeps(options.order, options.max_iter)
        on_visit = visit_listener(self.progress, self.problem, sweeps, number, options.restarts)
        steps = Steps(self.checkpoint, number)
        flag = outer if stop is None else stop
        return descend(self.problem, self.start, policy, self.bytes_to_keep, self.pair, on_visit, steps, flag)


def _open_checkpoint(
    path: str | os.PathLike[str] | None,
    spec: PermutationSpec,
    params_a: Params,
    params_b: Params,
    start: Mapping[str, Index],
    options: Options,
) -> Checkpoint | None:
    if path is None:
        return None
    started = {name: index.tolist() for name, index in start.items()}
    return open_checkpoint(path, key_of(spec, (params_a, params_b), {**options.decisive(), "start": started}))


@contextmanager
def _saved(checkpoint: Checkpoint | None) -> Iterator[None]:
    """Saves the steps however the block ends."""
    try:
        yield
    finally:
        if checkpoint is not None:
            checkpoint.save()


@contextmanager
def _overflow_explained(spec: PermutationSpec, params_a: Params, params_b: Params) -> Iterator[None]:
    """ParamsError that names the entry that is infinite or NaN, or else states that products overflow."""
    try:
        yield
    except OverflowError as error:
        refuse_all_nonfinite(spec, params_a, params_b)
        raise ParamsError(str(error)) from None


def _bytes_to_keep(
    problem: CompiledProblem, memory_limit: int | None, at_once: int, device: str | None
) -> float:
    """Bytes that ``memory_limit`` leaves each run for similarities between visits; MemoryError if it is too low."""
    largest = max(problem.sizes.values(), default=0)
    itemsize = 8 if problem.double_products else 4
    if memory_limit is None:
        most = _SIMILARITIES_BY_DEFAULT if device is None else _SIMILARITIES_ON_DEVICE
        return float(max(0, most // at_once - largest * largest * itemsize))
    needed = at_once * (largest * largest * itemsize + 4 * max(1 << 20, 256 * largest) * itemsize)
    if needed > memory_limit:
        raise MemoryError(
            f"the largest permutation has {largest} units and needs {needed:,} bytes of workspace; "
            f"memory_limit is {memory_limit:,}"
        )
    return float(memory_limit - needed) / at_once
