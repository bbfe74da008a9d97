"""Git Re-Basin (Ainsworth et al. 2022), figures 2 and 9: loss and accuracy along the line between two networks.

Naive interpolation, weight matching, activation matching and the straight-through estimator, on training and test
images: MNIST perceptrons, CIFAR-10 VGG-16 and ResNet-20 of width 16 with LayerNorm, and two public ResNet-20 with
BatchNorm::

    REBASIN_FAST_DATA=... python benchmarks/papers/git_rebasin_line.py [--quick]

The perceptrons are trained where the cache lacks them (a minute each); ``networks/cifar_training.py`` trains the
others before. 8 minutes on one core; every line is kept in the cache, and ``--seconds 0`` shows those that are there.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line, finish
from common.environment import RESULTS, markdown_table
from networks import mnist, training
from networks.cifar_training import Recipe

import rebasin_fast as rf
from papers import line_pictures, matched_pairs
from papers.matched_pairs import METHODS, WORDS, Pair, Sizes

EPOCHS = {"vgg16": 8, "resnet20": 6}
PUBLISHED = {
    "mnist": {
        "naive": "substantial",
        "weights": "0, test convex",
        "activations": "0, slightly less favourable",
        "straight_through": "0, test convex",
    },
    "cifar": {
        "naive": "substantial",
        "weights": "above 0 at this width; ResNet-20 of width 512: 0",
        "activations": "near weight matching",
        "straight_through": "the lowest",
    },
}
NOTE = (
    "The paper shows these lines in figures 2 (loss) and 9 (accuracy), and states barriers in words (sections "
    "5.1 and 5.3). Its CIFAR-10 networks are trained to convergence, VGG-16 with 64 channels at first; ours "
    "have 16 and are trained for 8 (VGG-16) and 6 (ResNet-20) epochs. The public ResNet-20 have BatchNorm, "
    "with statistics from {reset:,} training images at every point. Loss in nats; barrier: max L(t) - (L(0) + "
    "L(1)) / 2 over {points} points; {train:,} training and {test:,} test images of CIFAR-10, 10,000 and "
    "10,000 of MNIST. Weights: the best objective of 5. Activations: correlation on 4,000 training images. "
    "Straight-through: {steps} minibatches, where the paper takes 250 epochs. CIFAR-10 is evaluated with "
    "{products} products."
)


def main() -> None:
    parser = command_line(__doc__, "--results", "--cache", "--seconds", "--threads")
    parser.set_defaults(results=RESULTS / "papers")
    parser.add_argument("--networks", nargs="+", choices=list(PAIRS), default=list(PAIRS))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--points", type=int, default=9, help="on each line (odd)")
    parser.add_argument("--quick", action="store_true", help="MNIST, five points, few images and steps")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    sizes, name = Sizes(), "git_rebasin_line"
    if options.quick:
        sizes, name = Sizes(500, 500, 10), f"{name}_quick"
        options.points, options.networks = 5, options.networks[:1]
    until = time.perf_counter() + options.seconds
    curves: dict[str, dict[str, rf.LossCurve]] = {}
    for network in options.networks:
        pair = PAIRS[network](options, sizes)
        for method in options.methods if pair is not None else ():
            path = pair.line_path(method, options.points, options.cache)
            if path.exists() or time.perf_counter() < until:
                curve = pair.line(method, options.points, options.cache)
                curves.setdefault(pair.title, {})[method] = curve
                print(f"{network}: {WORDS[method]} done", file=sys.stderr, flush=True)
        if curves:  # a run that is stopped leaves what it has
            publish(name, curves, options, sizes)


def publish(
    name: str, curves: dict[str, dict[str, rf.LossCurve]], options: argparse.Namespace, sizes: Sizes
) -> None:
    draw(curves, options.results / f"{name}.png")
    results = {
        title: {method: curve.to_dict() for method, curve in lines.items()} for title, lines in curves.items()
    }
    finish(name, results, text_of(curves, options, sizes), options.results)


def mnist_pair(options: argparse.Namespace, sizes: Sizes) -> Pair:
    """Three hidden layers of 512 units, Adam, 20 epochs."""
    a, b = (mnist.trained_mlp(seed, options.cache) for seed in (0, 1))
    if not options.quick:
        sizes = Sizes(5_000, 10_000, sizes.steps, 500)
    return matched_pairs.mnist_pair(
        "mnist_512", "MNIST, MLP 3 × 512", a, b, matched_pairs.mnist_data(), sizes
    )


def recipe_pair(architecture: str) -> Callable[[argparse.Namespace, Sizes], Pair | None]:
    """Width 16, seeds 0 and 1, or None where they are not trained yet."""

    def make(options: argparse.Namespace, sizes: Sizes) -> Pair | None:
        epochs = EPOCHS[architecture]
        recipes = Recipe(architecture, 16, 0, epochs), Recipe(architecture, 16, 1, epochs)
        for recipe in recipes:
            if matched_pairs.trained_epochs(recipe, options.cache) < epochs:
                print(f"left out, not trained yet: {recipe.command()}", file=sys.stderr)
                return None
        data = matched_pairs.cifar_data(sizes, options.cache)
        return matched_pairs.recipe_pair(recipes, epochs, data, sizes, options.cache)

    return make


def public_pair(options: argparse.Namespace, sizes: Sizes) -> Pair:
    return matched_pairs.public_pair(matched_pairs.cifar_data(sizes, options.cache), sizes)


PAIRS: dict[str, Callable[[argparse.Namespace, Sizes], Pair | None]] = {
    "mnist": mnist_pair,
    "vgg16": recipe_pair("vgg16"),
    "resnet20": recipe_pair("resnet20"),
    "public": public_pair,
}


def draw(curves: dict[str, dict[str, rf.LossCurve]], path: Path) -> None:
    """Losses above, accuracies below, one column a network."""
    figure, panels = line_pictures.new_figure(2 * len(curves), rows=2, height=3.4)
    above, below = panels[: len(curves)], panels[len(curves) :]
    for upper, lower, (title, lines) in zip(above, below, curves.items(), strict=True):
        line_pictures.draw_lines(upper, lines, "loss", title.replace(", ", "\n", 1), "loss (nats)")
        line_pictures.draw_lines(lower, lines, "accuracy", "", "accuracy")
    line_pictures.save(figure, above[0], path, "Loss and accuracy between two networks")


def text_of(curves: dict[str, dict[str, rf.LossCurve]], options: argparse.Namespace, sizes: Sizes) -> str:
    """One row a network and method."""
    rows = []
    for title, lines in curves.items():
        published = PUBLISHED["mnist" if title.startswith("MNIST") else "cifar"]
        for method, curve in lines.items():
            middle = len(curve.ts) // 2
            rows.append([
                title, WORDS[method], published[method],
                *(f"{curve.barrier('mean', f'{split}_loss'):.4f}" for split in ("train", "test")),
                f"{curve.values['test_loss'][middle]:.4f}", f"{curve.values['test_accuracy'][middle]:.2%}",
                " / ".join(f"{curve.values['test_accuracy'][end]:.2%}" for end in (0, -1)),
            ])  # fmt: skip
    header = [
        "networks", "line to B", "published barrier", "barrier, train", "barrier, test", "test loss, midpoint",
        "accuracy, midpoint", "accuracy, A / B",
    ]  # fmt: skip
    note = NOTE.format(
        reset=matched_pairs.RESET_IMAGES, points=options.points, train=sizes.train, test=sizes.test,
        steps=sizes.steps, products=training.products_name(),
    )  # fmt: skip
    title = "### Git Re-Basin, figures 2 and 9: along the line between two networks"
    return f"{title}\n\n{markdown_table(header, rows)}\n\n{note}"


if __name__ == "__main__":
    main()
