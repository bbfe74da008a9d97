"""Pictures of ito_singular.py: R, singular values, inputs along singular vectors, and width."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from papers.ito_tables import Parts, networks
from rebasin_fast._drawing import FAINT, STYLES, label_axes

COLOURS = {"none": STYLES[1].colour, "WM": STYLES[0].colour, "AM": STYLES[2].colour, "STE": STYLES[3].colour}
LABELS = {
    "none": "no permutation",
    "WM": "weight matching",
    "AM": "activation matching",
    "STE": "straight-through",
}


def drawn(parts: Parts, path: Path) -> None:
    """Draw the four panels into a PNG file."""
    figure = Figure(figsize=(12.5, 9.0), layout="constrained", facecolor="white")
    axes = figure.subplots(2, 2)
    _bars(axes[0, 0], parts)
    first = next(iter(record for part, record in parts.items() if not part.startswith("width")))
    _values(axes[0, 1], first)
    _inputs(axes[1, 0], first)
    _widths(axes[1, 1], parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def _bars(ax: Any, parts: Parts) -> None:
    groups = [(network, records, t) for network, records in networks(parts).items() for t in ("0.0", "0.3")]
    names = [name for name in LABELS if any(name in r["R"] for _, records, _ in groups for r in records)]
    for number, name in enumerate(names):
        found = [[r["R"][name][t] for r in records if name in r["R"]] for _, records, t in groups]
        heights, errors = (
            [function(each) if each else 0.0 for each in found] for function in (np.mean, np.std)
        )
        places = np.arange(len(groups)) + 0.8 / len(names) * (number - (len(names) - 1) / 2)
        ax.bar(places, heights, 0.75 / len(names), yerr=errors, color=COLOURS[name], label=LABELS[name])
    short = [f"{network.split(',')[0].replace(' ', chr(10))}\nγ = {float(t):g}" for network, _, t in groups]
    ax.set_xticks(range(len(groups)), labels=short)
    ax.legend(frameon=False)
    label_axes(ax, title="R of two networks (figure 2 of the paper)", y="R")
    ax.tick_params(axis="x", labelsize=8.5)


def _values(ax: Any, record: dict[str, Any]) -> None:
    lines = {
        "A": ("A", STYLES[0]),
        "B": ("B", STYLES[1]),
        "none": ("average", STYLES[3]),
        "WM": ("average, WM", STYLES[2]),
    }
    for name, (label, style) in lines.items():
        values = record["values"][name]
        ax.plot(
            range(1, len(values) + 1),
            values,
            color=style.colour,
            linestyle=style.dashes,
            linewidth=2.0,
            label=label,
        )
    ax.set_xscale("log")
    ax.legend(frameon=False)
    label_axes(
        ax,
        title=f"Singular values of layer {record['shown']}",
        x="number of the singular value",
        y="singular value",
    )


def _inputs(ax: Any, record: dict[str, Any]) -> None:
    lines = {
        "own": ("inputs of A", STYLES[0]),
        "WM": ("of the average, WM", STYLES[2]),
        "none": ("of the average", STYLES[3]),
    }
    for name, (label, style) in lines.items():
        found = record["inputs"][name]
        ax.plot(found["cosines"], ".", color=style.colour, markersize=4, label=label)
    ax.axhline(found["chance"], color=FAINT, linestyle=":", label="random directions")
    ax.set_yscale("log")
    ax.legend(frameon=False)
    label_axes(
        ax, title=f"Inputs along A's right singular vectors, layer {record['shown']}",
        x="index of the singular value", y="mean |v · x| / ‖x‖",
    )  # fmt: skip


def _widths(ax: Any, parts: Parts) -> None:
    records = {int(part.split()[1]): r for part, r in parts.items() if part.startswith("width")}
    if not records:
        ax.set_axis_off()
        return
    for name, label in list(LABELS.items())[:3]:
        for t, dashes in (("0.0", ":"), ("0.3", "-")):
            heights = [r["R"][name][t] for r in records.values()]
            ax.plot(
                list(records),
                heights,
                color=COLOURS[name],
                linestyle=dashes,
                marker="o",
                label=f"R, {label}, γ = {float(t):g}",
            )
    reductions = [r["reduction"]["WM"] for r in records.values()]
    ax.plot(
        list(records),
        reductions,
        color=STYLES[4].colour,
        marker="s",
        linestyle="--",
        label="reduction of the distance, WM",
    )
    ax.set_xscale("log", base=2)
    ax.set_xticks(list(records), labels=map(str, records))
    ax.set_ylim(top=1.5 * ax.get_ylim()[1])
    ax.legend(frameon=False, fontsize=8.5, loc="upper center", ncols=2)
    label_axes(ax, title="Width", x="units of each hidden layer", y="R, reduction")
