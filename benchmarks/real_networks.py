"""What matching buys two pairs of real networks, trained apart: MNIST perceptrons and CIFAR-10 ResNet-20s.

One command makes both tables of the README::

    REBASIN_FAST_DATA=/path/to/data python benchmarks/real_networks.py

It trains the two MNIST networks first (a minute each on two cores; kept in ``--cache``), and writes
``real_PAIR.{json,md,png}`` for each pair into ``benchmarks/results``.
"""

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from common.command import command_line, finish
from common.environment import markdown_table
from networks import cifar, mnist

import rebasin_fast as rf
from rebasin_fast.plots import plot_loss_curves

DEFINITIONS = ("mean", "linear", "midpoint")
NAIVE, MATCHED = "averaged as they are", "hidden units matched first"
NAIVE_RESET, MATCHED_RESET = f"{NAIVE}, BatchNorm reset", f"{MATCHED}, BatchNorm reset"


def main() -> None:
    parser = command_line(__doc__, "--results", "--cache")
    parser.add_argument("--pairs", nargs="+", choices=list(PAIRS), default=list(PAIRS))
    parser.add_argument(
        "--points", type=int, default=25, help="points on the line of the MNIST networks (odd)"
    )
    parser.add_argument("--cifar-points", type=int, default=9, help="points on the line of the ResNets (odd)")
    parser.add_argument("--cifar-images", type=int, default=10_000, help="test images for the ResNets")
    parser.add_argument(
        "--reset-images", type=int, default=4_000, help="training images for a BatchNorm reset"
    )
    parser.add_argument("--mnist-restarts", type=int, default=1, help="matchings to choose the best from")
    parser.add_argument("--cifar-restarts", type=int, default=20, help="matchings to choose the best from")
    options = parser.parse_args()
    options.results.mkdir(parents=True, exist_ok=True)
    for pair in options.pairs:
        results, text = PAIRS[pair](options)
        finish(f"real_{pair}", results, text, options.results)


