"""Draw time against n, log-log, one picture of all families, one line a solver."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any


def draw(rows: list[dict[str, Any]], folder: Path) -> list[Path]:
    """Draw the families that were measured at two sizes or more."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    for row in rows:
        row["family"] = "trained" if row["family"].startswith("trained") else row["family"]
    families = [
        f for f in dict.fromkeys(r["family"] for r in rows) if sum(r["family"] == f for r in rows) > 1
    ]
    if not families:
        return []
    across = min(4, len(families))
    down = math.ceil(len(families) / across)
    figure, axes = plt.subplots(
        down, across, figsize=(4 * across, 3.2 * down), squeeze=False, layout="constrained"
    )
    names = list(dict.fromkeys(name for row in rows for name in row["seconds"]))
    colours = {name: f"C{k % 10}" for k, name in enumerate(names)}
    for axis, family in zip(axes.flat, families, strict=False):
        for name in names:
            points = [
                (r["n"], 1e3 * r["seconds"][name])
                for r in rows
                if r["family"] == family and name in r["seconds"]
            ]
            if points:
                ours = name == "rebasin_fast"
                axis.loglog(
                    *zip(*points, strict=True),
                    marker="o",
                    markersize=3,
                    color="black" if ours else colours[name],
                    linewidth=2.2 if ours else 1,
                    label=name,
                )
        axis.set_title(family, fontsize=10)
        sizes = sorted({row["n"] for row in rows if row["family"] == family})
        axis.set_xticks(sizes, [str(n) for n in sizes], fontsize=8)
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    for axis in axes.flat[len(families) :]:
        axis.axis("off")
    for axis in axes[-1]:
        axis.set_xlabel("n")
    for axis in axes[:, 0]:
        axis.set_ylabel("ms, median")
    handles, labels = max((a.get_legend_handles_labels() for a in axes.flat), key=lambda pair: len(pair[1]))
    figure.legend(handles, labels, loc="outside lower center", ncols=5, fontsize=9)
    path = folder / "assignment.png"
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return [path]
