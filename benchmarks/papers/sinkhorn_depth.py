"""Loss during the training of Sinkhorn re-basin against depth, as drawn in its paper (Peña et al., CVPR 2023).

Planted permutations by the cost C_L2: perceptrons with 2 to 16 hidden layers of ten units, and narrow VGGs of 11 to 19
layers, all with their first weights; and independently trained MNIST perceptrons with 1 to 8 hidden layers of 128 units
by C_Mid and C_Rnd. The loss is that of the rounded permutations after each step, as a share of that before the first::

    REBASIN_FAST_DATA=/path/to/data python benchmarks/papers/sinkhorn_depth.py

The MNIST networks are trained first where the cache lacks them. 5 minutes on one core.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line, earlier_results, finish
from common.environment import RESULTS, markdown_table, write_results
from networks import polynomials
from networks.small_sets import SmallSet, perceptron_of

import rebasin_fast as rf
from rebasin_fast._drawing import INK, STYLES, label_axes
from rebasin_fast.permutation import random_permutation

NAME = "sinkhorn_depth"
# Convolutions of each stage, and the channels of a stage in units of the width.
VGGS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
MULTIPLES = (1, 2, 4, 8, 8)
PANELS = {
    "perceptrons": "Perceptrons, planted, C_L2",
    "vgg": "VGG, planted, C_L2",
    "midpoint": "MNIST perceptrons, C_Mid",
    "random": "MNIST perceptrons, C_Rnd",
}
PUBLISHED = {
    "perceptrons": "drawn: validation loss by number of hidden layers",
    "vgg": "drawn: validation loss by depth of the VGG",
    "midpoint": "",
    "random": "",
}

Params = dict[str, Tensor]


def vgg(layers: int, width: int) -> nn.Sequential:
    """Convolutions with ReLU in five stages, and a linear layer."""
    modules: list[nn.Module] = []
    channels = 3
    for count, multiple in zip(VGGS[layers], MULTIPLES, strict=True):
        for _ in range(count):
            modules += [nn.Conv2d(channels, multiple * width, 3, padding=1), nn.ReLU()]
            channels = multiple * width
        modules.append(nn.MaxPool2d(2))
    return nn.Sequential(*modules, nn.Flatten(), nn.Linear(channels, 10))


def planted(model: nn.Module, seed: int, steps: int) -> list[float]:
    """Losses while a planted permutation is found by C_L2."""
    a = {name: value.detach() for name, value in model.state_dict().items()}
    spec = rf.specs.for_params(a)
    order = random_permutation(spec, spec.sizes(a), np.random.default_rng(seed))
    b = rf.apply_permutation(spec, order, a)
    found = rf.sinkhorn_matching(spec, None, a, b, rng=seed, steps=steps, evaluate_every=1)
    return along(found, steps)


def along(found: Any, steps: int) -> list[float]:
    """The loss of the rounded permutations after each step; comparisons are left out where nothing changed."""
    losses, known = [], dict(found.evaluations)
    for step in range(steps + 1):
        losses.append(known.get(step, losses[-1] if losses else found.first_loss))
    return losses


def trained(layers: int, objective: Any, options: argparse.Namespace) -> list[float]:
    """Midpoint losses on 2,000 training images while two MNIST networks are matched."""
    images = SmallSet("mnist")
    a, b = (images.trained(seed, (128,) * layers, options.cache, options.training_epochs) for seed in (0, 1))
    found = rf.sinkhorn_matching(
        rf.specs.for_params(a), perceptron_of(a), a, b, images.batches(options.cache), functional.cross_entropy,
        objective=objective, steps=options.mnist_steps, evaluate_every=2, kept_batches=2,
    )  # fmt: skip
    return along(found, options.mnist_steps)


def runs(options: argparse.Namespace, done: dict[str, Any]) -> Iterator[tuple[str, str, list[float]]]:
    """Panel, depth and losses, one after the other, without those that are done."""

    def left(panel: str, depths: Iterable[int]) -> list[int]:
        return [depth for depth in depths if str(depth) not in done.get(panel, {})]

    for layers in left("perceptrons", options.depths):
        many = []
        for seed in range(options.seeds):
            torch.manual_seed(seed)
            many.append(planted(polynomials.regressor(layers), seed, options.steps))
        yield "perceptrons", str(layers), np.mean([np.array(one) / one[0] for one in many], axis=0).tolist()
    for layers in left("vgg", VGGS):
        torch.manual_seed(0)
        losses = planted(vgg(layers, options.vgg_width), 0, options.steps)
        yield "vgg", str(layers), (np.array(losses) / losses[0]).tolist()
    for objective in ("midpoint", "random"):
        for layers in left(objective, options.mnist_depths):
            yield objective, str(layers), trained(layers, objective, options)


def table(results: dict[str, Any]) -> str:
    cells = []
    for panel, title in PANELS.items():
        for depth, losses in results.get(panel, {}).items():
            values = np.minimum.accumulate(losses)
            zero = np.flatnonzero(values == 0)
            reached = str(zero[0]) if zero.size else ""
            cells.append([
                title, depth, PUBLISHED[panel], f"{losses[0]:.3f}", f"{values[-1]:.3f}", reached,
            ])  # fmt: skip
    header = [
        "networks",
        "layers",
        "published (a figure)",
        "loss before",
        "lowest loss, ours",
        "steps to zero",
    ]
    return markdown_table(header, cells)


def draw(results: dict[str, Any], path: Path) -> None:
    """One panel a kind of network, one line a depth."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13.6, 3.9), layout="constrained", facecolor="white")
    for ax, (panel, title) in zip(figure.subplots(1, len(PANELS)), PANELS.items(), strict=True):
        for style, (depth, losses) in zip(STYLES, results.get(panel, {}).items(), strict=False):
            ax.plot(
                losses, color=style.colour, linestyle=style.dashes, linewidth=1.9, label=f"{depth} layers"
            )
        share = panel in ("perceptrons", "vgg")
        label_axes(ax, x="step", y="share of the first loss" if share else "midpoint loss")
        ax.set_title(title, loc="left", fontsize=10.5, color=INK)
        if ax.lines:
            ax.legend(frameon=False, fontsize=9)
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = command_line(__doc__, "--results", "--cache")
    parser.set_defaults(results=RESULTS / "papers")
    parser.add_argument(
        "--depths", type=int, nargs="+", default=[2, 4, 8, 16], help="of the planted perceptrons"
    )
    parser.add_argument("--mnist-depths", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--seeds", type=int, default=3, help="of the planted perceptrons")
    parser.add_argument("--steps", type=int, default=100, help="of C_L2")
    parser.add_argument("--mnist-steps", type=int, default=120)
    parser.add_argument("--training-epochs", type=int, default=30, help="of the MNIST perceptrons")
    parser.add_argument("--vgg-width", type=int, default=4, help="channels of the VGGs' first stage")
    parser.add_argument("--quick", action="store_true", help="few steps, depths and seeds")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.quick:
        options.depths, options.mnist_depths, options.seeds = [2, 4], [1], 1
        options.steps, options.mnist_steps, options.training_epochs = 30, 10, 2
    earlier = earlier_results(NAME, options.results)
    settings: dict[str, Any] = {
        key: value for key, value in vars(options).items() if key not in ("cache", "results", "quick")
    }
    results: dict[str, Any] = earlier if earlier.get("settings") == settings else {"settings": settings}
    results.pop("environment", None)
    options.results.mkdir(parents=True, exist_ok=True)
    for panel, depth, losses in runs(options, results):
        results.setdefault(panel, {})[depth] = losses
        print(f"{panel}, {depth}: {losses[0]:.4f} to {min(losses):.4f}", file=sys.stderr, flush=True)
        write_results(NAME, results, table(results), options.results)
    draw(results, options.results / f"{NAME}.png")
    note = (
        f"Losses of the rounded permutations. C_L2: squared distance as a share of that before the first step; the "
        f"perceptrons' is the mean of {options.seeds} seeds, the VGGs have {options.vgg_width} channels in the first "
        "stage instead of 64, and their first weights. MNIST: midpoint loss on 2,000 of the 9,000 training images (the "
        "published program validates on training images too); networks trained for "
        f"{options.training_epochs} epochs."
    )
    title = "### Loss during the training of Sinkhorn re-basin against depth, as in Peña et al., CVPR 2023"
    finish(NAME, results, f"{title}\n\n{table(results)}\n\n{note}", options.results)


if __name__ == "__main__":
    main()
