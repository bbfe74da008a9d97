"""How much of the midpoint's accuracy does REPAIR (Jordan et al., 2022) give back, and what must the networks have?

Perceptrons of width 128 with 10 hidden layers on MNIST (published: 81.2 % -> 95.5 %), with BatchNorm as in a notebook
published with the paper, and without; a narrow VGG-11 without BatchNorm and two public ResNet-20 checkpoints with
BatchNorm on CIFAR-10; matched by weights or, as in the paper, by activations::

    REBASIN_FAST_DATA=/path/to/data python benchmarks/papers/repair_midpoint.py --networks mnist-norm10short

``networks/mnist_published.py --recipe norm10`` (and the other recipes) trains the perceptrons, in 2 minutes each for 50
epochs (`norm10short` for 20), and ``networks/vgg11.py`` the VGGs; `mnist` is trained here where the cache lacks it.
Results: ``repair_midpoint_NETWORK.{json,md}``, a minute each (ResNet-20 three), and ``repair_midpoint_ablation.md``,
the table of all perceptrons measured so far.
"""

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line, earlier_results, finish
from common.environment import RESULTS, markdown_table
from networks import mnist_published, pairs
from networks.pairs import TestedPair

import rebasin_fast as rf

MATCHED, REPAIRED, RESET = "activations matched", "activations matched, REPAIR, 1 pass", "BatchNorm reset"
# Test accuracies in percent: of the paper, and in brackets those recorded in the notebooks published with it.
WITH_NORM = {
    "A": "(98.32 %)",
    "B": "(98.36 %)",
    MATCHED: "81.2 % (87.47 %)",
    f"{MATCHED}, {RESET}": "95.5 % (95.44 %)",
}
PUBLISHED: dict[str, dict[str, str]] = {
    "mnist-norm10": WITH_NORM,
    "mnist-norm10short": WITH_NORM,
    "mnist-published7": {"A": "(96.51 %)", "B": "(96.59 %)", MATCHED: "(71.68 %)", REPAIRED: "(82.96 %)"},
    "vgg11": {"A": "(89.4 %)", "B": "(89.8 %)", MATCHED: "(67.3 %)", REPAIRED: "(84.9 %)"},
}
NOTES = {
    "mnist-norm10": "In brackets, the notebook published with the paper, of the same recipe.",
    "mnist-norm10short": "In brackets, the notebook published with the paper, of the same recipe for 50 epochs.",
    "mnist-published7": "In brackets, the notebook published with the paper, of the same recipe.",
    "vgg11": "In brackets, the published notebook: 64 channels in the first layer, 100 epochs of 50,000 images.",
}
ABLATION = {
    "mnist-norm10": "BatchNorm, 50 epochs",
    "mnist-norm10short": "BatchNorm, 20 epochs",
    "mnist-norm10short-folded": "the same networks, BatchNorm folded into the weights before matching",
    "mnist-he10short": "no BatchNorm, He's first weights, 20 epochs",
    "mnist-published10short": "no BatchNorm, torch's first weights, 20 epochs",
    "mnist-published10": "no BatchNorm, torch's first weights, 50 epochs",
    "mnist-published7": "the same, 7 hidden layers",
    "mnist": "no BatchNorm, torch's first weights, Adam, batches of 500, 20 epochs",
}


def main() -> None:
    parser = command_line(__doc__, "--results", "--cache", "--threads")
    parser.set_defaults(results=RESULTS / "papers")
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument(
        "--images", type=int, help="training images to measure on; 20,000 of MNIST, 2,000 of CIFAR"
    )
    parser.add_argument("--test-images", type=int, default=10_000)
    parser.add_argument("--passes", type=int, nargs="+", default=[1])
    parser.add_argument("--restarts", type=int, default=3, help="matchings to choose the best from")
    parser.add_argument("--vgg-width", type=int, default=8, help="channels of the VGGs' first layer")
    parser.add_argument("--vgg-epochs", type=int, default=5, help="epochs that the VGGs were trained for")
    parser.add_argument("--quick", action="store_true", help="1,000 images")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.quick:
        options.images, options.test_images, options.restarts = 1000, 1000, 1
    for network in options.networks:
        results, text = measure(network, NETWORKS[network](options), options)
        finish(f"repair_midpoint_{network}", results, text, options.results)
    ablation(options.results)


