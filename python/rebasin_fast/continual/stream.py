"""The batches of an episode."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from rebasin_fast._models.functional import Batches, fresh, pair_of
from rebasin_fast._models.inference import count_of
from rebasin_fast.errors import DataError


class Stream:
    """The batches of all epochs of an episode; ``steps`` is their number, where it is known.

    The first ``keep`` are in ``kept`` when they have passed.
    """

    def __init__(self, batches: Batches, epochs: int, keep: int = 0) -> None:
        self._batches, self._epochs, self._keep = batches, epochs, keep
        self.kept: list[Any] = []
        count = count_of(batches)
        self.steps = None if count is None else count * epochs
        self._begun: Iterator[Any] | None = None

    def first_inputs(self) -> Any:
        """The inputs of the first batch, which comes again when the stream is gone through."""
        begun = fresh(self._batches)
        for batch in begun:
            self._begun = chain([batch], begun)
            return pair_of(batch)[0]
        raise DataError("batches gave nothing in epoch 1: it is empty")

    def __iter__(self) -> Iterator[Any]:
        for epoch in range(1, self._epochs + 1):
            begun, self._begun = self._begun, None
            is_empty = True
            for batch in fresh(self._batches) if begun is None else begun:
                is_empty = False
                if len(self.kept) < self._keep:
                    self.kept.append(batch)
                yield batch
            if is_empty:
                cause = (
                    "it is empty"
                    if epoch == 1
                    else "pass a list, a DataLoader or a callable, not an iterator"
                )
                raise DataError(f"batches gave nothing in epoch {epoch}: {cause}")
