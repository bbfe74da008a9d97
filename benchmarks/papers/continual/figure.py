"""The accuracy of some tasks over time, as Guerrero-Peña et al. draw it."""

from pathlib import Path
from typing import Any

import numpy as np

from papers.continual.accuracy import Matrix

TASKS = (1, 5, 10, 15)
LINES = ("finetuning", "EWC", "LwF", "A-GEM", "re-basin", "re-basin, Fisher penalty")


def draw(found: dict[str, list[Matrix]], title: str, path: Path) -> None:
    """One panel a task; mean over seeds with one standard deviation; joint training as a level."""
    from matplotlib.figure import Figure

    from rebasin_fast._drawing import FAINT, INK, STYLES, LineStyle, label_axes

    styles = (*STYLES, LineStyle(INK, (0, (4, 2)), "P"))
    names = LINES if LINES[0] in found else tuple(found)[: len(styles)]
    sizes = [len(matrix) for name in names for matrix in found.get(name, [])]
    if not sizes:
        return
    tasks = [task for task in TASKS if task < sizes[0]] or [1]
    figure = Figure(figsize=(max(7.5, 3.3 * len(tasks)), 3.9), layout="constrained", facecolor="white")
    panels = figure.subplots(1, len(tasks), sharey=True, squeeze=False)[0]
    for panel, task in zip(panels, tasks, strict=True):
        for name, style in zip(names, styles, strict=False):
            if found.get(name):
                line(panel, name, style, found[name], task)
        if found.get("joint"):
            level = 100 * np.mean([matrix[-1, -1] for matrix in found["joint"]])
            panel.axhline(level, color=FAINT, linewidth=1.2, linestyle=(0, (2, 2)), label="joint training")
        label_axes(
            panel, title=f"Task {task}", x="tasks learned", y="accuracy, %" if task == tasks[0] else None
        )
        panel.set_xticks([task, *range(5 * (task // 5) + 5, sizes[0] + 1, 5)])
    handles, labels = panels[0].get_legend_handles_labels()
    rows = 1 if sum(map(len, labels)) < 100 else 2
    columns = -(-len(labels) // rows)
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False, labelcolor=INK)
    figure.suptitle(title, fontsize=11.5, color=INK, x=0.01, ha="left")
    figure.savefig(path, dpi=130)


def line(panel: Any, name: str, style: Any, matrices: list[Matrix], task: int) -> None:
    """One method's accuracy on a task from the time when it was learned."""
    values = 100 * np.stack([matrix[task - 1 :, task - 1] for matrix in matrices])
    times, mean = np.arange(task, task + values.shape[1]), values.mean(axis=0)
    panel.plot(
        times,
        mean,
        color=style.colour,
        linestyle=style.dashes,
        marker=style.marker,
        markersize=3.5,
        label=name,
    )
    if len(values) > 1:
        deviation = values.std(axis=0, ddof=1)
        panel.fill_between(
            times, mean - deviation, mean + deviation, color=style.colour, alpha=0.15, linewidth=0
        )
