"""Two networks without errors that no permutation connects: the counterexample of Git Re-Basin.

Figure 6 of Ainsworth et al. 2022 (appendix A.6): two perceptrons of two hidden layers of two units, with the weights
of equations 4 and 5, label points of [-1, 1]² that are positive where x₁ < 0 and x₂ > 0. Each of the four permutations
of the second network's units is tried: the error on 25 points of the line to it, and the outputs along the line::

    python benchmarks/papers/counterexample.py

About 5 seconds. The points are the centres of a grid's cells, so that nothing is random.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line, finish
from common.environment import RESULTS, markdown_table

import rebasin_fast as rf
from rebasin_fast._drawing import FAINT, INK, STYLES, label_axes
from reference import counterexample as example

SHOWN = (0.0, 0.25, 0.5, 0.75, 1.0)  # places on the line whose outputs are drawn
# Read off the left panel of figure 6: all four curves rise from 0 and fall to 0.
PUBLISHED = "above 0 (figure 6)"


def main() -> None:
    parser = command_line(__doc__, "--results")
    parser.set_defaults(results=RESULTS / "papers")
    parser.add_argument("--quick", action="store_true", help="a coarse grid")
    options = parser.parse_args()
    points = example.grid(60 if options.quick else 400)
    ends = {
        name: rf.apply_permutation(example.SPEC, permutation, example.NETWORK_B)
        for name, permutation in example.all_permutations()
    }
    curves = {
        name: rf.loss_curve(
            lambda params: {"error": example.error(params, points)}, example.NETWORK_A, end, ts=25
        )
        for name, end in ends.items()
    }
    options.results.mkdir(parents=True, exist_ok=True)
    draw(curves, ends).savefig(options.results / "counterexample.png", dpi=110)
    finish("counterexample", *account(curves, len(points)), options.results)


def account(curves: dict[str, rf.LossCurve], count: int) -> tuple[dict[str, Any], str]:
    """Raw numbers and the table."""
    rows = []
    for name, curve in curves.items():
        error = curve.values["error"]
        ends, middle = f"{error[0]:.4f} / {error[-1]:.4f}", f"{error[len(error) // 2]:.4f}"
        rows.append([name, ends, middle, f"{curve.barrier(metric='error'):.4f}", PUBLISHED])
    table = markdown_table(
        ["permutation of B", "error of A / of B", "halfway", "barrier, ours", "barrier, published"], rows
    )
    note = (
        f"Error rate on the centres of {count:,} cells of [-1, 1]², 25 points on each line, the weights of the paper's "
        "equations 4 and 5, each of the 2!·2! = 4 permutations. The paper draws the same four curves on random points "
        "and prints no numbers. Halfway a quarter of the square is wrong under each: with the first layer in place all "
        "points within the line get the label 0, with it swapped the wrong region grows towards the middle."
    )
    raw = {name: curve.to_dict() for name, curve in curves.items()}
    return {"curves": raw, "points": count}, f"{table}\n\n{note}"


def draw(curves: dict[str, rf.LossCurve], ends: dict[str, Any]) -> Any:
    """The curves on the left, on the right the outputs: one row a permutation, one column a place on the line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 6.4), layout="constrained", facecolor="white")
    left, right = figure.subfigures(1, 2, width_ratios=[1, 1.25])
    axes = left.subplots()
    for style, (name, curve) in enumerate(curves.items()):
        curve.plot(axes, metric="error", label=name, style=style)
    axes.lines[0].set(linewidth=6.0, alpha=0.5)  # another line covers it
    axes.axhline(0.0, color=FAINT, linewidth=1.0)
    axes.legend(frameon=False, fontsize=10, loc="lower center", bbox_to_anchor=(0.5, 0.06))
    axes.set_xticks([0, 0.5, 1], ["A (t = 0)", "0.5", "B (t = 1)"])
    label_axes(axes, title="All permutations of B", x="t", y="share of wrong labels")
    panels = right.subplots(len(ends), len(SHOWN))
    for row, (name, end) in zip(panels, ends.items(), strict=True):
        row[0].set_ylabel(name, fontsize=10, color=STYLES[list(ends).index(name)].colour)
        for panel, t in zip(row, SHOWN, strict=True):
            draw_outputs(panel, rf.interpolate(example.NETWORK_A, end, t))
    for panel, t in zip(panels[0], SHOWN, strict=True):
        title = {0.0: "network A", 1.0: "network B"}.get(t, f"t = {t:g}")
        panel.set_title(title, fontsize=10, color=INK)
    right.supxlabel("outputs f(x), and the region where f(x) ≥ 0 (outlined)", fontsize=10.5, color=INK)
    return figure


def draw_outputs(panel: Any, params: Any, side: int = 120) -> None:
    """Outputs on [-1, 1]², and the region that is called positive."""
    points = example.grid(side)
    shape = (side + 2, side)
    found = example.outputs(params, points).reshape(shape)
    x, y = points[:, 0].reshape(shape), points[:, 1].reshape(shape)
    panel.contourf(x, y, found, levels=np.linspace(-2.0, 0.0, 13), cmap="copper", extend="min")
    positive = (found >= 0).astype(float)
    if 0.0 < positive.mean() < 1.0:
        panel.contour(x, y, positive, levels=[0.5], colors=[STYLES[1].colour], linewidths=2.0)
    elif positive.all():
        for spine in panel.spines.values():
            spine.set(color=STYLES[1].colour, linewidth=2.5)
    panel.set(xticks=[], yticks=[], aspect="equal")


if __name__ == "__main__":
    main()
