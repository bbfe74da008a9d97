"""Draws the pictures of the documentation into docs/images: ``python docs/make_pictures.py``; needs matplotlib.

``barrier.png`` is the picture of ``rebasin-fast demo -o docs/images/barrier.png`` and is not drawn here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

import rebasin_fast as rf

IMAGES = Path(__file__).parent / "images"
INK, FAINT = "#222222", "#767676"
# Okabe and Ito's colours, told apart by every kind of colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
PERMUTATION = (2, 0, 3, 1)


def new_figure(width: float, height: float) -> tuple[Figure, Any]:
    """One panel without frame; data units are tenths of an inch, so that circles are round."""
    figure = Figure(figsize=(width, height), facecolor="white")
    panel = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    panel.set(xlim=(0.0, 10.0 * width), ylim=(0.0, 10.0 * height))
    panel.axis("off")
    return figure, panel


def write(panel: Any, x: float, y: float, text: str, **options: Any) -> None:
    """Text centred at a point unless told otherwise."""
    panel.text(x, y, text, **{"ha": "center", "va": "center", "fontsize": 11, "color": INK, **options})


def equivalent() -> Figure:
    """One network drawn twice: the hidden units change places with their connections."""
    figure, panel = new_figure(9.0, 3.6)
    for left, order, title in (
        (6.0, (0, 1, 2, 3), "B"),
        (54.0, PERMUTATION, "B reordered: the same function"),
    ):
        write(panel, left + 15.0, 33.5, title, fontweight="bold", fontsize=11.5)
        inputs, outputs = [(left, y) for y in (9.0, 16.0, 23.0)], [(left + 30.0, y) for y in (12.0, 20.0)]
        hidden = [(left + 15.0, 27.0 - 7.2 * slot) for slot in range(4)]
        for slot, unit in enumerate(order):
            for x, y in (*inputs, *outputs):
                panel.plot(
                    (x, hidden[slot][0]), (y, hidden[slot][1]), color=COLOURS[unit], linewidth=1.4, zorder=1
                )
        for x, y in (*inputs, *outputs):
            panel.plot(x, y, "o", markersize=17, color="white", markeredgecolor=FAINT, zorder=2)
        for slot, unit in enumerate(order):
            panel.plot(*hidden[slot], "o", markersize=23, color=COLOURS[unit], zorder=2)
            write(panel, *hidden[slot], str(unit), color="white", fontweight="bold", zorder=3)
    return figure


def convention() -> Figure:
    """Which unit of B fills which slot of A."""
    figure, panel = new_figure(8.4, 3.0)
    columns = [16.0 + 12.0 * place for place in range(4)]
    write(panel, 11.0, 23.0, "B’s units", ha="right")
    write(panel, 11.0, 9.0, "slots of A", ha="right")
    for slot, unit in enumerate(PERMUTATION):
        for x, y, name, colour in (
            (columns[slot], 23.0, slot, COLOURS[slot]),
            (columns[slot], 9.0, unit, COLOURS[unit]),
        ):
            panel.add_patch(Rectangle((x - 3.0, y - 2.6), 6.0, 5.2, color=colour, zorder=2))
            write(panel, x, y, str(name), color="white", fontweight="bold", zorder=3)
        write(panel, columns[slot], 3.6, f"slot {slot}", fontsize=9.5, color=FAINT)
        panel.add_patch(
            FancyArrowPatch(
                (columns[unit], 20.2), (columns[slot], 11.8), arrowstyle="-|>", mutation_scale=13,
                color=COLOURS[unit], linewidth=1.8, zorder=1,
            )
        )  # fmt: skip
    lines = (
        (20.5, "perm = [2, 0, 3, 1]"),
        (16.0, "perm[i] = j:"),
        (12.5, "slot i takes unit j of B"),
        (8.0, "take(b, perm, axis)"),
    )
    for line, (y, text) in enumerate(lines):
        family = "monospace" if line in (0, 3) else "sans-serif"
        write(panel, 62.0, y, text, ha="left", family=family, fontsize=10.5)
    return figure


def spec() -> Figure:
    """Three layers; axes with the same units have the same colour."""
    figure, panel = new_figure(9.0, 3.7)
    layers = (
        (8.0, 12.0, 16.0, "fc1.weight", '("P", None)', COLOURS[0], None),
        (38.0, 16.0, 13.0, "fc2.weight", '("Q", "P")', COLOURS[1], COLOURS[0]),
        (70.0, 13.0, 7.0, "fc3.weight", '(None, "Q")', None, COLOURS[1]),
    )
    for x, width, height, name, entries, rows, columns in layers:
        bottom = 28.0 - height
        panel.add_patch(Rectangle((x, bottom), width, height, facecolor="#F1F1F1", edgecolor=FAINT))
        panel.add_patch(Rectangle((x - 2.2, bottom), 1.5, height, color=rows or "#CCCCCC"))
        panel.add_patch(Rectangle((x, 28.7), width, 1.5, color=columns or "#CCCCCC"))
        write(panel, x + width / 2, bottom + height / 2, name, fontsize=10.5)
        write(panel, x + width / 2, 33.2, "inputs", fontsize=9, color=FAINT)
        write(panel, x - 4.2, bottom + height / 2, "outputs", fontsize=9, color=FAINT, rotation=90)
        write(panel, x + width / 2, 8.2, entries, family="monospace", fontsize=10.5)
    legend = (
        (14.0, COLOURS[0], "units of P"),
        (38.0, COLOURS[1], "units of Q"),
        (62.0, "#CCCCCC", "never moves"),
    )
    for x, colour, text in legend:
        panel.add_patch(Rectangle((x - 3.0, 2.0), 2.0, 2.0, color=colour))
        write(panel, x, 3.0, text, ha="left", fontsize=10)
    return figure


def similarity() -> Figure:
    """Cosines of the units of two noisy copies of one layer, before and after matching."""
    rng = np.random.default_rng(0)
    layer = rf.PermutationSpec({"w": ("P", None)})
    a = {"w": rng.standard_normal((24, 40))}
    hidden = {"P": rng.permutation(24)}
    b = rf.apply_permutation(layer, hidden, {"w": a["w"] + rng.standard_normal((24, 40))})
    found = rf.weight_matching(layer, a, b).permutation
    figure = Figure(figsize=(7.6, 4.0), facecolor="white", layout="constrained")
    panels = figure.subplots(1, 2)
    for panel, weights, title in zip(
        panels,
        (b["w"], rf.apply_permutation(layer, found, b)["w"]),
        ("B in its own order", "B reordered: perm[i] = j moves column j to i"),
        strict=True,
    ):
        rows, columns = (w / np.linalg.norm(w, axis=1, keepdims=True) for w in (a["w"], weights))
        panel.imshow(rows @ columns.T, cmap="RdBu", vmin=-1.0, vmax=1.0)
        panel.set_title(title, fontsize=10.5, color=INK)
        panel.set(xticks=[], yticks=[])
        panel.set_xlabel("units of B", color=FAINT)
        panel.set_ylabel("units of A", color=FAINT)
    return figure


def barriers() -> Figure:
    """One curve, three barriers."""
    ts = np.linspace(0.0, 1.0, 201)
    losses = 0.2 + 0.4 * ts + 0.9 * np.exp(-(((ts - 0.36) / 0.17) ** 2)) * (1.0 - (2.0 * ts - 1.0) ** 8)
    curve = rf.LossCurve(ts, {"loss": losses})
    top, middle, mean = int(losses.argmax()), 100, (losses[0] + losses[-1]) / 2.0
    above = int((losses - losses[0] - ts * (losses[-1] - losses[0])).argmax())
    figure = Figure(figsize=(8.0, 4.2), facecolor="white", layout="constrained")
    panel = figure.subplots()
    panel.plot(ts, losses, color=INK, linewidth=2.4)
    panel.plot(
        [0.0, 1.0],
        [losses[0], losses[-1]],
        color=FAINT,
        linestyle="--",
        linewidth=1.2,
        label="line between the ends",
    )
    panel.plot([0.0, 1.0], [mean, mean], color=FAINT, linestyle=":", linewidth=1.4, label="mean of the ends")
    chord = losses[0] + ts[above] * (losses[-1] - losses[0])
    shown = (
        ("mean", ts[top] + 0.02, mean, losses[top], COLOURS[0], "highest point over the mean of the ends"),
        (
            "linear",
            ts[above] - 0.02,
            chord,
            losses[above],
            COLOURS[1],
            "highest rise over the line between them",
        ),
        ("midpoint", 0.5, mean, losses[middle], COLOURS[2], "their average over the mean of the ends"),
    )
    for place, (definition, x, low, high, colour, words) in enumerate(shown):
        arrow = {"arrowstyle": "<->", "color": colour, "linewidth": 2, "shrinkA": 0, "shrinkB": 0}
        panel.annotate("", (x, high), (x, low), arrowprops=arrow)
        text = f"{definition}  {curve.barrier(definition):.2f}"  # type: ignore[arg-type]
        panel.text(0.60, 1.22 - 0.14 * place, text, color=colour, fontsize=12, fontweight="bold")
        panel.text(0.60, 1.165 - 0.14 * place, words, color=FAINT, fontsize=9.5)
    panel.legend(loc="lower right", frameon=False, labelcolor=FAINT, fontsize=9.5)
    panel.set_xticks([0.0, 0.5, 1.0], ["A", "their average", "B"])
    panel.set_ylabel("loss", color=INK)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
    return figure


PICTURES: tuple[Callable[[], Figure], ...] = (equivalent, convention, spec, similarity, barriers)


def main() -> None:
    """Draw all of them."""
    IMAGES.mkdir(exist_ok=True)
    for picture in PICTURES:
        picture().savefig(IMAGES / f"{picture.__name__}.png", dpi=110)


if __name__ == "__main__":
    main()
