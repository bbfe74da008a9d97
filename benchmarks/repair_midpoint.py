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
from networks import cifar, mnist, mnist_published, resnet20, training, vgg11
from torch import nn

import rebasin_fast as rf

DEEP = (128,) * 10
BATCH = 500

Evaluate = Callable[[nn.Module], dict[str, float]]


def main() -> None:
    options = parse_options()
    torch.set_num_threads(options.threads)
    for network in options.networks:
        results, text = NETWORKS[network](options)
        finish(f"repair_midpoint_{network}", results, text, options.results)


def parse_options() -> argparse.Namespace:
    parser = command_line(__doc__, "--results", "--cache", "--threads")
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--images", type=int, default=4_000, help="training images to measure statistics on")
    parser.add_argument("--test-images", type=int, default=10_000)
    parser.add_argument("--passes", type=int, nargs="+", default=[1])
    parser.add_argument("--restarts", type=int, default=5, help="matchings to choose the best from")
    return parser.parse_args()


def measure(
    build: Callable[[Any], nn.Module],
    a: Any,
    b: Any,
    batches: list[torch.Tensor],
    evaluate: Evaluate,
    options: argparse.Namespace,
    title: str,
) -> tuple[dict[str, Any], str]:
    """The midpoint as it is, matched, with statistics reset where there are any, and repaired."""
    spec = rf.specs.for_params(a)
    weights = rf.weight_matching(spec, a, b, restarts=options.restarts, threads=options.threads)
    activations = rf.activation_matching(spec, build(a), build(b), batches)
    ends = {
        "averaged as they are": b,
        "weights matched": rf.apply_permutation(spec, weights.permutation, b),
        "activations matched": rf.apply_permutation(spec, activations.permutation, b),
    }
    rows = {"A": evaluate(build(a)), "B": evaluate(build(b))}
    for label, end in ends.items():
        middle = rf.interpolate(a, end, 0.5)
        rows[label] = evaluate(build(middle))
        if any(name.endswith("running_var") for name in a):
            model = build(middle)
            rf.reset_batch_norm(model, batches)
            rows[f"{label}, BatchNorm reset"] = evaluate(model)
        for passes in options.passes:
            model = build(middle)
            started = time.perf_counter()
            layers = rf.repair(model, build(a), build(end), batches, passes=passes)
            seconds = time.perf_counter() - started
            name = f"{label}, REPAIR, {passes} pass{'es' * (passes > 1)}"
            rows[name] = {**evaluate(model), "seconds": seconds, "layers": len(layers)}
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
    note = f"Statistics from {options.images:,} training images in batches of {BATCH}."
    return rows, f"### {title}\n\n{table}\n\n{note}"


def measure_mnist(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    pair = [mnist.trained_mlp(seed, options.cache, DEEP) for seed in (0, 1)]
    title = "MNIST, perceptrons of 10 hidden layers of 128 units, Adam: the midpoint"
    return measure_perceptrons(*pair, options, title)


def measure_published(layers: int, options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    recipe = mnist_published.DEEP[layers]
    (a, epochs_a), (b, epochs_b) = (recipe.trained(seed, options.cache) for seed in (0, 1))
    title = (
        f"MNIST, perceptrons of {layers} hidden layers of 128 units, trained as the published ones ({epochs_a} and "
        f"{epochs_b} epochs of {recipe.epochs}): the midpoint"
    )
    return measure_perceptrons(a, b, options, title)


def measure_perceptrons(
    a: Any, b: Any, options: argparse.Namespace, title: str
) -> tuple[dict[str, Any], str]:
    test = mnist.load_images("test")
    batches = list(torch.from_numpy(mnist.load_images("train").inputs[: options.images]).split(BATCH))

    def evaluate(model: nn.Module) -> dict[str, float]:
        return mnist.evaluate({name: t.numpy() for name, t in model.state_dict().items()}, test)

    return measure(training.perceptron_with, a, b, batches, evaluate, options, title)


def measure_vgg(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    (a, epochs_a), (b, epochs_b) = (vgg11.trained(seed, options.cache) for seed in (0, 1))
    test = cifar.load_images("test", options.cache).first(options.test_images)
    train = cifar.load_images("train", options.cache).sample(options.images, seed=0)
    batches = list(torch.from_numpy(cifar.normalised(train.pixels)).split(BATCH))
    title = (
        f"CIFAR-10 (lossy JPEG copies), VGG-11 without BatchNorm, narrow ({vgg11.WIDTH} channels in the first layer "
        f"instead of 64; {epochs_a} and {epochs_b} passes over half of the training images): the midpoint"
    )
    return measure(vgg, a, b, batches, lambda model: training.evaluate(model, test), options, title)


def vgg(params: dict[str, torch.Tensor]) -> nn.Module:
    return training.loaded(vgg11.vgg11(), params)


def measure_resnet(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    a, b = (resnet20.load_checkpoint(which) for which in "ab")
    test = cifar.load_images("test", options.cache).first(options.test_images)
    train = cifar.load_images("train", options.cache).sample(options.images, seed=0)
    batches = list(training.batches(train, BATCH))
    title = "CIFAR-10 (lossy JPEG copies), two public ResNet-20 checkpoints with BatchNorm: the midpoint"
    return measure(
        resnet20.model_with, a, b, batches, lambda model: training.evaluate(model, test), options, title
    )


NETWORKS: dict[str, Callable[[argparse.Namespace], tuple[dict[str, Any], str]]] = {
    "mnist": measure_mnist,
    "mnist-published7": partial(measure_published, 7),
    "mnist-published10": partial(measure_published, 10),
    "vgg11": measure_vgg,
    "resnet20": measure_resnet,
}


if __name__ == "__main__":
    main()
