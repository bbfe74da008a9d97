"""Do activations and weights find the same permutation, and which one makes the better average?

Two pairs of real networks: MNIST perceptrons 784-512-512-512-10 and two public CIFAR-10 ResNet-20 checkpoints::

    REBASIN_FAST_DATA=/path/to/data python benchmarks/activation_vs_weight.py

The perceptrons are trained first where the cache lacks them. Results:
``activation_vs_weight_PAIR.{json,md}``.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch
from common.command import command_line, finish
from common.environment import markdown_table
from networks import cifar, mnist, resnet20, training
from torch import nn

import rebasin_fast as rf

Found = dict[str, rf.Matching]


def main() -> None:
    options = parse_options()
    torch.set_num_threads(options.threads)
    for pair in options.pairs:
        results, text = PAIRS[pair](options)
        finish(f"activation_vs_weight_{pair}", results, text, options.results)


def parse_options() -> argparse.Namespace:
    parser = command_line(__doc__, "--results", "--cache", "--threads")
    parser.add_argument("--pairs", nargs="+", choices=list(PAIRS), default=list(PAIRS))
    parser.add_argument("--images", type=int, default=4_000, help="training images to run the models on")
    parser.add_argument("--test-images", type=int, default=2_000, help="test images for the ResNets")
    parser.add_argument("--restarts", type=int, default=5, help="weight matchings to choose the best from")
    return parser.parse_args()


def match(
    model_a: nn.Module, model_b: nn.Module, batches: Callable[[], Any], options: argparse.Namespace
) -> tuple[Found, dict[str, float]]:
    """Every method's matching, and its seconds."""
    a, b = model_a.state_dict(), model_b.state_dict()
    spec = rf.specs.for_params(a)
    methods: dict[str, Callable[[], rf.Matching]] = {
        "weights": lambda: rf.weight_matching(spec, a, b, restarts=options.restarts, threads=options.threads),
        "activations, correlation": lambda: rf.activation_matching(spec, model_a, model_b, batches()),
        "activations, inner product": lambda: rf.activation_matching(
            spec, model_a, model_b, batches(), similarity="inner_product"
        ),
    }
    found, seconds = {}, {}
    for name, run in methods.items():
        started = time.perf_counter()
        found[name] = run()
        seconds[name] = time.perf_counter() - started
    return found, seconds


def measure(
    model_a: nn.Module,
    model_b: nn.Module,
    batches: Callable[[], Any],
    evaluate: Callable[[dict[str, Any]], dict[str, float]],
    options: argparse.Namespace,
    title: str,
) -> tuple[dict[str, Any], str]:
    """The midpoint of every method's line, and how far the permutations agree."""
    a, b = model_a.state_dict(), model_b.state_dict()
    spec = rf.specs.for_params(a)
    found, seconds = match(model_a, model_b, batches, options)
    rows, record = [], {}
    ends = {"A": a, "B": b, "averaged as they are": rf.interpolate(a, b, 0.5)}
    for name, matching in found.items():
        aligned = rf.apply_permutation(spec, matching.permutation, b)
        ends[name] = rf.interpolate(a, aligned, 0.5)
    for name, params in ends.items():
        metrics = evaluate(params)
        agreement = found[name].agreement(found["weights"]) if name in found else None
        record[name] = {**metrics, "seconds": seconds.get(name), "agreement_with_weights": agreement}
        rows.append([
            name, f"{metrics['loss']:.4f}", f"{metrics['accuracy']:.2%}",
            "" if agreement is None else f"{agreement:.1%}", f"{seconds[name]:.2f}" if name in seconds else "",
        ])  # fmt: skip
    similarities = list(found)[1:]
    between = found[similarities[0]].agreement(found[similarities[1]])
    header = ["model", "test loss", "test accuracy", "units as by weights", "matching (s)"]
    note = f"The two similarities agree on {between:.1%} of the units. {options.images:,} training images."
    return record | {"agreement_of_similarities": between}, "\n".join(
        [f"### {title}", "", markdown_table(header, rows), "", note]
    )


def measure_mnist(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    models = [training.perceptron_with(mnist.trained_mlp(seed, options.cache)) for seed in (0, 1)]
    test, train = mnist.load_images("test"), mnist.load_images("train")
    inputs = torch.from_numpy(train.inputs[: options.images])

    def evaluate(params: dict[str, Any]) -> dict[str, float]:
        return mnist.evaluate({name: tensor.numpy() for name, tensor in params.items()}, test)

    title = "MNIST, two perceptrons 784-512-512-512-10: the midpoint"
    return measure(*models, lambda: inputs.split(500), evaluate, options, title)


def measure_cifar(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    models = [resnet20.model_with(resnet20.load_checkpoint(which)) for which in "ab"]
    train = cifar.load_images("train", options.cache).sample(options.images, seed=0)
    test = cifar.load_images("test", options.cache).first(options.test_images)

    def evaluate(params: dict[str, Any]) -> dict[str, float]:
        model = resnet20.model_with({name: tensor.numpy() for name, tensor in params.items()})
        rf.reset_batch_norm(model, training.batches(train))
        return training.evaluate(model, test)

    title = "CIFAR-10 (lossy JPEG copies), two public ResNet-20 checkpoints: the midpoint, BatchNorm reset"
    record, text = measure(*models, lambda: training.batches(train), evaluate, options, title)
    return record, f"{text} The first {options.test_images:,} test images."


PAIRS: dict[str, Callable[[argparse.Namespace], tuple[dict[str, Any], str]]] = {
    "mnist": measure_mnist,
    "cifar": measure_cifar,
}


if __name__ == "__main__":
    main()
