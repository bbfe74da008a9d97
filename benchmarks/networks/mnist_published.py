"""MNIST perceptrons trained as the published programs train theirs.

``many``: 784-512-512-512-10 on random halves of the images, as in the program for many models of Git Re-Basin
(Ainsworth et al., 2022): Adam at a rate that never falls, 100 epochs, batches of 500, pixels in [0, 1] and not
centred, Flax's first weights. ``deep7``, ``deep10``: 7 and 10 hidden layers of 128 units, as in REPAIR (Jordan et
al., 2022): SGD with momentum, a warm-up and a linear fall, 50 epochs, batches of 1000, centred pixels, torch's first
weights.

Run as a program it trains for a number of seconds, keeps where it stands in the cache, and goes on there at the next
call, until all epochs are done::

    REBASIN_FAST_DATA=... python benchmarks/networks/mnist_published.py --recipe many --part 0 --seconds 150
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line

from networks import mnist, training
from networks.mnist_parts import random_half
from networks.storage import DEFAULT_CACHE, Params

# What cutting a normal distribution at two deviations leaves of its deviation.
CUT = 0.87962566103423978


def perceptron(hidden: tuple[int, ...]) -> nn.Sequential:
    """Untrained, with torch's first weights."""
    return training.perceptron(784, *hidden, 10)


def flax_perceptron(hidden: tuple[int, ...]) -> nn.Sequential:
    """Untrained, with Flax's: normal of variance 1 / inputs, cut at two deviations; no biases."""
    model = perceptron(hidden)
    for layer in model:
        if isinstance(layer, nn.Linear):
            deviation = layer.in_features**-0.5 / CUT
            nn.init.trunc_normal_(layer.weight, std=deviation, a=-2 * deviation, b=2 * deviation)
            nn.init.zeros_(layer.bias)
    return model


def adam(model: nn.Module, steps: int) -> tuple[Any, Any]:
    """The rate stays as it is."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)


def falling_sgd(model: nn.Module, steps: int) -> tuple[Any, Any]:
    """The rate rises for a tenth of the steps, and then falls to zero."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

    def share(step: int) -> float:
        return min(step / (0.1 * steps), (steps - step) / (0.9 * steps))

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, share)


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; ``name`` goes into its file."""

    name: str
    hidden: tuple[int, ...]
    epochs: int
    batch: int
    centred: bool
    seed: int  # of part 0
    build: Callable[[tuple[int, ...]], nn.Sequential]
    optimize: Callable[[nn.Module, int], tuple[Any, Any]]
    rows: Callable[[Any, int], Any]

    def images(self, split: str) -> mnist.Images:
        """MNIST's ``"train"`` or ``"test"`` images as the networks take them."""
        images = mnist.load_images(split)
        if self.centred:
            return images
        pixels = images.inputs * np.float32(mnist.DEVIATION) + np.float32(mnist.MEAN)
        return mnist.Images(pixels, images.labels)

    def path(self, part: int, cache: Path) -> Path:
        """Where the state of a network lies."""
        widths = "-".join(map(str, self.hidden))
        return cache / f"mnist_mlp_{widths}_{self.epochs}epochs_{self.name}{part}.pt"

    def trained(self, part: int, cache: Path = DEFAULT_CACHE) -> tuple[Params, int]:
        """The parameters of a network, and for how many epochs it is trained; ends the program where there is none."""
        model, epochs = training.trained_so_far(self.path(part, cache), "mnist_published.py")
        return {name: tensor.numpy() for name, tensor in model.items()}, epochs


MANY = Recipe("published", mnist.HIDDEN, 100, 500, False, 10, flax_perceptron, adam, random_half)


def deep(layers: int) -> Recipe:
    """The recipe of REPAIR for so many hidden layers of 128 units."""

    def every(labels: Any, part: int) -> Any:
        return np.arange(len(labels))

    return Recipe("repair", (128,) * layers, 50, 1000, True, 0, perceptron, falling_sgd, every)


DEEP = {layers: deep(layers) for layers in (7, 10)}
RECIPES = {"many": MANY, "deep7": DEEP[7], "deep10": DEEP[10]}


def train(recipe: Recipe, part: int, seconds: float, cache: Path = DEFAULT_CACHE) -> int:
    """Train whole epochs until the seconds are used up; the number of epochs done in all."""
    images = recipe.images("train")
    rows = recipe.rows(images.labels, part)
    data = torch.from_numpy(images.inputs[rows]), torch.from_numpy(images.labels[rows])
    torch.manual_seed(recipe.seed + part)
    model = recipe.build(recipe.hidden)
    steps = len(rows) // recipe.batch
    optimizer, schedule = recipe.optimize(model, recipe.epochs * steps)

    def epoch() -> float:
        return training.train_epoch(model, optimizer, schedule, data, recipe.batch)

    path, lengths = recipe.path(part, cache), (recipe.epochs, steps)
    return training.train_in_pieces(path, model, optimizer, schedule, epoch, lengths, seconds)


def main() -> None:
    parser = command_line(__doc__, "--cache", "--seconds")
    parser.add_argument("--recipe", choices=list(RECIPES), default="many")
    parser.add_argument("--part", type=int, required=True, help="of the data, or of the deep ones the seed")
    options = parser.parse_args()
    torch.set_num_threads(1)
    recipe = RECIPES[options.recipe]
    done = train(recipe, options.part, options.seconds, options.cache)
    if done == recipe.epochs:
        metrics = mnist.evaluate(recipe.trained(options.part, options.cache)[0], recipe.images("test"))
        print(f"part {options.part}: test loss {metrics['loss']:.4f}, accuracy {metrics['accuracy']:.2%}")
    else:
        print(f"part {options.part}: {done} of {recipe.epochs} epochs done; run again to go on")


if __name__ == "__main__":
    main()
