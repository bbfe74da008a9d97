"""Git Re-Basin (Ainsworth et al. 2022), figure 3: the loss barrier after each epoch of training, matched by weights.

MNIST perceptrons as in the paper; CIFAR-10 VGG-16 and ResNet-20 of width 16 in place of its CIFAR-10 perceptrons::

    REBASIN_FAST_DATA=... python benchmarks/papers/git_rebasin_training.py [--quick]

The perceptrons are trained where the cache lacks them (a minute a pair); ``networks/cifar_training.py`` trains the
others before, and epochs that both of a pair have are measured. 5 minutes on one core; every line is kept in the cache.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line, finish
from common.environment import RESULTS, markdown_table
from networks import mnist, training
from networks.cifar_training import Recipe

import rebasin_fast as rf
from papers import line_pictures, matched_pairs
from papers.matched_pairs import Pair, Sizes
from rebasin_fast._drawing import label_axes

MNIST_EPOCHS = 10
EPOCHS = {"vgg16": 8, "resnet20": 6}
METHODS, SPLITS = ("naive", "weights"), ("train", "test")
PUBLISHED = {1: "high"}  # the paper's first point, by epoch
NOTE = (
    "The paper shows perceptrons over 100 epochs, and states the finding in words (section 5.2): linear mode "
    "connectivity emerges during training, and could not be found early. Its CIFAR-10 networks are "
    "perceptrons; ours are a VGG-16 and a ResNet-20 with LayerNorm, width 16. Perceptrons: 3 x 512, Adam at a "
    "constant rate, {mnist} epochs. Loss in nats; barrier: max L(t) - (L(0) + L(1)) / 2 over {points} points; "
    "{train:,} training and {test:,} test images of CIFAR-10, 5,000 and 5,000 of MNIST. CIFAR-10 is evaluated "
    "with {products} products. Epoch 0 is before training: all networks have about the loss of chance, ln 10, "
    "and so has the line. The paper's first point is after an epoch, its last after 100, at zero for MNIST."
)

Epochs = Iterator[tuple[int, Pair]]
Measured = dict[int, dict[str, rf.LossCurve]]  # epoch, method


def main() -> None:
    parser = command_line(__doc__, "--results", "--cache", "--seconds", "--threads")
    parser.set_defaults(results=RESULTS / "papers")
    parser.add_argument("--networks", nargs="+", choices=list(STUDIES), default=list(STUDIES))
    parser.add_argument("--seeds", type=int, nargs=2, default=(0, 1))
    parser.add_argument("--points", type=int, default=5, help="on each line (odd)")
    parser.add_argument("--quick", action="store_true", help="MNIST, one epoch, few images")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    sizes, name = Sizes(1_000, 1_000), "git_rebasin_training"
    if options.quick:
        sizes, name, options.networks = Sizes(500, 500), f"{name}_quick", options.networks[:1]
    until = time.perf_counter() + options.seconds
    studies: dict[str, Measured] = {}
    for network in options.networks:
        for epoch, pair in STUDIES[network](options, sizes):
            if time.perf_counter() > until:
                break
            lines = {method: pair.line(method, options.points, options.cache) for method in METHODS}
            studies.setdefault(pair.title, {})[epoch] = lines
            barrier = lines["weights"].barrier("mean", "test_loss")
            print(f"{network}, epoch {epoch}: test barrier {barrier:.4f}", file=sys.stderr, flush=True)
        if studies:  # a run that is stopped leaves what it has
            publish(name, studies, options, sizes)


def publish(name: str, studies: dict[str, Measured], options: argparse.Namespace, sizes: Sizes) -> None:
    draw(studies, options.results / f"{name}.png")
    results = {
        title: {
            epoch: {method: curve.to_dict() for method, curve in lines.items()}
            for epoch, lines in measured.items()
        }
        for title, measured in studies.items()
    }
    note = NOTE.format(
        mnist=MNIST_EPOCHS, points=options.points, train=sizes.train, test=sizes.test,
        products=training.products_name(),
    )  # fmt: skip
    finish(name, results, f"{table_of(studies)}\n\n{note}", options.results)


def perceptrons(options: argparse.Namespace, sizes: Sizes) -> Epochs:
    """Every epoch of three hidden layers of 512 units."""
    data, epochs = matched_pairs.mnist_data(), 1 if options.quick else MNIST_EPOCHS
    if not options.quick:
        sizes = Sizes(5_000, 5_000)
    for epoch in range(epochs + 1):
        a, b = (mnist.after(seed, epoch, epochs, options.cache) for seed in options.seeds)
        name = f"mnist_512_constant_{epochs}epochs_seeds{'-'.join(map(str, options.seeds))}_after{epoch}"
        yield epoch, matched_pairs.mnist_pair(name, "MNIST, MLP 3 × 512", a, b, data, sizes)


def convolutional(architecture: str) -> Callable[[argparse.Namespace, Sizes], Epochs]:
    """Every epoch in the cache."""

    def every(options: argparse.Namespace, sizes: Sizes) -> Epochs:
        epochs = EPOCHS[architecture]
        first, second = (Recipe(architecture, 16, seed, epochs) for seed in options.seeds)
        done = min(matched_pairs.trained_epochs(recipe, options.cache) for recipe in (first, second))
        if done < epochs:
            print(f"{done} epochs of {epochs} are trained; {second.command()}", file=sys.stderr)
        data = matched_pairs.cifar_data(sizes, options.cache, learning=sizes.train)
        for epoch in range(done + 1):
            yield epoch, matched_pairs.recipe_pair((first, second), epoch, data, sizes, options.cache)

    return every


STUDIES: dict[str, Callable[[argparse.Namespace, Sizes], Epochs]] = {
    "mnist": perceptrons,
    "vgg16": convolutional("vgg16"),
    "resnet20": convolutional("resnet20"),
}


def table_of(studies: dict[str, Measured]) -> str:
    """One row a network and epoch."""
    rows = []
    for title, measured in studies.items():
        for epoch, lines in measured.items():
            barriers = [
                f"{lines[method].barrier('mean', f'{split}_loss'):.4f}"
                for method in METHODS
                for split in SPLITS
            ]
            ends = lines["weights"].values["test_accuracy"]
            rows.append(
                [title, str(epoch), PUBLISHED.get(epoch, ""), *barriers, f"{ends[0]:.2%} / {ends[-1]:.2%}"]
            )
    header = [
        "networks", "epoch", "published, matched", "naive, train", "naive, test", "matched, train", "matched, test",
        "accuracy, A / B",
    ]  # fmt: skip
    title = "### Git Re-Basin, figure 3: the loss barrier during training"
    return f"{title}\n\n{markdown_table(header, rows)}"


def draw(studies: dict[str, Measured], path: Path) -> None:
    """Barriers against epochs, one column a network; below, the matched lines of the first and the last epoch."""
    figure, panels = line_pictures.new_figure(2 * len(studies), width=4.8, height=3.1, rows=2)
    columns = zip(panels[: len(studies)], panels[len(studies) :], studies.items(), strict=True)
    for panel, below, (title, measured) in columns:
        barriers = {
            (method, split): [lines[method].barrier("mean", f"{split}_loss") for lines in measured.values()]
            for method in METHODS
            for split in SPLITS
        }
        line_pictures.draw_barriers(panel, list(measured), barriers, title, "epoch")
        panel.xaxis.get_major_locator().set_params(integer=True)
        draw_matched(below, measured)
    line_pictures.save(figure, panels[0], path, "The loss barrier during training")


def draw_matched(panel: Any, measured: Measured) -> None:
    """The matched lines after the first and the last epoch, on test images."""
    epochs = [epoch for epoch in measured if epoch > 0]
    for epoch, method in (
        dict(zip((min(epochs), max(epochs)), ("joint", "weights"), strict=True)).items() if epochs else ()
    ):
        line_pictures.draw_line(
            panel, measured[epoch]["weights"], "test_loss", method, f"after epoch {epoch}"
        )
    label_axes(panel, title="weight matching, the line on test images", y="test loss (nats)")
    line_pictures.name_ends(panel)
    panel.margins(y=0.15)
    panel.legend(frameon=False, fontsize=9)


if __name__ == "__main__":
    main()