def measure(network: str, pair: TestedPair, options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """The midpoint as it is, matched, with statistics reset where there are any, and repaired."""
    a, b = pair.a, pair.b
    spec = spec_of(pair)
    weights = rf.weight_matching(spec, a, b, restarts=options.restarts, threads=options.threads)
    activations = rf.activation_matching(spec, pair.build(a), pair.build(b), pair.batches)
    ends = {
        "averaged as they are": b,
        "weights matched": rf.apply_permutation(spec, weights.permutation, b),
        MATCHED: rf.apply_permutation(spec, activations.permutation, b),
    }
    rows = {"A": pair.evaluate(pair.build(a)), "B": pair.evaluate(pair.build(b))}
    for label, end in ends.items():
        middle = rf.interpolate(a, end, 0.5)
        rows[label] = pair.evaluate(pair.build(middle))
        if pair.has_batch_norm:
            model = pair.build(middle)
            rf.reset_batch_norm(model, pair.batches)
            rows[f"{label}, {RESET}"] = pair.evaluate(model)
        for passes in options.passes:
            model = pair.build(middle)
            started = time.perf_counter()
            layers = rf.repair(model, pair.build(a), pair.build(end), pair.batches, passes=passes)
            seconds = time.perf_counter() - started
            name = f"{label}, REPAIR, {passes} pass{'es' * (passes > 1)}"
            rows[name] = {**pair.evaluate(model), "seconds": seconds, "layers": len(layers)}
    published = PUBLISHED.get(network, {})
    cells = [
        [
            name,
            f"{row['loss']:.4f}",
            f"{row['accuracy']:.2%}",
            published.get(name, ""),
            f"{row['seconds']:.1f}" if "seconds" in row else "",
        ]
        for name, row in rows.items()
    ]
    header = ["model", "test loss, ours", "test accuracy, ours", "published", "repair (s)"]
    images = sum(len(batch) for batch in pair.batches)
    note = f"Statistics from {images:,} training images in batches of {len(pair.batches[0]):,}."
    text = f"### {pair.title}\n\n{markdown_table(header, cells)}\n\n{note} {NOTES.get(network, '')}"
    return rows, text.rstrip()


def spec_of(pair: TestedPair) -> rf.PermutationSpec:
    """The ready spec, or for perceptrons with BatchNorm, which have none, that of the traced model."""
    if pair.has_batch_norm and pair.batches[0].ndim == 2:
        return rf.trace_spec(pair.build(pair.a), (pair.batches[0][:2],))
    return rf.specs.for_params(pair.a)


def ablation(folder: Path) -> None:
    """Write the table of the perceptrons that were measured, in this run or before."""
    rows = []
    for network, change in ABLATION.items():
        found = earlier_results(f"repair_midpoint_{network}", folder)
        if not found:
            continue

        def share(row: str, of: dict[str, Any] = found) -> str:
            return f"{of[row]['accuracy']:.2%}" if row in of else ""

        published = PUBLISHED.get(network, {})
        repaired = published.get(f"{MATCHED}, {RESET}", published.get(REPAIRED))
        rows.append(
            [
                change,
                f"{share('A')}, {share('B')}",
                share("averaged as they are"),
                share("weights matched"),
                share(MATCHED),
                share(f"{MATCHED}, {RESET}"),
                share(REPAIRED),
                f"{published[MATCHED]} → {repaired}" if published else "",
            ]
        )
    if rows:
        header = ["networks", "A, B", "naive", "weights matched", MATCHED, RESET, "REPAIR", "published"]
        title = "### REPAIR on MNIST perceptrons of width 128, ten hidden layers unless said: midpoint's test accuracy"
        text = (
            f"{title}\n\n{markdown_table(header, rows)}\n\nBatchNorm reset and REPAIR: after matching by "
            "activations, statistics from 20,000 training images (4,000 where Adam trained). In brackets, the "
            "notebooks published with the paper."
        )
        finish("repair_midpoint_ablation", {"rows": rows}, text, folder)


NETWORKS: dict[str, Callable[[argparse.Namespace], TestedPair]] = {
    "mnist": lambda options: pairs.perceptrons(options, *[128] * 10),
    **{
        f"mnist-{recipe.replace('deep', 'published')}": partial(pairs.published_perceptrons, recipe=recipe)
        for recipe in mnist_published.DEEP
    },
    "mnist-norm10short-folded": partial(pairs.published_perceptrons, recipe="norm10short", folded=True),
    "vgg11": pairs.vgg11_pair,
    "resnet20": pairs.resnet20_pair,
}


if __name__ == "__main__":
    main()
