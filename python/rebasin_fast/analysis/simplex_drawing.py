"""Pictures of losses over a simplex."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._drawing import FAINT, INK, STYLES, axes_of, label_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(0.75)]])
_LEVELS = 12


def draw_triangle(
    weights: NDArray[np.float64],
    values: NDArray[np.float64],
    excess: NDArray[np.float64],
    metric: str,
    ax: Axes | None,
) -> Axes:
    """Contours of ``values`` in the triangle of three models, the points, and a cross at the largest excess."""
    axes = axes_of(ax)
    x, y = (weights @ _CORNERS).T
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    # A flat simplex has levels too, which must rise.
    levels = np.linspace(low, max(high, low + 1e-9 * max(abs(low), 1.0)), _LEVELS)
    finite = np.isfinite(values)
    filled = axes.tricontourf(x[finite], y[finite], values[finite], levels=levels, cmap="viridis")
    axes.plot(x, y, ".", color="white", markersize=2.5, alpha=0.7)
    worst = int(np.argmax(np.nan_to_num(excess, nan=-np.inf)))
    if excess[worst] > 0.0:
        axes.plot(
            x[worst],
            y[worst],
            "X",
            color=STYLES[0].colour,
            markersize=9,
            markeredgecolor="white",
            clip_on=False,
        )
    for model, corner in enumerate(_CORNERS):
        own = values[int(weights[:, model].argmax())]
        # Beside the upper corner, where the title does not stand; below the others.
        place, across, along = ((12, 2), "left", "top") if model == 2 else ((0, -7), "center", "top")
        axes.annotate(
            f"model {model}\n{own:.3g}", corner, textcoords="offset points", xytext=place, ha=across, va=along,
            fontsize=10, color=INK,
        )  # fmt: skip
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.set(xlim=(-0.12, 1.12), ylim=(-0.17, 0.94))
    bar = axes.figure.colorbar(filled, ax=axes, shrink=0.8, format="%.3g")
    bar.set_label(metric, fontsize=10.5, color=INK)
    bar.outline.set_visible(False)
    axes.set_title(f"barrier {np.round(np.max(excess), 12):.3g}", loc="left", fontsize=11.5, color=INK)
    return axes


def draw_barriers(barriers: Mapping[str, float], metric: str, ax: Axes | None) -> Axes:
    """One bar a barrier, the last in another colour."""
    axes = axes_of(ax)
    colours = [STYLES[1].colour] * (len(barriers) - 1) + [STYLES[0].colour]
    axes.bar(list(barriers), list(barriers.values()), color=colours, width=0.7)
    axes.axhline(0.0, color=FAINT, linewidth=0.8)
    axes.tick_params(axis="x", rotation=45 if len(barriers) > 8 else 0)
    return label_axes(axes, x="models", y=f"excess of {metric}")
