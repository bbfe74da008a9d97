"""Are three networks linearly connected all at once? Losses over the simplex of three MNIST perceptrons.

Sharma et al. 2024 (arXiv 2404.06498) call networks weakly connected where each pair has a permutation of its own that
connects it, and strongly where one permutation for each network simultaneously connects it with all the others. Three
perceptrons 784-w-w-w-10 (seeds 0, 1, 2) as they are, the second and third matched to the first by weights, and all
three matched in common by MergeMany: barriers of the pairs and of the simplex, against the width w::

    REBASIN_FAST_DATA=/path/to/data python benchmarks/papers/strong_connectivity.py

About three minutes, and a minute at most for each of nine networks that is not in the cache. Finished simplices are
kept there.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line, finish
from common.environment import RESULTS, markdown_table
from networks import mnist
from networks.storage import Params

import rebasin_fast as rf
from rebasin_fast._drawing import STYLES, label_axes
from rebasin_fast.analysis import LossSimplex, loss_simplex

AS_THEY_ARE, TO_FIRST, IN_COMMON = "as they are", "matched to the first", "matched in common"
SEEDS = (0, 1, 2)
WIDTHS = (32, 128, 512)
POINTS = 9  # on each edge
PUBLISHED = {AS_THEY_ARE: "", TO_FIRST: "falls with the width", IN_COMMON: ""}

Simplices = dict[str, LossSimplex]


def main() -> None:
    parser = command_line(__doc__, "--results", "--cache")
    parser.set_defaults(results=RESULTS / "papers")
    parser.add_argument("--widths", type=int, nargs="+", default=list(WIDTHS))
    parser.add_argument("--quick", action="store_true", help="the narrowest networks, few points and images")
    options = parser.parse_args()
    if options.quick:
        options.widths = options.widths[:1]
    found: dict[int, Simplices] = {}
    weak: dict[int, float] = {}
    for width in options.widths:
        models = [mnist.trained_mlp(seed, options.cache, (width,) * 3) for seed in SEEDS]
        found[width] = {
            name: simplex(name, each, width, options) for name, each in alignments(models).items()
        }
        line = rf.loss_curve(evaluator(options), models[1], matched(models[1], models[2]), ts=POINTS)
        weak[width] = line.barrier("linear")
    options.results.mkdir(parents=True, exist_ok=True)
    draw(found).savefig(options.results / "strong_connectivity.png", dpi=110)
    finish("strong_connectivity", *account(found, weak, options), options.results)


def matched(to: Params, model: Params) -> Params:
    """A network with its units matched to those of another by weights."""
    spec = rf.specs.for_params(to)
    return rf.apply_permutation(spec, rf.weight_matching(spec, to, model).permutation, model)


def alignments(models: list[Params]) -> dict[str, list[Params]]:
    """The three networks, their units in each order."""
    spec = rf.specs.for_params(models[0])
    common = rf.merge_many(spec, models).permutations
    return {
        AS_THEY_ARE: models,
        TO_FIRST: [models[0], *(matched(models[0], model) for model in models[1:])],
        IN_COMMON: [rf.apply_permutation(spec, p, m) for p, m in zip(common, models, strict=True)],
    }


def evaluator(options: argparse.Namespace) -> Any:
    images = mnist.load_images("test")
    count = 500 if options.quick else len(images.labels)
    images = mnist.Images(images.inputs[:count], images.labels[:count])
    return lambda params: mnist.evaluate(params, images)


def simplex(name: str, models: list[Params], width: int, options: argparse.Namespace) -> LossSimplex:
    """Test loss and accuracy over the simplex, from the cache where it was measured before."""
    points = 4 if options.quick else POINTS
    path = options.cache / f"simplex_mnist_{width}_{name.replace(' ', '_')}_{points}points.npz"
    if path.exists():
        return LossSimplex.load(path)
    print(f"width {width}, {name}", file=sys.stderr)
    found = loss_simplex(evaluator(options), models, points_per_edge=points, progress=True)
    found.save(path)
    return found


def account(
    found: dict[int, Simplices], weak: dict[int, float], options: argparse.Namespace
) -> tuple[dict[str, Any], str]:
    """Raw numbers and the table."""
    rows, raw = [], []
    for width, simplices in found.items():
        for name, each in simplices.items():
            pairs = each.edge_barriers()
            centre = int(np.argmax(each.weights.min(axis=1)))
            row = {
                "width": width, "units": name, "pairs": [pairs[i, j] for i, j in ((0, 1), (0, 2), (1, 2))],
                "alone": weak[width], "simplex": each.barrier(), "accuracy": each.barrier("accuracy"),
                "loss of the mean": each.values["loss"][centre],
                "accuracy of the mean": each.values["accuracy"][centre],
            }  # fmt: skip
            raw.append(row)
            rows.append(
                [
                    f"{width}, {name}", *(f"{barrier:.4f}" for barrier in row["pairs"]), f"{row['alone']:.4f}",
                    f"{row['simplex']:.4f}", f"{row['loss of the mean']:.4f}", f"{row['accuracy of the mean']:.2%}",
                    PUBLISHED[name],
                ]
            )  # fmt: skip
    header = [
        "width, units", "0-1", "0-2", "1-2", "1-2 by themselves", "simplex", "loss of the mean", "its accuracy",
        "published, simplex",
    ]  # fmt: skip
    images = 500 if options.quick else 10_000
    note = (
        f"Barriers of the test loss ({images:,} MNIST images, nats) of perceptrons 784-w-w-w-10, seeds 0, 1, 2: the "
        "largest excess over the same mean of the networks' own losses, on the line between two or on the simplex of "
        f"all three ({4 if options.quick else POINTS} points an edge, and the mean of all). *1-2 by themselves*: "
        "network 2 matched to network 1 directly, which is weak linear connectivity of this pair; *1-2* of the second "
        "row, where both were matched to network 0, tests the strong one. Sharma et al. state that barriers decrease "
        "with increasing width when interpolating among three networks; their abstract has no numbers."
    )
    return {"rows": raw}, f"{markdown_table(header, rows)}\n\n{note}"


def draw(found: dict[int, Simplices]) -> Any:
    """A triangle for each alignment of the widest networks, and barriers against the width."""
    from matplotlib.figure import Figure

    widest = found[max(found)]
    figure = Figure(figsize=(17, 4.3), layout="constrained", facecolor="white")
    panels = figure.subplots(1, len(widest) + 1)
    for axes, (name, each) in zip(panels, widest.items(), strict=False):
        each.plot(axes)
        axes.set_title(f"{name}: {axes.get_title('left')}", loc="left", fontsize=11)
    for (colour, dashes, marker), name in zip(STYLES, widest, strict=False):
        barriers = [simplices[name].barrier() for simplices in found.values()]
        panels[-1].plot(
            list(found), barriers, color=colour, linestyle=dashes, marker=marker, linewidth=2.2, label=name
        )
    panels[-1].set_xscale("log", base=2)
    panels[-1].set_yscale("symlog", linthresh=0.01)  # a barrier may be 0
    panels[-1].set_yticks([0, 0.01, 0.1, 1], ["0", "0.01", "0.1", "1"])
    panels[-1].minorticks_off()
    panels[-1].set_ylim(-0.003, 5.0)
    panels[-1].set_xticks(list(found), [str(width) for width in found])
    panels[-1].legend(frameon=False, fontsize=10)
    label_axes(panels[-1], title="Barrier over the simplex", x="width", y="excess of the test loss")
    return figure


if __name__ == "__main__":
    main()
