"""Taylor estimate of the barrier beside the true one: Ito, Yamada and Kumagai (ICLR 2025), section 3.2 and table 1.

The expansions of second and third order at both networks, on naive, weight-matched, activation-matched and
straight-through pairs: MNIST perceptrons (three pairs of seeds), a CIFAR-10 VGG-16 of width 16 with LayerNorm, and two
public ResNet-20 with BatchNorm::

    REBASIN_FAST_DATA=... python benchmarks/papers/ito_taylor.py [--quick]

About 4 minutes on one idle core with the networks in the cache; every estimate is kept there. ``--quick``: one pair of
perceptrons, few images and steps, a minute with the networks in the cache.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line, finish
from common.environment import RESULTS, markdown_table
from networks import mnist

from papers import git_rebasin_line, line_pictures, matched_pairs
from papers.matched_pairs import METHODS, WORDS, Pair, Sizes
from rebasin_fast.analysis import TaylorBarrier, taylor_barrier

SEEDS = ((0, 1), (0, 2), (1, 2))
IMAGES = {"mnist": 1000, "vgg16": 50, "public": 50}
BATCH = {"mnist": 500, "vgg16": 50, "public": 50}
STEPS = 60
POINTS = 9  # of the measured line
PUBLISHED = {  # by a review; the numbers of table 1 were not at hand
    "naive": "–",
    "weights": "“not … close enough” for an estimate of second order",
    "activations": "–",
    "straight_through": "–",
}
NOTE = (
    "Estimate: (1 - t) T_A(t) + t T_B(t) at t = 1/2 less the mean of both losses; T_A and T_B are the expansions "
    "at A and at the permuted B, by nested Jacobian-vector products. Second derivative: d·Hd at A and B, d = π(B) "
    "- A. All on the same first test images ({images}); mean ± deviation over the pairs of seeds (0, 1), (0, 2), "
    "(1, 2) for the perceptrons. Straight-through: {steps} minibatches. Public ResNet-20: BatchNorm on the "
    "statistics of batches of 50, at the ends and on the line. Published: the numbers of the paper's table 1 "
    "were not at hand; the words quoted are of a review on OpenReview. Another review asks whether the third "
    "term, or another point than the midpoint, would help. The paper's networks are an MLP, VGG11 and ResNet20, "
    "wide enough for barriers near 0."
)


def main() -> None:
    parser = command_line(__doc__, "--results", "--cache", "--seconds", "--threads")
    parser.set_defaults(results=RESULTS / "papers")
    parser.add_argument("--networks", nargs="+", choices=list(IMAGES), default=list(IMAGES))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--images", type=int, help="test images of every network")
    parser.add_argument("--steps", type=int, default=STEPS, help="of the straight-through estimator")
    parser.add_argument("--quick", action="store_true", help="one pair of perceptrons, few images and steps")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    name, until = "ito_taylor", time.perf_counter() + options.seconds
    if options.quick:
        name, options.networks, options.images, options.steps = f"{name}_quick", ["mnist"], 500, 10
    found: dict[str, dict[str, list[TaylorBarrier]]] = {}  # networks -> method -> pairs
    for network in options.networks:
        for pair in pairs(network, options):
            for method in options.methods:
                if time.perf_counter() > until and not path_of(pair, method, network, options).exists():
                    continue
                barriers = found.setdefault(pair.title.replace(" reset", ""), {}).setdefault(method, [])
                barriers.append(estimated(pair, method, network, options))
                print(f"{pair.name}: {WORDS[method]} done", file=sys.stderr, flush=True)
    draw(found, options.results / f"{name}.png")
    finish(name, as_json(found), text_of(found, options), options.results)


def pairs(network: str, options: argparse.Namespace) -> Iterator[Pair]:
    """The pairs of a network; none where it is not trained yet."""
    sizes = Sizes(500, 500, options.steps) if options.quick else Sizes(steps=options.steps)
    if network != "mnist":
        pair = git_rebasin_line.PAIRS[network](options, sizes)
        if pair is not None:
            yield pair
        return
    data = matched_pairs.mnist_data()
    if not options.quick:
        sizes = Sizes(10_000, 10_000, sizes.steps, 500)
    for first, second in SEEDS[:1] if options.quick else SEEDS:
        yield mnist_pair(first, second, data, sizes, options.cache)


def mnist_pair(first: int, second: int, data: Any, sizes: Sizes, cache: Path) -> Pair:
    """Perceptrons of two seeds, under the names of git_rebasin_line.py in the cache."""
    a, b = (mnist.trained_mlp(seed, cache) for seed in (first, second))
    name = "mnist_512" if (first, second) == (0, 1) else f"mnist_512_seeds{first}-{second}"
    return matched_pairs.mnist_pair(name, "MNIST, MLP 3 × 512", a, b, data, sizes)


def estimated(pair: Pair, method: str, network: str, options: argparse.Namespace) -> TaylorBarrier:
    """Both orders from one pass over the images, kept in the cache."""
    path = path_of(pair, method, network, options)
    if not path.exists():
        data, size = pair.test.first(options.images or IMAGES[network]), BATCH[network]
        batches = list(zip(data.inputs.split(size), data.labels.split(size), strict=True))
        taylor_barrier(
            pair.model, pair.a, pair.matched(method, options.cache), batches, matched_pairs.cross_entropy, order=3,
            ts=POINTS, batch_norm="batch" if network == "public" else "running",
        ).save(path)  # fmt: skip
    return TaylorBarrier.load(path)


def path_of(pair: Pair, method: str, network: str, options: argparse.Namespace) -> Path:
    """File of an estimate in the cache."""
    effort = f"_{pair.sizes.steps}steps" if method == "straight_through" else ""
    name = f"taylor_{pair.name}_{method}{effort}_{options.images or IMAGES[network]}images.npz"
    return Path(options.cache / name)


def draw(found: dict[str, dict[str, list[TaylorBarrier]]], path: Path) -> None:
    """One row a network, one panel a method: the first pair's measured losses and its expansions of second order."""
    columns = max(len(methods) for methods in found.values())
    figure, panels = line_pictures.new_figure(columns * len(found), rows=len(found), width=3.6, height=3.0)
    for panel in panels:
        panel.set_visible(False)
    for row, (title, methods) in enumerate(found.items()):
        for column, (method, barriers) in enumerate(methods.items()):
            panel = panels[row * columns + column]
            panel.set_visible(True)
            where = title.replace(", ", "\n", 1)
            second_order(barriers[0]).plot(panel)
            panel.get_legend().remove()
            panel.set_title(f"{where}\n{WORDS[method]}", loc="left", fontsize=9.5)
            panel.set_xlabel("")
            line_pictures.name_ends(panel)
    title = "The loss on the line, and its expansions of second order at both ends"
    line_pictures.save(figure, panels[0], path, title)


