"""Independent matchings: restarts and lists of models, on threads, and the best of several."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from rebasin_fast import _core
from rebasin_fast.matching.result import Matching, Progress, ProgressCallback

if TYPE_CHECKING:
    from rebasin_fast.typing import Rng

Result = TypeVar("Result")
AnyMatching = TypeVar("AnyMatching", bound=Matching)
# Given the flag that ends it from another thread; None where nothing else runs.
Call = Callable[[_core.StopFlag | None], Result]

_SECONDS_BETWEEN_SIGNALS = 0.1


def run_all(calls: Sequence[Call[Result]], at_once: int) -> list[Result]:
    """The results of all calls in their order, ``at_once`` of them at a time on threads.

    The first exception, Ctrl-C in this thread included, stops the others and is raised when they have ended.
    """
    if at_once <= 1 or len(calls) <= 1:
        return [call(None) for call in calls]
    stop = _core.StopFlag()
    with ThreadPoolExecutor(at_once) as threads:
        futures = [threads.submit(call, stop) for call in calls]
        try:
            _wait_for(futures)
        finally:
            stop.set()
            for future in futures:
                future.cancel()
    return [future.result() for future in futures]


def _wait_for(futures: list[Future[Result]]) -> None:
    """Raises the exception of the first call that failed; the others may still run then."""
    while True:
        done, running = wait(futures, _SECONDS_BETWEEN_SIGNALS, FIRST_EXCEPTION)
        for future in futures:
            if future in done:
                future.result()
        if not running:
            return


def best_of(runs: Sequence[AnyMatching]) -> AnyMatching:
    """The run of the highest objective, the first among equals; of several runs all are its ``restarts``."""
    best = max(runs, key=lambda run: run.objective)
    return replace(best, restarts=tuple(runs)) if len(runs) > 1 else best


def generators(generator: np.random.Generator, count: int) -> list[np.random.Generator]:
    """One for each run, so that no run's draws depend on when another draws; the first draws as ``generator`` would."""
    if count <= 1:
        return [generator] * count
    first = copy.deepcopy(generator)
    seeds = generator.integers(0, 2**63, size=count - 1)
    return [first, *(np.random.default_rng(int(seed)) for seed in seeds)]


def is_default_seed(rng: Rng) -> bool:
    """Whether ``rng`` is the default 0, with which planned visits follow the plan without a random draw."""
    return isinstance(rng, int | np.integer) and rng == 0


def one_at_a_time(progress: ProgressCallback | None) -> ProgressCallback | None:
    """A callback that several threads may call. Once it raised it is not called again: the others get its exception."""
    if progress is None:
        return None
    lock = Lock()
    raised: list[BaseException] = []

    def locked(event: Progress) -> None:
        with lock:
            if raised:
                raise raised[0]
            try:
                progress(event)
            except BaseException as error:
                raised.append(error)
                raise

    return locked
