"""Do activations and weights find the same permutation, and which one makes the better average?

Two pairs of real networks: MNIST perceptrons 784-512-512-512-10 and two public CIFAR-10 ResNet-20 checkpoints::

    REBASIN_FAST_DATA=/path/to/data python benchmarks/activation_vs_weight.py

The perceptrons are trained first where the cache lacks them. Results:
``activation_vs_weight_PAIR.{json,md}``.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from common.command import command_line, finish
from common.environment import markdown_table
from networks import pairs, training
from networks.pairs import TestedPair

import rebasin_fast as rf
from rebasin_fast.matching.activation.observed import observe

# Shares of the activations in matchings by both.
SHARES = (0.75, 0.5, 0.25, 0.1)
Found = dict[str, rf.Matching]


def main() -> None:
    parser = command_line(__doc__, "--results", "--cache", "--threads")
    parser.add_argument("--pairs", nargs="+", choices=list(PAIRS), default=list(PAIRS))
    parser.add_argument("--images", type=int, default=4_000, help="training images to run the models on")
    parser.add_argument("--test-images", type=int, default=2_000, help="test images for the ResNets")
    parser.add_argument("--restarts", type=int, default=5, help="weight matchings to choose the best from")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for pair in options.pairs:
        results, text = measure(PAIRS[pair](options), options)
        finish(f"activation_vs_weight_{pair}", results, text, options.results)


def match(
    spec: rf.PermutationSpec, pair: TestedPair, options: argparse.Namespace
) -> tuple[Found, dict[str, float]]:
    """Every method's matching, and its seconds."""
    a, b = pair.a, pair.b
    models = pair.build(a), pair.build(b)
    observed: dict[str, Any] = {}
    methods: dict[str, Callable[[], rf.Matching]] = {
        "weights": lambda: rf.weight_matching(spec, a, b, restarts=options.restarts, threads=options.threads),
        "activations, correlation": lambda: observed.setdefault(
            "", observe(spec, *models, pair.batches)
        ).matching(),
        "activations, inner product": lambda: rf.activation_matching(
            spec, *models, pair.batches, similarity="inner_product"
        ),
    }
    # activation_matching(..., activation_weight=) on activations that are observed once for all shares.
    for share in SHARES:
        methods[f"both, activation weight {share}"] = partial(lambda one: observed[""].matching(one), share)
    found, seconds = {}, {}
    for name, run in methods.items():
        started = time.perf_counter()
        found[name] = run()
        seconds[name] = time.perf_counter() - started
    return found, seconds


def measure(pair: TestedPair, options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """The midpoint of every method's line, and how far the permutations agree."""
    a, b = pair.a, pair.b
    spec = rf.specs.for_params(a)
    found, seconds = match(spec, pair, options)
    rows, record = [], {}
    ends = {"A": a, "B": b, "averaged as they are": rf.interpolate(a, b, 0.5)}
    for name, matching in found.items():
        aligned = rf.apply_permutation(spec, matching.permutation, b)
        ends[name] = rf.interpolate(a, aligned, 0.5)
    for name, params in ends.items():
        model = pair.build(params)
        if pair.has_batch_norm:
            with training.fast_products():
                rf.reset_batch_norm(model, pair.batches)
        metrics = pair.evaluate(model)
        agreement = found[name].agreement(found["weights"]) if name in found else None
        record[name] = {**metrics, "seconds": seconds.get(name), "agreement_with_weights": agreement}
        rows.append([
            name, f"{metrics['loss']:.4f}", f"{metrics['accuracy']:.2%}",
            "" if agreement is None else f"{agreement:.1%}", f"{seconds[name]:.2f}" if name in seconds else "",
        ])  # fmt: skip
    similarities = [name for name in found if name.startswith("activations")]
    between = found[similarities[0]].agreement(found[similarities[1]])
    header = ["model", "test loss", "test accuracy", "units as by weights", "matching (s)"]
    note = f"The two similarities agree on {between:.1%} of the units. {options.images:,} training images."
    if pair.has_batch_norm:
        note += f" BatchNorm reset; the first {options.test_images:,} test images."
    return record | {"agreement_of_similarities": between}, "\n".join(
        [f"### {pair.title}", "", markdown_table(header, rows), "", note]
    )


PAIRS: dict[str, Callable[[argparse.Namespace], TestedPair]] = {
    "mnist": lambda options: pairs.perceptrons(options, 512, 512, 512),
    "cifar": partial(pairs.resnet20_pair, batch=250),
}


if __name__ == "__main__":
    main()
