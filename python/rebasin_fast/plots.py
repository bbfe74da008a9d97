"""Pictures of loss curves; needs matplotlib, and leaves its global state and backend alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from os.path import splitext
from typing import TYPE_CHECKING

import numpy as np

from rebasin_fast import _arguments
from rebasin_fast._drawing import FAINT, GRID, INK, STYLES, LineStyle, require_matplotlib
from rebasin_fast.errors import FileFormatError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from rebasin_fast.evaluation.curve import LossCurve


_DPI = 160
_MOST_NUMBERED = 2  # more numbers at the middle would overlap
_SHARES = ("accuracy", "top1", "top5")  # metrics shown in percent, given as shares of 1 or in percent


@_arguments.checked()
def plot_loss_curves(
    curves: Mapping[str, LossCurve],
    path: str | PathLike[str] | None = None,
    *,
    metrics: Sequence[str] | None = None,
    title: str | None = None,
    subtitle: str | None = None,
    metric_labels: Mapping[str, str] | None = None,
    ends: tuple[str, str] = ("model A", "model B"),
    overwrite: bool = False,
) -> Figure:
    """Draw metrics along the line between two models, one panel a metric, one line a curve.

    Parameters
    ----------
    curves : Mapping[str, LossCurve]
        Label -> curve, at most five; the labels form the legend. Of one or two curves, the value at the
        middle is written beside it.
    path : path, optional
        Where to save the figure; the suffix (.png, .pdf, .svg) gives the format. The file appears whole or
        not at all.
    metrics : sequence of str, optional
        The metrics to draw, by default all that the first curve has. Accuracies are shown in percent.
    title, subtitle : str, optional
        The statement of the picture, and how it was measured.
    metric_labels : Mapping[str, str], optional
        Metric -> title of its panel.
    ends : tuple of two str
        The labels at t = 0 and at t = 1.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    matplotlib.figure.Figure
        Not registered with pyplot: it is freed with its last reference.

    Raises
    ------
    MissingDependencyError
        matplotlib is not installed.
    ValueError
        No curve, more curves than styles, or a curve that lacks a metric.

    Examples
    --------
    >>> import numpy as np, rebasin_fast as rf
    >>> from rebasin_fast.plots import plot_loss_curves
    >>> curve = rf.LossCurve(np.array([0.0, 0.5, 1.0]), {"loss": np.array([1.0, 5.0, 3.0])})
    >>> len(plot_loss_curves({"naive": curve}, title="One barrier").axes)
    1
    """
    if not 1 <= len(curves) <= len(STYLES):
        raise ValueError(f"plot_loss_curves draws 1 to {len(STYLES)} curves, got {len(curves)}")
    shown = (
        list(next(iter(curves.values())).values) if metrics is None else _arguments.names("metrics", metrics)
    )
    for label, curve in curves.items():
        for metric in shown:
            if metric not in curve.values:
                raise ValueError(
                    f"metrics: curve {label!r} has no metric {metric!r}; it has {sorted(curve.values)}"
                )
    require_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.0 + 4.2 * len(shown), 4.9), layout="constrained", facecolor="white")
    panels = figure.subplots(1, len(shown), squeeze=False)[0]
    for panel, metric in zip(panels, shown, strict=True):
        _draw_panel(panel, curves, metric)
        _set_axes(panel, ends, percent=_is_share(metric))
        panel.set_title((metric_labels or {}).get(metric, metric), loc="left", fontsize=11.5, color=INK)
    _write_headings(figure, title, subtitle)
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", frameon=False, fontsize=11,
        ncols=3 if sum(map(len, curves)) < 30 * len(shown) else 2, handlelength=3.2,
    )  # fmt: skip
    if path is not None:
        save_figure(figure, path, overwrite=overwrite)
    return figure


@_arguments.checked()
def check_figure(path: str | PathLike[str], *, overwrite: bool = False, extra: str = "plot") -> None:
    """Check before long work that `save_figure` can write ``path``.

    Raises
    ------
    MissingDependencyError
        matplotlib is not installed; names the ``extra`` that installs it.
    FileFormatError
        The suffix is none of a picture format.
    OutputExistsError, UnwritableOutputError
        The file exists and may not be replaced, or cannot be written.
    """
    require_matplotlib(extra)
    from matplotlib.backend_bases import FigureCanvasBase

    from rebasin_fast.files import check_writable

    if _format_of(path) not in FigureCanvasBase.get_supported_filetypes():
        raise FileFormatError(f"{path}: pictures of this kind cannot be drawn (.png, .pdf and .svg can)")
    check_writable(path, overwrite)


@_arguments.checked()
def save_figure(figure: Figure, path: str | PathLike[str], *, overwrite: bool = False) -> None:
    """Write a figure in the format of the path's suffix, whole or not at all.

    Raises
    ------
    OutputExistsError, UnwritableOutputError
        The file exists and may not be replaced, or cannot be written.
    """
    from rebasin_fast.files import atomic_write

    with atomic_write(path, overwrite=overwrite) as file:
        figure.savefig(file, format=_format_of(path), dpi=_DPI)


def _format_of(path: str | PathLike[str]) -> str:
    """The suffix; PNG where there is none."""
    return splitext(path)[1].lstrip(".").lower() or "png"


def _write_headings(figure: Figure, title: str | None, subtitle: str | None) -> None:
    if title is None and subtitle is None:
        return
    # Constrained layout keeps room for one heading only: the subtitle takes the figure's title, below a gap.
    below = "\n" * bool(title) + (subtitle or "")
    figure.suptitle(below, x=0.015, ha="left", fontsize=10.5, color=FAINT, linespacing=1.9)
    if title is not None:
        figure.text(0.015, 0.98, title, ha="left", va="top", fontsize=14, fontweight="bold", color=INK)


def _draw_panel(panel: Axes, curves: Mapping[str, LossCurve], metric: str) -> None:
    percent = _is_share(metric)
    is_fraction = percent and all(curve.values[metric].max() <= 1.0 for curve in curves.values())
    middles: list[tuple[float, LineStyle]] = []
    for number, (style, (label, curve)) in enumerate(zip(STYLES, curves.items(), strict=False)):
        values = curve.values[metric] * (100.0 if is_fraction else 1.0)
        marked = [place for t in (0.0, 0.5, 1.0) for place in _places_of(t, curve)]
        panel.plot(
            curve.ts, values, color=style.colour, linestyle=style.dashes, linewidth=2.6, zorder=3, label=label,
            marker=style.marker, markersize=6.5, markevery=marked, markeredgecolor="white",
        )  # fmt: skip
        middles += [(float(values[place]), style) for place in _places_of(0.5, curve)]
        if number == 0:  # the barrier, above the chord
            chord = values[0] + curve.ts * (values[-1] - values[0])
            panel.fill_between(curve.ts, chord, values, color=style.colour, alpha=0.10, linewidth=0, zorder=1)
    low, high = panel.get_ylim()
    panel.set_ylim(low - 0.06 * (high - low), high + 0.09 * (high - low))
    if len(curves) <= _MOST_NUMBERED:
        lowest = min(middles, key=lambda middle: middle[0]) if percent and len(middles) > 1 else None
        for middle in middles:
            _write_middle(panel, *middle, percent=percent, below=middle is lowest)


def _is_share(metric: str) -> bool:
    return metric.lower().endswith(_SHARES)


def _places_of(t: float, curve: LossCurve) -> list[int]:
    """The first point at ``t``, or none."""
    return [int(place) for place in np.flatnonzero(np.isclose(curve.ts, t, rtol=0.0, atol=1e-12))[:1]]


def _write_middle(panel: Axes, value: float, style: LineStyle, *, percent: bool, below: bool) -> None:
    text = f"{value:.1f} %" if percent else f"{value:{'.2f' if value >= 0.1 else '.2g'}}"
    panel.annotate(
        text, (0.5, value), xytext=(0, -9 if below else 9), textcoords="offset points",
        ha="center", va="top" if below else "bottom", fontsize=12, fontweight="bold", zorder=4,
        color=style.colour, bbox={"facecolor": "white", "alpha": 0.7, "pad": 0.5, "linewidth": 0},
    )  # fmt: skip


def _set_axes(panel: Axes, ends: tuple[str, str], *, percent: bool) -> None:
    low, high = panel.dataLim.intervalx
    panel.set_xlim(low - 0.03 * (high - low), high + 0.03 * (high - low))
    panel.set_xticks([0.0, 0.5, 1.0], [ends[0], "their average", ends[1]])
    first, _, last = panel.get_xticklabels()
    first.set_horizontalalignment("left")
    last.set_horizontalalignment("right")
    panel.tick_params(axis="both", labelsize=10.5, colors=INK, length=0)
    if percent:
        panel.yaxis.set_major_formatter(lambda value, _position: f"{value:g} %")
    panel.grid(axis="y", color=GRID, linewidth=0.8)
    panel.set_axisbelow(True)
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.spines["bottom"].set_color(FAINT)
