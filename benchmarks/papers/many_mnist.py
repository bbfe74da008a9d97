"""Is the merge of many networks better than the best of them? MergeMany (Git Re-Basin, algorithm 3) and C²M³.

Five MNIST perceptrons that each saw a random half of the training images, and two that saw disjoint parts, one with
80 % of the digits 0-4 and 20 % of 5-9, the other with the rest; beside their ensembles and naive averages::

    REBASIN_FAST_DATA=/path/to/data python benchmarks/papers/many_mnist.py

The networks are trained first where the cache lacks them, in 1 minute each, those of `halves-published` by
``networks/mnist_published.py``; the merges take 2 minutes a split. Results: ``many_mnist_SPLIT.{json,md}``.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line, finish
from common.environment import RESULTS, markdown_table
from networks import mnist, mnist_parts, mnist_published
from networks.mnist_parts import HALVES
from networks.storage import Params

import rebasin_fast as rf
from rebasin_fast.merging.averaging import average

METHODS: dict[str, dict[str, Any]] = {
    "MergeMany, growing start": {},
    "MergeMany, published start": {"start": "identity"},
    "MergeMany, growing start, high effort": {"effort": "high"},
    "cycle-consistent (Frank-Wolfe)": {"method": "cycle_consistent"},
    "cycle-consistent, high effort": {"method": "cycle_consistent", "effort": "high"},
}
# Test losses of Git Re-Basin's five networks, and of their merge; those of the other rows are drawn only.
SINGLE, MERGED = "0.111-0.153", "0.0727"
PUBLISHED = {"network 1": SINGLE, "MergeMany, published start": MERGED}
TITLES = {
    "halves": "Five perceptrons 784-512-512-512-10, each on a random half of MNIST, learning rate falling to zero",
    "halves-constant": "The same trained at a constant learning rate, as the published ones",
    "halves-published": "Five trained as the published program trains: 100 epochs at a constant rate, pixels in [0, 1]",
    "biased": "Two perceptrons 784-512-512-512-10 on disjoint parts of MNIST, 80 % of five digits and 20 % of the rest",
}


def main() -> None:
    parser = command_line(__doc__, "--results", "--cache", "--threads")
    parser.set_defaults(results=RESULTS / "papers")
    parser.add_argument("--splits", nargs="+", choices=list(TITLES), default=list(TITLES))
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--quick", action="store_true", help="the two disjoint parts, by MergeMany only")
    options = parser.parse_args()
    if options.quick:
        options.splits, options.methods = (
            ["biased"],
            [name for name in METHODS if name.startswith("MergeMany")],
        )
    for split in options.splits:
        models, test, note = trained(split, options.cache)
        results, text = measure(split, models, test, options)
        finish(f"many_mnist_{split}", results, f"{text}\n\n{note}".strip(), options.results)


def trained(split: str, cache: Path) -> tuple[list[Params], mnist.Images, str]:
    """The networks of a split, the test images as they take them, and a note on their training."""
    if split == "halves-published":
        recipe = mnist_published.MANY
        models, epochs = zip(*(recipe.trained(part, cache) for part in range(HALVES)), strict=True)
        done = ", ".join(map(str, epochs))
        return list(models), recipe.images("test"), f"Trained for {done} of {recipe.epochs} epochs. "
    count = mnist_parts.SPLITS[split][1]
    return [mnist_parts.trained(split, part, cache) for part in range(count)], mnist.load_images("test"), ""


def measure(
    split: str, models: list[Params], test: mnist.Images, options: argparse.Namespace
) -> tuple[dict[str, Any], str]:
    """Test loss and accuracy of the networks, and of everything that can be made of them."""
    spec = rf.specs.for_params(models[0])
    rows: dict[str, dict[str, Any]] = {
        f"network {number}": mnist.evaluate(model, test) for number, model in enumerate(models, 1)
    }
    rows["ensemble (mean of the probabilities)"] = ensemble(models, test)
    rows["naive average"] = mnist.evaluate(average(models), test)
    started = time.perf_counter()
    aligned = [
        rf.apply_permutation(spec, rf.weight_matching(spec, models[0], model).permutation, model)
        for model in models[1:]
    ]
    seconds = time.perf_counter() - started
    rows["each matched to the first"] = mnist.evaluate(average([models[0], *aligned]), test)
    rows["each matched to the first"] |= {"seconds": seconds}
    for name in options.methods:
        arguments = METHODS[name]
        started = time.perf_counter()
        many = rf.merge_many(spec, models, threads=options.threads, **arguments)
        seconds = time.perf_counter() - started
        rows[name] = mnist.evaluate(many.merged, test)
        rows[name] |= {"seconds": seconds, "objective": many.objective, "sweeps": many.sweeps}
    published = PUBLISHED if split.startswith("halves") else {}
    cells = [
        [name, published.get(name, ""), f"{row['loss']:.4f}", f"{row['accuracy']:.2%}",
         f"{row['objective']:.1f}" if "objective" in row else "",
         f"{row['seconds']:.2f}" if "seconds" in row else ""]
        for name, row in rows.items()
    ]  # fmt: skip
    header = [
        "model",
        "test loss, published",
        "test loss, ours",
        "test accuracy",
        "objective",
        "matching (s)",
    ]
    return rows, f"### {TITLES[split]}\n\n{markdown_table(header, cells)}"


def ensemble(models: list[Params], test: mnist.Images) -> dict[str, float]:
    """Loss and accuracy of the mean of the networks' probabilities."""
    total = np.zeros((len(test.labels), 10))
    for params in models:
        logits = mnist.logits(params, test.inputs)
        odds = np.exp(logits - logits.max(1, keepdims=True))
        total += odds / odds.sum(1, keepdims=True) / len(models)
    right = total[np.arange(len(test.labels)), test.labels]
    return {
        "loss": float(-np.log(right).mean()),
        "accuracy": float((total.argmax(1) == test.labels).mean()),
    }


if __name__ == "__main__":
    main()
