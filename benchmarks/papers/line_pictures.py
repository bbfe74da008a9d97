"""The look of the pictures of Git Re-Basin: a colour and marker a method, dashes for test images."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from papers.matched_pairs import WORDS
from rebasin_fast import LossCurve
from rebasin_fast._drawing import FAINT, INK, label_axes
from rebasin_fast.plots import save_figure


class Look(NamedTuple):
    """Colour and marker of a method."""

    colour: str
    marker: str


LOOKS = {
    "naive": Look("#767676", ""),
    "activations": Look("#0072B2", "o"),
    "straight_through": Look("#D55E00", "s"),
    "weights": Look("#009E73", "^"),
    "ensemble": Look("#CC79A7", "D"),
    "joint": Look("#222222", ""),
    "both": Look("#E69F00", "v"),
    "groups": Look("#56B4E9", "P"),
}


def new_figure(
    panels: int, *, width: float = 4.3, height: float = 3.9, rows: int = 1
) -> tuple[Any, list[Any]]:
    """A figure with panels side by side, in rows."""
    from matplotlib.figure import Figure

    columns = -(-panels // rows)
    figure = Figure(figsize=(width * columns, height * rows + 0.5), layout="constrained", facecolor="white")
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)[:panels]


def draw_line(panel: Any, curve: LossCurve, metric: str, method: str, label: str | None = None) -> None:
    """One metric of a line; test images dashed and with hollow markers."""
    look, is_test = LOOKS[method], metric.startswith("test")
    panel.plot(
        curve.ts, curve.values[metric], color=look.colour, linestyle="--" if is_test else "-", linewidth=2,
        marker=look.marker or None, markersize=5, markerfacecolor="white" if is_test else look.colour, label=label,
    )  # fmt: skip


def draw_lines(panel: Any, curves: Mapping[str, LossCurve], quantity: str, title: str, label: str) -> None:
    """All methods' lines between the ends, on training and test images."""
    for method, curve in curves.items():
        for split in ("train", "test"):
            if f"{split}_{quantity}" in curve.values:
                draw_line(panel, curve, f"{split}_{quantity}", method, f"{WORDS[method]}, {split}")
    label_axes(panel, title=title, y=label)
    if quantity == "accuracy":
        panel.yaxis.set_major_formatter(lambda value, _position: f"{value:.0%}")
    name_ends(panel)


def name_ends(panel: Any, ends: Sequence[str] = ("model A", "model B")) -> None:
    """Names in place of t = 0 and 1."""
    panel.set_xticks([0.0, 1.0], list(ends))
    first, last = panel.get_xticklabels()
    first.set_horizontalalignment("left")
    last.set_horizontalalignment("right")


def save(figure: Any, panel: Any, path: Path, title: str, columns: int | None = None) -> None:
    """Write the figure with its title, and the legend of ``panel`` below."""
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold", color=INK)
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        frameon=False,
        fontsize=10,
        ncols=columns or max(1, int(figure.get_figwidth() / 2.9)),
        labelcolor=INK,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    save_figure(figure, path, overwrite=True)


def draw_barriers(
    panel: Any, places: Sequence[Any], barriers: Mapping[tuple[str, str], Sequence[float]], title: str, x: str
) -> None:
    """Barriers of (method, split) at places on the x axis."""
    for (method, split), values in barriers.items():
        look, is_test = LOOKS[method], split == "test"
        panel.plot(
            places, values, color=look.colour, linestyle="--" if is_test else "-", linewidth=2,
            marker=look.marker or "x", markersize=5, markerfacecolor="white" if is_test else look.colour,
            label=f"{WORDS[method]}, {split}",
        )  # fmt: skip
    label_axes(panel, title=title, x=x, y="loss barrier (nats)")
    panel.axhline(0, color=FAINT, linewidth=0.8)
