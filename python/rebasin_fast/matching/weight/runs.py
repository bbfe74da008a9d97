"""Weight matching once its options are checked: the runs of one pair, and lists of models."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from rebasin_fast import _core
from rebasin_fast._native.blas import blas_threads
from rebasin_fast.errors import ParamsError
from rebasin_fast.files.mapping.unpacked import bytes_to_unpack
from rebasin_fast.matching.compilation import CompiledProblem, compile_problem, refuse_nonfinite
from rebasin_fast.matching.device.on_device import compile_on_device, device_for, device_memory_explained
from rebasin_fast.matching.pair import CheckedPair, check_pair, start_of
from rebasin_fast.matching.runs import Call, best_of, generators, one_at_a_time, run_all
from rebasin_fast.matching.state_file import key_of
from rebasin_fast.matching.weight.checkpoint import Checkpoint, open_checkpoint
from rebasin_fast.matching.weight.descent import Descents
from rebasin_fast.matching.weight.options import Options

if TYPE_CHECKING:
    import numpy as np

    from rebasin_fast.matching.result import Matching, ProgressCallback
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Params

# Most bytes of similarities by default, the one at work and those kept between visits: ResNet-50 needs 32 MB, VGG-16
# with a classifier of 4096 units 141 MB; of a perceptron of 16 layers of 8192 units three are kept beside the fourth.
_SIMILARITIES_BY_DEFAULT = 1 << 30
_SIMILARITIES_ON_DEVICE = 4 << 30


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
        options = replace(options, threads=None)
        progress = one_at_a_time(progress)

    def one(params_b: Params, draws: np.random.Generator) -> Call[Matching]:
        return lambda stop: match_pair(
            spec, params_a, params_b, options, draws, progress, stop=stop, pairs_at_once=at_once
        )

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
    pairs_at_once: int = 1,
) -> Matching:
    """The best of ``restarts`` runs, on the CPU or a device; ``stop`` is the flag of a list with this pair."""
    unpacked = bytes_to_unpack(params_a, params_b)
    pair = check_pair(spec, params_a, params_b, strict=options.strict)
    start = start_of(spec, pair.sizes, options.init)
    device = device_for(options.device, params_a)
    with device_memory_explained():
        problem = _compiled(pair, options, device)
        steps = None
        if checkpoint is not None:
            started = {name: index.tolist() for name, index in start.items()}
            steps = open_checkpoint(
                checkpoint, key_of(spec, pair.models, {**options.decisive(), "start": started})
            )
        # A device runs one descent at a time; its threads are those of assignments on the host.
        at_once = (
            1 if steps is not None or device is not None else min(options.threads or 1, options.restarts)
        )
        descents = Descents(
            problem, start, options, pair.left_in_place, progress if at_once == 1 else one_at_a_time(progress),
            _bytes_to_keep(problem, options.memory_limit, at_once * pairs_at_once, device, unpacked), steps,
        )  # fmt: skip
        # The default seed's run of planned visits draws nothing: the one after it draws as a single run would.
        undrawn = 1 if descents.follows_plan(1) else 0
        draws = [generator] * undrawn + generators(generator, options.restarts - undrawn)

        def one(number: int, draws: np.random.Generator) -> Call[Matching]:
            return lambda flag: descents.run(number, draws, stop if flag is None else flag)

        threads = 1 if at_once > 1 else None if device is not None else options.threads
        with blas_threads(threads), _overflow_explained(pair), _saved(steps):
            return best_of(run_all([one(*each) for each in enumerate(draws, 1)], at_once))


def _compiled(pair: CheckedPair, options: Options, device: str | None) -> CompiledProblem:
    if device is not None:
        return compile_on_device(pair, device=device, products=options.products, threads=options.threads)
    if options.products != "float32":
        raise ValueError(f"products={options.products!r} is for matchings on a GPU; this one is on the CPU")
    return compile_problem(pair, check_finite=False)


@contextmanager
def _saved(checkpoint: Checkpoint | None) -> Iterator[None]:
    """Saves the steps however the block ends."""
    try:
        yield
    finally:
        if checkpoint is not None:
            checkpoint.save()


@contextmanager
def _overflow_explained(pair: CheckedPair) -> Iterator[None]:
    """ParamsError that names the entry that is infinite or NaN, or else states that products overflow."""
    try:
        yield
    except OverflowError as error:
        refuse_nonfinite(pair)
        raise ParamsError(str(error)) from None


def _bytes_to_keep(
    problem: CompiledProblem, memory_limit: int | None, at_once: int, device: str | None, unpacked: int
) -> float:
    """Bytes that ``memory_limit`` leaves each run for similarities between visits; MemoryError if it is too low."""
    largest = max(problem.sizes.values(), default=0)
    itemsize = 8 if problem.double_products else 4
    if memory_limit is None:
        most = _SIMILARITIES_BY_DEFAULT if device is None else _SIMILARITIES_ON_DEVICE
        return float(max(0, most // at_once - largest * largest * itemsize))
    needed = at_once * (largest * largest * itemsize + 4 * max(1 << 20, 256 * largest) * itemsize)
    if needed + unpacked > memory_limit:
        beside = f" beside {unpacked:,} for parameters that are compressed in their file" if unpacked else ""
        raise MemoryError(
            f"the largest permutation has {largest} units and needs {needed:,} bytes of workspace{beside}; "
            f"memory_limit is {memory_limit:,}"
        )
    return float(memory_limit - needed - unpacked) / at_once
