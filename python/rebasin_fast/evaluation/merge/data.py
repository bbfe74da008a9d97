"""The batches of a merge, divided: statistics are never taken from the samples that measure them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rebasin_fast import _arguments
from rebasin_fast._models.functional import pair_of
from rebasin_fast.errors import DataError

# Of five batches, or of five samples of a batch: three for statistics, one to measure, one for temperatures.
_PARTS = ("statistics", "statistics", "measured", "statistics", "calibration")
_BATCH = 128


@dataclass(frozen=True)
class MergeData:
    """Pairs of inputs and targets in three parts that share no sample."""

    statistics: list[Any]
    measured: list[Any]
    calibration: list[Any]

    @property
    def inputs(self) -> list[Any]:
        """The inputs that statistics are taken from."""
        return [inputs for inputs, _ in self.statistics]

    def for_network(self, network: Any) -> MergeData:
        """Several inputs of a sample by the names that the network's ``forward`` gives them."""
        names = list(inspect.signature(network.forward).parameters)
        return MergeData(
            *([(_named(inputs, names), targets) for inputs, targets in part] for part in self.parts)
        )

    def statement(self) -> str:
        """How many samples each part has."""
        counts = [sum(len(targets) for _, targets in part) for part in self.parts]
        return (
            f"of the samples given {counts[0]} gave statistics and activations, {counts[1]} others measured the "
            f"candidates, {counts[2]} others fitted temperatures. The best was chosen by these measurements: "
            "for an unbiased figure measure it on further data"
        )

    @property
    def parts(self) -> tuple[list[Any], list[Any], list[Any]]:
        """All three."""
        return self.statistics, self.measured, self.calibration


def _named(inputs: Any, names: Sequence[str]) -> Any:
    if not isinstance(inputs, tuple | list):
        return inputs
    return inputs[0] if len(inputs) == 1 else dict(zip(names, inputs, strict=False))


def divided(batches: Any, labels: Any | None) -> MergeData:
    """The parts of ``batches``, which are kept: whole batches where there are five, else samples of each.

    Raises
    ------
    DataError
        There is no batch, one is no pair, or there are fewer than three samples.
    TypeError
        ``batches`` is no iterable and no function that gives one.
    """
    if labels is not None:
        pairs = _cut(batches, labels)
    else:
        _arguments.stream("batches", batches, "pairs (inputs, targets)")
        pairs = _each(batches)
    for number, batch in enumerate(pairs):
        _check_pair(batch, number)
    if not pairs:
        raise DataError("batches is empty: give pairs (inputs, targets), or leave batches out")
    parts: dict[str, list[Any]] = {name: [] for name in _PARTS}
    if len(pairs) >= len(_PARTS):
        for number, pair in enumerate(pairs):
            parts[_PARTS[number % len(_PARTS)]].append(pair)
    else:
        for pair in pairs:
            count = len(pair[1])
            for name in parts:
                places = [i for i in range(count) if _PARTS[i % len(_PARTS)] == name]
                if places:
                    parts[name].append(tuple(_rows(half, places, count) for half in pair))
    if not parts["measured"]:
        raise DataError(
            f"{sum(len(targets) for _, targets in pairs)} samples cannot be divided into some for statistics and "
            "others that measure: give at least three, better a few thousand"
        )
    return MergeData(**parts)


def _each(batches: Any) -> list[Any]:
    found = batches
    try:
        found = batches() if callable(batches) else batches
        return list(found)
    except TypeError as error:
        raise TypeError(
            f"batches gives pairs (inputs, targets), one after another; {type(found).__qualname__} cannot be gone "
            f"through: {error}"
        ) from None


def _check_pair(batch: Any, number: int) -> None:
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        raise DataError(
            f"batch {number} is {type(batch).__qualname__}, not a pair (inputs, targets): candidates are chosen by "
            "measuring them. Give pairs, or the inputs as one array with labels="
        )
    _, targets = pair_of(batch)
    if not hasattr(targets, "__len__") or len(targets) == 0:
        raise DataError(f"batch {number} has no targets: leave it out")


def _cut(inputs: Any, labels: Any) -> list[Any]:
    """Batches of the arrays ``inputs`` and ``labels``, as tensors."""
    import torch

    tensors = []
    for name, value in (("batches", inputs), ("labels", labels)):
        try:
            tensors.append(torch.as_tensor(value))
        except (TypeError, ValueError, RuntimeError) as error:
            raise TypeError(
                f"{name} is an array, one row a sample, where labels are given: {error}"
            ) from None
    x, y = tensors
    if x.ndim == 0 or y.ndim == 0 or len(x) != len(y):
        raise DataError(
            f"batches has shape {tuple(x.shape)} and labels {tuple(y.shape)}; one label a row is expected"
        )
    starts = range(0, len(x), _BATCH)
    return [(x[start : start + _BATCH], y[start : start + _BATCH]) for start in starts]


def _rows(value: Any, places: Sequence[int], count: int) -> Any:
    """Some samples of the inputs, or targets, of a batch of ``count``."""
    if isinstance(value, Mapping):
        return {name: _rows(one, places, count) for name, one in value.items()}
    if isinstance(value, tuple | list):
        return tuple(_rows(one, places, count) for one in value)
    if getattr(value, "shape", ()) and value.shape[0] == count:
        return value[list(places)]
    return value
