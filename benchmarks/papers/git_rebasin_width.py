"""Git Re-Basin (Ainsworth et al. 2022), figure 4: the loss barrier against the width, matched by weights.

CIFAR-10 VGG-16 and ResNet-20 with LayerNorm as in the paper, and MNIST perceptrons with three hidden layers::

    REBASIN_FAST_DATA=... python benchmarks/papers/git_rebasin_width.py [--quick]

Perceptrons are trained where the cache lacks them (5 epochs; 4 minutes for all widths);
``networks/cifar_training.py`` trains the others before, and the program names the command of those that are missing.
6 minutes on one core; every line is kept in the cache.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import mean

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line, finish
from common.environment import RESULTS, markdown_table
from networks import layernorm, mnist, training
from networks.cifar_training import Recipe

import rebasin_fast as rf
from papers import line_pictures, matched_pairs
from papers.matched_pairs import Labelled, Pair, Sizes

MNIST_WIDTHS = (16, 32, 64, 128, 256, 512, 1024, 2048)
TWO_PAIRS_UP_TO = 64  # wider perceptrons are trained once
MNIST_EPOCHS = 5
WIDTHS = {"vgg16": (8, 16, 32), "resnet20": (8, 16)}
EPOCHS = {"vgg16": 8, "resnet20": 6}
METHODS, SPLITS = ("naive", "weights"), ("train", "test")
PUBLISHED = {
    "vgg16": "1/8 to 4 times 64: falls with the width; at 1 times no connectivity",
    "resnet20": "1 to 32 times 16: falls to zero at 32 times; at 1 times no connectivity",
    "mnist": "zero at 512",
}
NOTE = (
    "The paper shows VGG-16 at 1/8 to 4 times 64 channels and ResNet-20 at 1 to 32 times 16 channels in "
    "figure 4, and states the finding in words (section 5.3). Ours are trained for 8 (VGG-16) and 6 "
    "(ResNet-20) epochs; the perceptrons, which the paper has at 512 only, for {mnist} epochs. Loss in nats; "
    "barrier: max L(t) - (L(0) + L(1)) / 2 over {points} points, the mean of the pairs; {train:,} training "
    "and {test:,} test images. CIFAR-10 is evaluated with {products} products."
)

Pairs = Iterator[tuple[int, Pair]]
Measured = dict[int, list[dict[str, rf.LossCurve]]]  # width, pair, method


def main() -> None:
    parser = command_line(__doc__, "--results", "--cache", "--seconds", "--threads")
    parser.set_defaults(results=RESULTS / "papers")
    parser.add_argument("--networks", nargs="+", choices=list(STUDIES), default=list(STUDIES))
    parser.add_argument(
        "--widths", type=int, nargs="+", help="of the perceptrons", default=list(MNIST_WIDTHS)
    )
    parser.add_argument("--points", type=int, default=5, help="on each line (odd)")
    parser.add_argument("--quick", action="store_true", help="MNIST, widths 16 and 64, one epoch, few images")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    sizes, name = Sizes(1_000, 3_000), "git_rebasin_width"
    if options.quick:
        sizes, name = Sizes(500, 500), f"{name}_quick"
        options.networks, options.widths = options.networks[:1], [16, 64]
    until = time.perf_counter() + options.seconds
    studies: dict[str, Measured] = {}
    for network in options.networks:
        for width, pair in STUDIES[network](options, sizes):
            if time.perf_counter() > until:
                break
            lines = {method: pair.line(method, options.points, options.cache) for method in METHODS}
            studies.setdefault(network, {}).setdefault(width, []).append(lines)
            barrier = lines["weights"].barrier("mean", "test_loss")
            print(f"{network}, width {width}: test barrier {barrier:.4f}", file=sys.stderr, flush=True)
        if studies:  # a run that is stopped leaves what it has
            publish(name, studies, options, sizes)


def publish(name: str, studies: dict[str, Measured], options: argparse.Namespace, sizes: Sizes) -> None:
    draw(studies, options.results / f"{name}.png")
    results = {
        network: {
            width: [{method: curve.to_dict() for method, curve in lines.items()} for lines in pairs]
            for width, pairs in measured.items()
        }
        for network, measured in studies.items()
    }
    note = NOTE.format(
        mnist=MNIST_EPOCHS, points=options.points, train=sizes.train, test=sizes.test,
        products=training.products_name(),
    )  # fmt: skip
    finish(name, results, f"{table_of(studies)}\n\n{note}", options.results)


def perceptrons(options: argparse.Namespace, sizes: Sizes) -> Pairs:
    """Three hidden layers of each width; two pairs of the narrow ones."""
    data, epochs = matched_pairs.mnist_data(), 1 if options.quick else MNIST_EPOCHS
    for width in options.widths:
        for first in (0, 2) if width <= TWO_PAIRS_UP_TO and not options.quick else (0,):
            a, b = (mnist.few_epochs(seed, epochs, width, options.cache) for seed in (first, first + 1))
            name = f"mnist_{width}_{epochs}epochs_seeds{first}-{first + 1}"
            yield width, matched_pairs.mnist_pair(name, "MNIST, MLP", a, b, data, sizes)


def convolutional(architecture: str) -> Callable[[argparse.Namespace, Sizes], Pairs]:
    """The widths that are trained."""

    def every(options: argparse.Namespace, sizes: Sizes) -> Pairs:
        epochs, data = EPOCHS[architecture], cifar_data(options, sizes)
        for width in WIDTHS[architecture]:
            pair = Recipe(architecture, width, 0, epochs), Recipe(architecture, width, 1, epochs)
            missing = [r for r in pair if matched_pairs.trained_epochs(r, options.cache) < epochs]
            for recipe in missing:
                print(f"left out, not trained yet: {recipe.command()}", file=sys.stderr)
            if not missing:
                yield width, matched_pairs.recipe_pair(pair, epochs, data, sizes, options.cache)

    return every


def cifar_data(options: argparse.Namespace, sizes: Sizes) -> tuple[Labelled, Labelled]:
    return matched_pairs.cifar_data(sizes, options.cache, learning=sizes.train)


STUDIES: dict[str, Callable[[argparse.Namespace, Sizes], Pairs]] = {
    "mnist": perceptrons,
    "vgg16": convolutional("vgg16"),
    "resnet20": convolutional("resnet20"),
}
TITLES = {
    "mnist": "MNIST, MLP with 3 hidden layers",
    "vgg16": "CIFAR-10, VGG-16",
    "resnet20": "CIFAR-10, ResNet-20",
}


def barrier(pairs: list[dict[str, rf.LossCurve]], method: str, split: str) -> float:
    """The mean barrier of the pairs."""
    return mean(lines[method].barrier("mean", f"{split}_loss") for lines in pairs)


def multiple(network: str, width: int) -> str:
    """The width as the paper gives it."""
    if network == "mnist":
        return str(width)
    share = width / layernorm.PUBLISHED_WIDTH[network]
    return f"{width} ({share:g}×)" if share >= 1 else f"{width} (1/{1 / share:g}×)"


def table_of(studies: dict[str, Measured]) -> str:
    """One row a network and width."""
    rows = []
    for network, measured in studies.items():
        for width, pairs in measured.items():
            numbers = [f"{barrier(pairs, method, split):.4f}" for method in METHODS for split in SPLITS]
            ends = mean(
                float(lines["weights"].values["test_accuracy"][end]) for lines in pairs for end in (0, -1)
            )
            row = [TITLES[network], multiple(network, width), str(len(pairs)), PUBLISHED[network], *numbers]
            rows.append([*row, f"{ends:.2%}"])
    header = [
        "networks", "width", "pairs", "published, matched", "naive, train", "naive, test", "matched, train",
        "matched, test", "accuracy, mean of ends",
    ]  # fmt: skip
    return f"### Git Re-Basin, figure 4: the loss barrier against the width\n\n{markdown_table(header, rows)}"


def draw(studies: dict[str, Measured], path: Path) -> None:
    """Barriers against widths, one panel a network."""
    figure, panels = line_pictures.new_figure(len(studies))
    for panel, (network, measured) in zip(panels, studies.items(), strict=True):
        barriers = {
            (method, split): [barrier(pairs, method, split) for pairs in measured.values()]
            for method in METHODS
            for split in SPLITS
        }
        line_pictures.draw_barriers(panel, range(len(measured)), barriers, TITLES[network], "width")
        panel.set_xticks(range(len(measured)), [multiple(network, width) for width in measured])
        panel.tick_params(axis="x", labelsize=9)
    line_pictures.save(figure, panels[0], path, "The loss barrier against the width")


if __name__ == "__main__":
    main()
