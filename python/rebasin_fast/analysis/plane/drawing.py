"""Contours of a metric in the plane through three models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._drawing import FAINT, INK, STYLES, axes_of
from rebasin_fast.evaluation.metrics import is_high

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LONGEST = 5.0  # times the other side
_LOWEST = 3e-3  # height of the first contour above the minimum, as a share of the highest's


def contour_levels(
    values: NDArray[np.float64], top: float, count: int, *, logarithmic: bool
) -> NDArray[np.float64]:
    """The minimum, and ``count`` rising levels up to ``top``; evenly spaced, or in the logarithm of the height."""
    low = float(values.min())
    span = top - low if top > low else max(abs(low), 1.0) * 1e-6
    heights = np.geomspace(_LOWEST, 1.0, count) if logarithmic else np.linspace(0.0, 1.0, count + 1)[1:]
    return low + span * np.concatenate([[0.0], heights])


def draw_plane(
    ax: Axes | None,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    values: NDArray[np.float64],
    positions: NDArray[np.float64],
    metric: str,
    labels: Sequence[str],
    lines: Sequence[tuple[int, int]],
    *,
    top: float | None,
    levels: int,
) -> Axes:
    """Filled contours, a bar of their levels, the models, and lines between them."""
    axes = axes_of(ax, size=(6.4, 4.8))
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        raise ValueError(f"no point of the plane has a finite {metric}")
    highest = _highest_between(x, y, values, positions) if top is None else top
    heights = contour_levels(finite, highest, levels, logarithmic=not is_high(metric))
    _draw_contours(axes, x, y, np.nan_to_num(values, nan=finite.max(), posinf=finite.max()), heights, metric)
    for first, second in lines:
        axes.plot(*positions[[first, second]].T, color=INK, linestyle=(0, (2, 2)), linewidth=1.6, zorder=3)
    axes.scatter(positions[:, 0], positions[:, 1], color=INK, s=70, zorder=5, edgecolor="white")
    middle = positions.mean(0)
    for label, place in zip(labels, positions, strict=True):
        axes.annotate(
            label, place, xytext=(9 if place[0] >= middle[0] else -9, 9 if place[1] >= middle[1] else -9),
            textcoords="offset points", fontsize=12, fontweight="bold", color=INK, zorder=6,
            ha="left" if place[0] >= middle[0] else "right", va="bottom" if place[1] >= middle[1] else "top",
            bbox={"facecolor": "white", "alpha": 0.7, "pad": 1.0, "linewidth": 0},
        )  # fmt: skip
    sides = np.array([np.ptp(x), np.ptp(y)])
    stretched = sides.max() > _LONGEST * sides.min()  # an equal scale would leave a strip
    axes.set_aspect("auto" if stretched else "equal")
    axes.set_xlabel("distance between parameters", fontsize=10.5, color=INK)
    axes.set_ylabel("distance, on another scale" if stretched else "", fontsize=10.5, color=INK)
    axes.tick_params(labelsize=10, colors=INK, length=0)
    axes.spines[:].set_color(FAINT)
    return axes


def draw_path(ax: Axes, coordinates: NDArray[np.float64], label: str, number: int) -> None:
    """A line through projected points, and its name in a legend."""
    style = STYLES[number % len(STYLES)]
    ax.plot(*coordinates.T, color="white", linewidth=4.4, zorder=4)
    dashes = style.dashes if number else "-"  # one path alone is best seen whole
    ax.plot(*coordinates.T, color=style.colour, linestyle=dashes, linewidth=2.8, zorder=4, label=label)
    ax.legend(loc="best", fontsize=10, framealpha=0.85)


def _draw_contours(
    axes: Axes,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    values: NDArray[np.float64],
    levels: NDArray[np.float64],
    metric: str,
) -> None:
    from matplotlib import colormaps
    from matplotlib.colors import BoundaryNorm

    # The lowest and the highest losses are the two ends of the colours.
    colours: Any = colormaps["viridis" if is_high(metric) else "viridis_r"]
    norm = BoundaryNorm(levels, colours.N, extend="max")
    filled = axes.contourf(x, y, values, levels=levels, cmap=colours, norm=norm, extend="max")
    axes.contour(x, y, values, levels=levels, colors="white", linewidths=0.6, alpha=0.7)
    bar: Any = axes.figure.colorbar(filled, ax=axes, format="%.2g")
    bar.set_label(metric, fontsize=10.5, color=INK)
    bar.ax.tick_params(labelsize=9.5, colors=INK, length=0)
    bar.outline.set_visible(False)


def _highest_between(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    values: NDArray[np.float64],
    positions: NDArray[np.float64],
) -> float:
    """The highest finite value in the box of the three models, without the margin."""
    low, high = positions.min(0), positions.max(0)
    columns, rows = (x >= low[0]) & (x <= high[0]), (y >= low[1]) & (y <= high[1])
    inner = values[np.ix_(rows, columns)]
    inner = inner[np.isfinite(inner)] if np.isfinite(inner).any() else values[np.isfinite(values)]
    return float(inner.max())
