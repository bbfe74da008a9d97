"""How much of the midpoint's accuracy does REPAIR give back?

An MNIST perceptron of width 128 with 10 hidden layers, a narrow VGG-11 without BatchNorm on CIFAR-10, and two public
ResNet-20 checkpoints with BatchNorm, matched by weights or, as in the paper, by activations::

    REBASIN_FAST_DATA=/path/to/data python benchmarks/repair_midpoint.py

The perceptrons are trained first where the cache lacks them; ``networks/vgg11.py`` trains the VGGs, and
``networks/mnist_published.py --recipe deep10`` perceptrons as
published. Results: ``repair_midpoint_NETWORK.{json,md}``.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from common.command import command_line, finish
from common.environment import markdown_table
from networks import pairs
from networks.pairs import TestedPair

import rebasin_fast as rf


def main() -> None:
    parser = command_line(__doc__, "--results", "--cache", "--threads")
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--images", type=int, default=4_000, help="training images to measure statistics on")
    parser.add_argument("--test-images", type=int, default=10_000)
    parser.add_argument("--passes", type=int, nargs="+", default=[1])
    parser.add_argument("--restarts", type=int, default=5, help="matchings to choose the best from")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for network in options.networks:
        results, text = measure(NETWORKS[network](options), options)
        finish(f"repair_midpoint_{network}", results, text, options.results)


def measure(pair: TestedPair, options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """The midpoint as it is, matched, with statistics reset where there are any, and repaired."""
    a, b = pair.a, pair.b
    spec = rf.specs.for_params(a)
    weights = rf.weight_matching(spec, a, b, restarts=options.restarts, threads=options.threads)
    activations = rf.activation_matching(spec, pair.build(a), pair.build(b), pair.batches)
    ends = {
        "averaged as they are": b,
        "weights matched": rf.apply_permutation(spec, weights.permutation, b),
        "activations matched": rf.apply_permutation(spec, activations.permutation, b),
    }
    rows = {"A": pair.evaluate(pair.build(a)), "B": pair.evaluate(pair.build(b))}
    for label, end in ends.items():
        middle = rf.interpolate(a, end, 0.5)
        rows[label] = pair.evaluate(pair.build(middle))
        if pair.has_batch_norm:
            model = pair.build(middle)
            rf.reset_batch_norm(model, pair.batches)
            rows[f"{label}, BatchNorm reset"] = pair.evaluate(model)
        for passes in options.passes:
            model = pair.build(middle)
            started = time.perf_counter()
            layers = rf.repair(model, pair.build(a), pair.build(end), pair.batches, passes=passes)
            seconds = time.perf_counter() - started
            name = f"{label}, REPAIR, {passes} pass{'es' * (passes > 1)}"
            rows[name] = {**pair.evaluate(model), "seconds": seconds, "layers": len(layers)}
    cells = [
        [
            name,
            f"{row['loss']:.4f}",
            f"{row['accuracy']:.2%}",
            f"{row['seconds']:.1f}" if "seconds" in row else "",
        ]
        for name, row in rows.items()
    ]
    table = markdown_table(["model", "test loss", "test accuracy", "repair (s)"], cells)
    note = f"Statistics from {options.images:,} training images in batches of {len(pair.batches[0])}."
    return rows, f"### {pair.title}\n\n{table}\n\n{note}"


NETWORKS: dict[str, Callable[[argparse.Namespace], TestedPair]] = {
    "mnist": lambda options: pairs.perceptrons(options, *[128] * 10),
    "mnist-published7": partial(pairs.published_perceptrons, layers=7),
    "mnist-published10": partial(pairs.published_perceptrons, layers=10),
    "vgg11": pairs.vgg11_pair,
    "resnet20": pairs.resnet20_pair,
}


if __name__ == "__main__":
    main()
