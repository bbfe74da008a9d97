"""Charts as inline SVG. Horizontal positions are percentages: a chart fits any width, and its text keeps its size."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, floor, isfinite, log10

import numpy as np

from rebasin_fast.report.measures import LayerDistance
from rebasin_fast.report.pairs import Values
from rebasin_fast.report.text import count, label, number, safe

COSINE_CLASSES = 40
_HISTOGRAM_HEIGHT = 150
_HISTORY_HEIGHT = 210


def distance_rows(layers: Sequence[LayerDistance], prefix: str) -> str:
    """One row a layer: where it was, where it came, and the line between."""
    largest = max((max(layer.relative()) for layer in layers), default=1.0)
    end = max(1.05, ceil(largest * 20.0) / 20.0)
    rows = "".join(_distance_row(layer, end, prefix) for layer in layers)
    orthogonal = 100.0 / end
    return (
        '<div class="rows">'
        f'<div class="row head"><span></span><svg class="track" height="20" aria-hidden="true">'
        f'<text x="0" y="13">0 equal</text>'
        f'<text x="{orthogonal:.2f}%" y="13" text-anchor="end">1 unrelated</text></svg><span></span></div>'
        f"{rows}</div>"
    )


def _distance_row(layer: LayerDistance, end: float, prefix: str) -> str:
    before, after = layer.relative()
    x_before, x_after, x_one = (100.0 * value / end for value in (before, after, 1.0))
    name = label(layer.first, prefix)
    if layer.layers > 1:
        name += f' <span class="faint">… {label(layer.last, prefix)} ({layer.layers} layers)</span>'
    return (
        f'<div class="row"><span class="what">{name}</span>'
        f'<svg class="track" height="18" role="img" aria-label="{before:.2f} before, {after:.2f} after">'
        f'<line class="axis" x1="0" x2="100%" y1="9" y2="9"/>'
        f'<line class="axis" x1="{x_one:.2f}%" x2="{x_one:.2f}%" y1="0" y2="18"/>'
        f'<line class="gain" x1="{x_before:.2f}%" x2="{x_after:.2f}%" y1="9" y2="9"/>'
        f'<circle class="before" cx="{x_before:.2f}%" cy="9" r="4"/>'
        f'<circle class="after" cx="{x_after:.2f}%" cy="9" r="5"/></svg>'
        f'<span class="value">{before:.2f} → <b>{after:.2f}</b></span></div>'
    )


def history_chart(runs: Sequence[Sequence[float]], chosen: int) -> str:
    """The objective before the first sweep and after each; ``runs[chosen]`` stands out."""
    low, high = _padded([value for run in runs for value in run])
    last = max(len(run) for run in runs) - 1
    ticks = _ticks(low, high)
    parts = [_gridline(tick, low, high) for tick in ticks]
    order = [*(run for number_, run in enumerate(runs) if number_ != chosen), runs[chosen]]
    for run in order:
        kind = "after" if run is runs[chosen] else "other"
        points = [(_x(sweep, last), _y(value, low, high)) for sweep, value in enumerate(run)]
        parts += [
            f'<line class="curve {kind}" x1="{x0:.2f}%" y1="{y0:.1f}" x2="{x1:.2f}%" y2="{y1:.1f}"/>'
            for (x0, y0), (x1, y1) in pairwise(points)
        ]
        radius = 4.5 if len(points) <= 40 else 2.0
        parts += [
            f'<circle class="{kind}" cx="{x:.2f}%" cy="{y:.1f}" r="{radius}">'
            f"<title>{'start' if sweep == 0 else f'sweep {sweep}'}: {number(run[sweep])}</title></circle>"
            for sweep, (x, y) in enumerate(points)
        ]
    step = max(1, ceil(last / 8))
    parts += [
        f'<text class="tick" x="{_x(sweep, last):.2f}%" y="{_HISTORY_HEIGHT - 4}" text-anchor="middle">'
        f"{'start' if sweep == 0 else sweep}</text>"
        for sweep in range(0, last + 1, step)
    ]
    about = f"objective from {number(runs[chosen][0])} to {number(runs[chosen][-1])}"
    return _svg(_HISTORY_HEIGHT, parts, about)


def cosine_histogram(before: Values, after: Values, ends: tuple[float, float]) -> str:
    """How many units have which cosine with the unit they face, before and after, between ``ends``."""
    low, high = ends
    counts = [_classes(values, ends, COSINE_CLASSES) for values in (before, after)]
    top = max(max(heights) for heights in counts) or 1
    ground, width = _HISTOGRAM_HEIGHT - 22, 100.0 / COSINE_CLASSES
    parts = []
    for kind, heights in zip(("before", "after"), counts, strict=True):
        for place, units in enumerate(heights):
            height = (ground - 8) * units / top
            left, right = (low + (place + side) * (high - low) / COSINE_CLASSES for side in (0, 1))
            if units:
                parts.append(
                    f'<rect class="{kind}" x="{width * place + 0.1:.2f}%" y="{ground - height:.1f}" '
                    f'width="{width - 0.2:.2f}%" height="{height:.1f}">'
                    f"<title>{kind}: {count(units, 'unit')} from {left:.2f} to {right:.2f}</title></rect>"
                )
    parts.append(f'<line class="axis" x1="0" x2="100%" y1="{ground}" y2="{ground}"/>')
    for tick in (low, 0.0, high) if low < 0.0 < high else (low, high):
        anchor = "start" if tick == low else "end" if tick == high else "middle"
        x = 100.0 * (tick - low) / (high - low)
        parts.append(
            f'<text class="tick" x="{x:.2f}%" y="{_HISTOGRAM_HEIGHT - 5}" text-anchor="{anchor}">{tick:.1f}</text>'
        )
    return _svg(_HISTOGRAM_HEIGHT, parts, "histogram of cosines before and after")


def sparkline(cosines: Values, ends: tuple[float, float]) -> str:
    """A histogram of cosines between ``ends``, small enough for a table cell."""
    counts = _classes(cosines, ends, 30)
    top = max(counts) or 1
    bars = "".join(
        f"M{4 * place} 22v{-20.0 * units / top:.1f}h3v{20.0 * units / top:.1f}z"
        for place, units in enumerate(counts)
        if units
    )
    zero = 120.0 * -ends[0] / (ends[1] - ends[0])
    return (
        '<svg class="spark" width="120" height="24" viewBox="0 0 120 24" role="img" '
        'aria-label="histogram of cosines"><line class="axis" x1="0" x2="120" y1="22" y2="22"/>'
        f'<line class="axis" x1="{zero:.1f}" x2="{zero:.1f}" y1="0" y2="24"/><path class="after" d="{bars}"/></svg>'
    )


def cosine_range(*values: Values) -> tuple[float, float]:
    """The tenths that hold all values, and 0."""
    low = min(float(v.min(initial=0.0)) for v in values)
    high = max(float(v.max(initial=0.1)) for v in values)
    return max(-1.0, floor(10.0 * low) / 10.0), min(1.0, ceil(10.0 * high) / 10.0)


def _classes(values: Values, ends: tuple[float, float], classes: int) -> list[int]:
    # Rounding may put the cosine of equal units a little above 1.
    heights: list[int] = np.histogram(np.clip(values, *ends), bins=classes, range=ends)[0].tolist()
    return heights


def share_bar(part: float) -> str:
    """A bar filled to ``part`` of its length."""
    return (
        '<svg class="bar" height="8" aria-hidden="true"><rect class="axis-fill" width="100%" height="8" rx="3"/>'
        f'<rect class="after" width="{100.0 * part:.1f}%" height="8" rx="3"/></svg>'
    )


def _svg(height: int, parts: Sequence[str], about: str) -> str:
    return (
        f'<svg class="chart" height="{height}" role="img" aria-label="{safe(about)}">{"".join(parts)}</svg>'
    )


def _gridline(tick: float, low: float, high: float) -> str:
    y = _y(tick, low, high)
    return (
        f'<line class="axis" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="tick" x="0" y="{y - 4:.1f}">{number(tick)}</text>'
    )


def _x(sweep: int, last: int) -> float:
    return 14.0 + 82.0 * sweep / max(1, last)


def _y(value: float, low: float, high: float) -> float:
    return 12.0 + (_HISTORY_HEIGHT - 42.0) * (high - value) / (high - low)


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
