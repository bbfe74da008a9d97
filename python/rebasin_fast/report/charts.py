"""The coordinates of the charts; ``templates/charts.html`` draws them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, floor, isfinite, log10

import numpy as np

from rebasin_fast.report.measures import LayerDistance
from rebasin_fast.report.pairs import Values

_CLASSES_OF_SPARK = 30


class History:
    """The objective before the first sweep and after each; ``runs[chosen]`` is drawn last, in colour.

    Horizontal positions are shares of the width, vertical ones pixels from the top.
    """

    height = 210

    def __init__(self, runs: Sequence[Sequence[float]], chosen: int) -> None:
        self.kept = runs[chosen]
        self.curves = [("other", run) for number, run in enumerate(runs) if number != chosen]
        self.curves.append(("after", self.kept))
        self._low, self._high = _padded([value for run in runs for value in run])
        self._last = max(len(run) for run in runs) - 1
        self.ticks = _ticks(self._low, self._high)
        self.sweeps = range(0, self._last + 1, max(1, ceil(self._last / 8)))

    def x(self, sweep: int) -> float:
        """The position of a sweep."""
        return 0.14 + 0.82 * sweep / max(1, self._last)

    def y(self, value: float) -> float:
        """The position of an objective."""
        return 12.0 + (self.height - 42.0) * (self._high - value) / (self._high - self._low)


class Histogram:
    """The cosines of units with the units that they are matched to, before and after; ``ends`` hold all and zero."""

    height, ground, classes = 150, 128, 40

    def __init__(self, before: Values, after: Values) -> None:
        self.before, self.after = before, after
        self.ends = cosine_range(before, after)

    def bars(self) -> Iterator[tuple[str, float, float, int, float, float]]:
        """Kind, position, height, number of units and both ends of each class that holds a unit."""
        counts = {
            "before": self._counts(self.before, self.classes),
            "after": self._counts(self.after, self.classes),
        }
        top = max(map(max, counts.values())) or 1
        low, high = self.ends
        edges = [low + place * (high - low) / self.classes for place in range(self.classes + 1)]
        for kind, heights in counts.items():
            for place, (units, left, right) in enumerate(zip(heights, edges[:-1], edges[1:], strict=True)):
                if units:
                    yield kind, place / self.classes, (self.ground - 8) * units / top, units, left, right

    def ticks(self) -> list[tuple[float, float, str]]:
        """Value, position and anchor of each label below the bars."""
        low, high = self.ends
        inner = [(0.0, -low / (high - low), "middle")] if low < 0.0 < high else []
        return [(low, 0.0, "start"), *inner, (high, 1.0, "end")]

    def spark_path(self, cosines: Values) -> str:
        """The path of a histogram of ``cosines`` between the same ends, 120 wide and 22 high."""
        counts = self._counts(cosines, _CLASSES_OF_SPARK)
        top = max(counts) or 1
        return "".join(
            f"M{4 * place} 22v{-20.0 * units / top:.1f}h3v{20.0 * units / top:.1f}z"
            for place, units in enumerate(counts)
            if units
        )

    def _counts(self, values: Values, classes: int) -> list[int]:
        # Rounding may put the cosine of equal units a little above 1.
        counts: list[int] = np.histogram(np.clip(values, *self.ends), classes, self.ends)[0].tolist()
        return counts


def cosine_range(*values: Values) -> tuple[float, float]:
    """The tenths that hold all values, and 0."""
    low = min(float(v.min(initial=0.0)) for v in values)
    high = max(float(v.max(initial=0.1)) for v in values)
    return max(-1.0, floor(10.0 * low) / 10.0), min(1.0, ceil(10.0 * high) / 10.0)


def end_of_distances(layers: Sequence[LayerDistance]) -> float:
    """The relative distance at the right end of the rows: beyond all of them, and beyond 1."""
    largest = max((max(layer.relative()) for layer in layers), default=1.0)
    return max(1.05, ceil(largest * 20.0) / 20.0)


def _padded(values: Sequence[float]) -> tuple[float, float]:
    finite = [value for value in values if isfinite(value)] or [0.0]
    low, high = min(finite), max(finite)
    span = high - low or abs(high) or 1.0
    return low - 0.06 * span, high + 0.06 * span


def _ticks(low: float, high: float) -> list[float]:
    """Three to six round numbers between ``low`` and ``high``."""
    step = 10.0 ** floor(log10(high - low))
    for divisor in (1.0, 2.0, 5.0, 10.0):
        ticks = [
            k * step / divisor for k in range(ceil(low * divisor / step), floor(high * divisor / step) + 1)
        ]
        if len(ticks) >= 3:
            return ticks
    return [low, high]
