"""The look that pictures share; needs matplotlib, and leaves its global state and backend alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rebasin_fast.errors import MissingDependencyError

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class LineStyle(NamedTuple):
    """Colour, dashes and marker of a curve; no two styles share any of them."""

    colour: str
    dashes: str | tuple[int, tuple[float, ...]]
    marker: str


# Okabe and Ito's colours, distinct in every kind of colour vision.
STYLES = (
    LineStyle("#D55E00", (0, (5, 1.5)), "s"),
    LineStyle("#0072B2", "-", "o"),
    LineStyle("#009E73", (0, (1, 1)), "^"),
    LineStyle("#CC79A7", (0, (6, 1.5, 1, 1.5)), "D"),
    LineStyle("#E69F00", (0, (3, 1, 1, 1, 1, 1)), "v"),
)
INK = "#222222"
FAINT = "#767676"
GRID = "#DDDDDD"


def require_matplotlib(extra: str = "plot") -> None:
    """Raise MissingDependencyError, naming the ``extra`` that installs it, when matplotlib is not installed."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            f'drawing needs matplotlib, which is not installed: pip install "rebasin-fast[{extra}]"'
        ) from error


def axes_of(ax: Axes | None, *, size: tuple[float, float] = (5.6, 4.2)) -> Axes:
    """``ax``, or the axes of a new figure, which is not registered with pyplot: it is freed with its last reference."""
    require_matplotlib()
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(figsize=size, layout="constrained", facecolor="white").subplots()


def label_axes(ax: Axes, *, title: str | None = None, x: str | None = None, y: str | None = None) -> Axes:
    """Title and labels, a light grid, and no frame; returns ``ax``."""
    if title is not None:
        ax.set_title(title, loc="left", fontsize=11.5, color=INK)
    ax.set_xlabel(x or "", fontsize=10.5, color=INK)
    ax.set_ylabel(y or "", fontsize=10.5, color=INK)
    ax.tick_params(axis="both", labelsize=10, colors=INK, length=0)
    ax.grid(axis="y", color=GRID, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.spines["bottom"].set_color(FAINT)
    return ax
