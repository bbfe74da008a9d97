"""Both models run on the same batches, and the moments of their units at every tap."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from itertools import chain as chained
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._models.inference import count_of, evaluating
from rebasin_fast.errors import DataError, ParamsError
from rebasin_fast.matching.activation.moments import CrossMoments
from rebasin_fast.matching.activation.similarities import Moments
from rebasin_fast.matching.activation.taps import Tap, TapReader, choose_taps


def moments_of_models(
    model_a: Any,
    model_b: Any,
    candidates: list[Tap],
    batches: Iterable[Any],
    progress: Callable[[int, int | None], object] | None,
) -> tuple[Moments, float]:
    """The moments at every tap, and the seconds that they took beside the models."""
    stream = iter(batches)
    try:
        first = next(stream)
    except StopIteration:
        raise DataError("batches is empty: activation matching needs inputs to run the models on") from None
    seconds = 0.0
    with evaluating(model_a, model_b):
        with TapReader(model_a, candidates) as reader:
            taps = choose_taps(reader, first)
        moments: Moments = {tap: [CrossMoments() for _ in tap.families] for tap in taps}
        with TapReader(model_a, taps) as reader_a, TapReader(model_b, taps) as reader_b:
            for done, batch in enumerate(chained([first], stream), 1):
                seconds += _add_batch(reader_a, reader_b, batch, moments)
                if progress is not None:
                    progress(done, count_of(batches))
    return moments, seconds


def _add_batch(reader_a: TapReader, reader_b: TapReader, batch: Any, moments: Moments) -> float:
    waiting: dict[Tap, deque[Any]] = {tap: deque() for tap in moments}
    seconds = 0.0

    def keep(tap: Tap, tensor: Any) -> None:
        nonlocal seconds
        started = perf_counter()
        waiting[tap].append(tap.rows(tensor))
        seconds += perf_counter() - started

    def combine(tap: Tap, tensor: Any) -> None:
        nonlocal seconds
        started = perf_counter()
        rows = tap.rows(tensor)
        if not waiting[tap] or waiting[tap][0].shape != rows.shape:
            raise ParamsError(f"module {tap.module!r} runs on other numbers of samples in A than in B")
        rows_a = waiting[tap].popleft()
        for family, moment in zip(tap.families, moments[tap], strict=True):
            moment.add(_units(rows_a, family.features), _units(rows, family.features))
        seconds += perf_counter() - started

    reader_a.run(batch, keep)
    reader_b.run(batch, combine)
    if any(waiting.values()):
        raise ParamsError("a module of A runs more often than the same module of B")
    return seconds


def _units(rows: Any, features: NDArray[np.int64]) -> Any:
    """Columns of ``rows`` as (samples, units), each copy of the units being samples of its own."""
    import torch

    columns = features.ravel()
    if not np.array_equal(columns, np.arange(rows.shape[1])):
        rows = rows.index_select(1, torch.from_numpy(columns).to(rows.device))
    return rows.reshape(-1, features.shape[1])
