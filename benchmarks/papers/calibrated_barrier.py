"""How much of a barrier is confidence? Losses along the line with one softmax temperature fitted at each point.

Ito et al. 2026 (Do We Really Need Permutations?, ICLR, arXiv 2510.08023) find that wide networks are linearly connected
without any permutation once the temperature of the softmax is fitted: the average of two networks has small logits, so
that it is right and unsure. Here networks of the usual width, naive and matched by weights, with and without
temperature: MNIST perceptrons, CIFAR-10 VGG-16s with LayerNorm, and the two public ResNet-20s with BatchNorm reset::

    REBASIN_FAST_DATA=/path/to/data python benchmarks/papers/calibrated_barrier.py

About six minutes. Finished lines are kept in the cache; networks that are not trained yet are left out, and said.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line, finish
from common.environment import RESULTS, markdown_table
from networks import cifar, mnist, resnet20, training
from networks.cifar_training import Recipe

import rebasin_fast as rf
from rebasin_fast._drawing import STYLES, label_axes
from rebasin_fast.evaluation import Evaluator

Params = Mapping[str, Any]
Batches = list[tuple[torch.Tensor, torch.Tensor]]

BATCH = 500
TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)  # of a temperature
# Table 1 of the paper, t = 1/2: barrier of the loss without permutation, and after weight matching.
PUBLISHED = {
    "MNIST perceptron": "0.013 / -0.003 (16 times the width)",
    "CIFAR-10 VGG-16": "0.066 / 0.177 (VGG-11, 16 times the width)",
    "CIFAR-10 ResNet-20": "0.087 / 0.173 (32 times the width)",
}


@dataclass(frozen=True)
class Pair:
    """Two networks, the model that runs them, and their data."""

    family: str
    name: str
    ends: tuple[Params, Params]
    model: torch.nn.Module
    test: Batches
    held_out: Batches
    points: int
    batch_norm: list[torch.Tensor] | None = None
    norm_groups: int | None = None  # 1 for LayerNorm

    def evaluator(self) -> Evaluator:
        """Measures on the test images with a temperature of the held-out ones."""
        return Evaluator(
            self.model, self.test, batch_norm_batches=self.batch_norm, calibration_batches=self.held_out
        )


def main() -> None:
    parser = command_line(__doc__, "--results", "--cache", "--threads")
    parser.set_defaults(results=RESULTS / "papers")
    parser.add_argument("--pairs", nargs="+", choices=list(PAIRS), default=list(PAIRS))
    parser.add_argument("--quick", action="store_true", help="narrow perceptrons, few points and images")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    curves: dict[str, dict[str, rf.LossCurve]] = {}
    families: dict[str, str] = {}
    missing = []
    for kind in options.pairs[:1] if options.quick else options.pairs:
        try:
            for pair in PAIRS[kind](options):
                curves[pair.name], families[pair.name] = measured(pair, options.cache), pair.family
        except SystemExit as untrained:
            missing.append(str(untrained))
    options.results.mkdir(parents=True, exist_ok=True)
    draw(curves, families).savefig(options.results / "calibrated_barrier.png", dpi=110)
    finish("calibrated_barrier", *account(curves, families, missing), options.results)


def mnist_pairs(options: argparse.Namespace) -> list[Pair]:
    """Three pairs of perceptrons; half the test images are held out for the temperature."""
    hidden = (32, 32, 32) if options.quick else mnist.HIDDEN
    images = mnist.load_images("test")
    count = 1000 if options.quick else 10_000
    data = torch.from_numpy(images.inputs), torch.from_numpy(images.labels)
    # Every other image: the two halves of the file were written by different people.
    test, held_out = halves(data, slice(0, count, 2)), halves(data, slice(1, count, 2))
    params = [mnist.trained_mlp(seed, options.cache, hidden) for seed in range(3)]
    model = training.perceptron(784, *hidden, 10)
    family, points = "MNIST perceptron", 5 if options.quick else 25
    return [
        Pair(
            family,
            f"MNIST perceptron {hidden[0]}, seeds {a}, {b}",
            (params[a], params[b]),
            model,
            test,
            held_out,
            points,
        )
        for a, b in ((0, 1), (0, 2), (1, 2))
    ]


def vgg_pairs(options: argparse.Namespace) -> list[Pair]:
    """A pair of narrow VGG-16s with LayerNorm."""
    recipes = [Recipe("vgg16", 16, seed, 8) for seed in (0, 1)]
    first, second = (recipe.after(8, options.cache) for recipe in recipes)
    data = cifar_data("test", options.cache)
    test, held_out = halves(data, slice(None, 2000)), halves(data, slice(8000, 10_000))
    name = "CIFAR-10 VGG-16, width 16 of 64, seeds 0, 1"
    return [
        Pair("CIFAR-10 VGG-16", name, (first, second), recipes[0].build(), test, held_out, 3, norm_groups=1)
    ]


def resnet_pairs(options: argparse.Namespace) -> list[Pair]:
    """The two public ResNet-20s, BatchNorm reset on training images at each point."""
    data = cifar_data("test", options.cache)
    test, held_out = halves(data, slice(None, 1000)), halves(data, slice(9000, 10_000))
    inputs, _ = cifar_data("train", options.cache)
    ends = resnet20.load_checkpoint("a"), resnet20.load_checkpoint("b")
    family, name = "CIFAR-10 ResNet-20", "CIFAR-10 ResNet-20, public, BatchNorm reset"
    reset = list(inputs[:1000].split(BATCH))
    return [Pair(family, name, ends, resnet20.ResNet20().eval(), test, held_out, 3, reset)]


PAIRS: dict[str, Callable[[argparse.Namespace], list[Pair]]] = {
    "mnist": mnist_pairs, "resnet20": resnet_pairs, "vgg16": vgg_pairs,
}  # fmt: skip


def cifar_data(split: str, cache: Path) -> tuple[torch.Tensor, torch.Tensor]:
    images = cifar.load_images(split, cache).first(10_000)
    return torch.from_numpy(cifar.normalised(images.pixels)), torch.from_numpy(images.labels.astype("int64"))


def halves(data: tuple[torch.Tensor, torch.Tensor], rows: slice) -> Batches:
    """These rows as batches."""
    inputs, labels = data[0][rows], data[1][rows]
    return list(zip(inputs.split(BATCH), labels.split(BATCH), strict=True))


def measured(pair: Pair, cache: Path) -> dict[str, rf.LossCurve]:
    """The calibrated curves of a pair as it is and matched, from the cache where they are there."""
    a, b = pair.ends
    curves = {}
    for units in ("naive", "matched"):
        name = "".join(c if c.isalnum() else "_" for c in f"calibrated_{pair.name}_{units}_{pair.points}")
        path = cache / f"{name}_{sum(len(labels) for _, labels in pair.test)}images.npz"
        if not path.exists():
            print(f"{pair.name}, {units}", file=sys.stderr)
            end = b if units == "naive" else matched(pair)
            evaluate = pair.evaluator()
            rf.loss_curve(evaluate, a, end, pair.points, calibrate="temperature", progress=True).save(path)
        curves[units] = rf.LossCurve.load(path)
    return curves


def matched(pair: Pair) -> Params:
    """The second network with its units matched to those of the first by weights."""
    a, b = pair.ends
    hints = {} if pair.norm_groups is None else {"norm_groups": pair.norm_groups}
    spec = rf.specs.for_params(a, **hints)
    return rf.apply_permutation(spec, rf.weight_matching(spec, a, b).permutation, b)


def account(
    curves: dict[str, dict[str, rf.LossCurve]], families: dict[str, str], missing: list[str]
) -> tuple[dict[str, Any], str]:
    """Raw numbers and the table."""
    rows = []
    for name, pair in curves.items():
        for units, curve in pair.items():
            middle = len(curve.ts) // 2
            values = {metric: column[middle] for metric, column in curve.values.items()}
            rows.append(
                [
                    f"{name}, {units}", f"{values['loss']:.3f}", f"{values['calibrated_loss']:.3f}",
                    f"{values['temperature']:.3f}", f"{values['accuracy']:.2%}",
                    f"{curve.barrier('midpoint'):.3f}", f"{curve.barrier('midpoint', 'calibrated_loss'):.3f}",
                    f"{values['ece']:.3f}", f"{values['calibrated_ece']:.3f}", PUBLISHED[families[name]],
                ]
            )  # fmt: skip
    header = [
        "pair, units", "loss halfway", "calibrated", "temperature", "accuracy", "barrier", "calibrated barrier", "ECE",
        "calibrated ECE", "published barrier, naive / matched",
    ]  # fmt: skip
    note = (
        "Barriers at the midpoint as in the paper, test loss in nats; 25 points on a line (MNIST), 3 (CIFAR-10). The "
        "temperature is fitted at every point, the ends included, on as many test images beside those that are "
        "measured: 5,000 (MNIST), 2,000 (VGG-16), 1,000 (ResNet-20). Networks here have 1 (perceptron, ResNet-20) and "
        "1/4 (VGG-16) times the usual width; the published, of its table 1, 16 and 32 times it, and a weight decay of "
        "0.003. The ResNet-20s are two public checkpoints with BatchNorm statistics measured again on 1,000 training "
        "images. At these widths CIFAR-10's barriers are not confidence alone: the answers are wrong, too."
    )
    if missing:
        note += " Left out: " + "; ".join(missing) + "."
    raw = {name: {units: curve.to_dict() for units, curve in pair.items()} for name, pair in curves.items()}
    return {"curves": raw, "missing": missing}, f"{markdown_table(header, rows)}\n\n{note}"


def draw(curves: dict[str, dict[str, rf.LossCurve]], families: dict[str, str]) -> Any:
    """A column a family, its loss above and its temperature below; the mean over pairs where there are several."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, NullLocator

    order = list(dict.fromkeys(families[name] for name in curves))
    figure = Figure(figsize=(4.6 * len(order) + 0.6, 6.6), layout="constrained", facecolor="white")
    panels = figure.subplots(2, len(order), squeeze=False, height_ratios=[2, 1], sharex=True)
    for column, family in zip(panels.T, order, strict=True):
        group = [pair for name, pair in curves.items() if families[name] == family]
        for units, (plain, fitted) in {"naive": (0, 4), "matched": (1, 2)}.items():
            mean = mean_of([pair[units] for pair in group])
            mean.plot(column[0], metric="loss", label=units, style=plain)
            mean.plot(column[0], metric="calibrated_loss", label=f"{units}, calibrated", style=fitted)
            mean.plot(column[1], metric="temperature", style=plain)
        column[0].set_ylim(bottom=0.0)
        column[1].set_yscale("log")
        column[1].yaxis.set(
            major_locator=FixedLocator(TICKS), minor_locator=NullLocator(), major_formatter="{x:g}"
        )
        column[1].axhline(1.0, color=STYLES[3].colour, linewidth=0.8)
        label_axes(column[0], title=family, y="test loss" if family == order[0] else None)
        label_axes(column[1], x="t", y="temperature" if family == order[0] else None)
    panels[0][0].legend(frameon=False, fontsize=9.5)
    return figure


def mean_of(curves: list[rf.LossCurve]) -> rf.LossCurve:
    values = {name: np.mean([curve.values[name] for curve in curves], axis=0) for name in curves[0].values}
    return rf.LossCurve(curves[0].ts, values)


if __name__ == "__main__":
    main()