def second_order(barrier: TaylorBarrier) -> TaylorBarrier:
    """The same without the third derivative."""
    from dataclasses import replace

    return replace(barrier, order=2)


def true_at(found: TaylorBarrier, t: float) -> float:
    """The measured barrier at another point of the line."""
    loss = found.measured[np.argmin(np.abs(found.ts - t))]
    return float(loss - (1 - t) * found.losses[0] - t * found.losses[1])


COLUMNS: dict[str, Callable[[TaylorBarrier], float]] = {
    "true barrier": lambda found: found.barrier,
    "estimate, order 2": lambda found: found.estimated_barrier(order=2),
    "order 3": lambda found: found.estimated_barrier(order=3),
    "order 2 at t = 1/4": lambda found: found.estimated_barrier(0.25, order=2),
    "true there": lambda found: true_at(found, 0.25),
    "d·Hd at A": lambda found: float(found.second[0]),
    "at π(B)": lambda found: float(found.second[1]),
}


def text_of(found: dict[str, dict[str, list[TaylorBarrier]]], options: argparse.Namespace) -> str:
    """One row a network and method."""
    rows = []
    for title, methods in found.items():
        for method, barriers in methods.items():
            values = [spread([column(each) for each in barriers]) for column in COLUMNS.values()]
            rows.append([title, WORDS[method], PUBLISHED[method], *values])
    counts = {name: options.images or count for name, count in IMAGES.items() if name in options.networks}
    images = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    note = NOTE.format(images=images, steps=options.steps)
    header = ["networks", "line to B", "published", *COLUMNS]
    title = "### Ito et al., section 3.2: Taylor estimate and true barrier (nats)"
    return f"{title}\n\n{markdown_table(header, rows)}\n\n{note}"


def spread(values: list[float]) -> str:
    """Mean and sample deviation, or the one value."""
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"


def as_json(found: dict[str, dict[str, list[TaylorBarrier]]]) -> dict[str, Any]:
    return {
        title: {
            method: [{name: column(each) for name, column in COLUMNS.items()} for each in barriers]
            for method, barriers in methods.items()
        }
        for title, methods in found.items()
    }


if __name__ == "__main__":
    main()