def measure_mnist(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    params_a, params_b = (mnist.trained_mlp(seed, options.cache) for seed in (0, 1))
    matching, seconds, aligned_b = match(params_a, params_b, options.mnist_restarts)
    splits = {split: mnist.load_images(split) for split in ("train", "test")}

    def evaluate(params: Any) -> dict[str, float]:
        metrics = {split: mnist.evaluate(params, images) for split, images in splits.items()}
        return {f"{split}_{name}": value for split, pair in metrics.items() for name, value in pair.items()}

    curves = {
        label: rf.loss_curve(evaluate, params_a, end, options.points, progress=announcer(label))
        for label, end in ((NAIVE, params_b), (MATCHED, aligned_b))
    }
    picture = options.results / "real_mnist.png"
    subtitle = "MNIST, 10,000 test images, along the line between two perceptrons 784-512-512-512-10"
    draw(curves, picture, headline(curves, "test_loss"), subtitle)
    title = "MNIST, two perceptrons 784-512-512-512-10 (Adam, 20 epochs, seeds 0 and 1)"
    note = f"{effort(matching, seconds)}; full training and test sets, {options.points} points on the line."
    metrics = ["train_loss", "train_accuracy", "test_loss", "test_accuracy"]
    text = f"### {title}\n\n{line_table(curves, metrics)}\n\n{note}"
    return record(curves, matching, seconds), text


def measure_cifar(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from networks import resnet20, training

    params_a, params_b = resnet20.load_checkpoint("a"), resnet20.load_checkpoint("b")
    matching, seconds, aligned_b = match(params_a, params_b, options.cifar_restarts)
    test = cifar.load_images("test", options.cache).first(options.cifar_images)
    train = cifar.load_images("train", options.cache).sample(options.reset_images, seed=0)

    def evaluate(params: Any, reset: bool) -> dict[str, float]:
        model = resnet20.model_with(params)
        if reset:
            with training.fast_products():
                rf.reset_batch_norm(model, training.batches(train, 250))
        return {f"test_{name}": value for name, value in training.evaluate(model, test).items()}

    lines = {
        NAIVE: (params_b, False),
        MATCHED: (aligned_b, False),
        NAIVE_RESET: (params_b, True),
        MATCHED_RESET: (aligned_b, True),
    }
    curves = {
        label: rf.loss_curve(
            partial(evaluate, reset=reset), params_a, end, options.cifar_points, progress=announcer(label)
        )
        for label, (end, reset) in lines.items()
    }
    title = (
        "Two ResNet-20s trained apart: accuracy of their average "
        f"{middle(curves[NAIVE_RESET], 'test_accuracy'):.0%} as they are, "
        f"{middle(curves[MATCHED_RESET], 'test_accuracy'):.0%} matched"
    )
    images = f"{len(test.labels):,} test images"
    subtitle = f"CIFAR-10, {images}; the title's numbers are with BatchNorm reset"
    draw(curves, options.results / "real_cifar.png", title, subtitle)
    note = (
        f"{effort(matching, seconds)}; {images}, {options.cifar_points} points on the line; "
        f"BatchNorm from {len(train.labels):,} training images; {training.products_name()} products."
    )
    table = line_table(curves, ["test_loss", "test_accuracy"])
    text = f"### CIFAR-10, two public ResNet-20 checkpoints\n\n{table}\n\n{note}"
    return record(curves, matching, seconds), text


PAIRS = {"mnist": measure_mnist, "cifar": measure_cifar}


def draw(curves: dict[str, rf.LossCurve], path: Path, title: str, subtitle: str) -> None:
    plot_loss_curves(
        curves,
        path,
        metrics=["test_loss", "test_accuracy"],
        title=title,
        subtitle=subtitle,
        metric_labels={"test_loss": "Test loss (nats)", "test_accuracy": "Test accuracy"},
        ends=("network A", "network B"),
        overwrite=True,
    )


def match(params_a: Any, params_b: Any, restarts: int) -> tuple[rf.Matching, float, Any]:
    """Return the matching, its seconds, and B with its units moved onto A's."""
    spec = rf.specs.for_params(params_a)
    started = time.perf_counter()
    matching = rf.weight_matching(spec, params_a, params_b, restarts=restarts)
    seconds = time.perf_counter() - started
    return matching, seconds, rf.apply_permutation(spec, matching.permutation, params_b)


def announcer(label: str) -> Callable[[int, int], None]:
    def announce(done: int, points: int) -> None:
        print(f"{label}: {done} of {points} points", file=sys.stderr)

    return announce


def effort(matching: rf.Matching, seconds: float) -> str:
    if not matching.restarts:
        return f"Matched in {matching.sweeps} sweeps and {seconds:.2f} s"
    return f"Matched in {seconds:.2f} s, the best objective of {len(matching.restarts)} runs"


def headline(curves: dict[str, rf.LossCurve], metric: str) -> str:
    before, after = (curves[label].barrier("mean", metric) for label in (NAIVE, MATCHED))
    return (
        f"Two networks trained apart: matching units takes the loss barrier from {before:.2f} to {after:.4f}"
    )


def middle(curve: rf.LossCurve, metric: str) -> float:
    return float(curve.values[metric][len(curve.ts) // 2])


def line_table(curves: dict[str, rf.LossCurve], metrics: list[str]) -> str:
    """One row a line and metric: the ends, the average, and the barriers under every definition."""
    rows = []
    for label, curve in curves.items():
        for metric in metrics:
            form = "{:.2%}" if metric.endswith("accuracy") else "{:.4f}"
            values = [curve.values[metric][0], curve.values[metric][-1], middle(curve, metric)]
            values += [curve.barrier(definition, metric) for definition in DEFINITIONS]
            rows.append([label, metric.replace("_", " "), *(form.format(value) for value in values)])
    barriers = [f"barrier ({definition})" for definition in DEFINITIONS]
    return markdown_table(["line from A to B", "measured", "A", "B", "average", *barriers], rows)


def record(curves: dict[str, rf.LossCurve], matching: rf.Matching, seconds: float) -> dict[str, Any]:
    barriers = {
        label: {metric: {d: curve.barrier(d, metric) for d in DEFINITIONS} for metric in curve.values}
        for label, curve in curves.items()
    }
    return {
        "curves": {label: curve.to_dict() for label, curve in curves.items()},
        "barriers": barriers,
        "matching": matching.to_dict(),
        "matching_seconds": seconds,
    }


if __name__ == "__main__":
    main()
