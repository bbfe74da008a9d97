"""MNIST perceptrons trained as the published programs train theirs.

``many``: 784-512-512-512-10 on random halves of the images, as in the program for many models of Git Re-Basin
(Ainsworth et al., 2022): Adam at a rate that never falls, 100 epochs, batches of 500, pixels in [0, 1] and not
centred, Flax's first weights. ``deep7``, ``deep10``: 7 and 10 hidden layers of 128 units, as in REPAIR (Jordan et
al., 2022): SGD with momentum, a warm-up and a linear fall, 50 epochs, batches of 1000, centred pixels, torch's first
weights. ``norm10``: the same with BatchNorm after each hidden layer. ``deep10short``, ``norm10short``, ``he10short``:
20 epochs, the last with He's first weights in place of torch's, which are √6 times as small.

Run as a program it trains for a number of seconds, keeps its state in the cache, and resumes at the next
call, until all epochs are done::

    REBASIN_FAST_DATA=... python benchmarks/networks/mnist_published.py --recipe many --part 0 --seconds 150
"""

import itertools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line

from networks import mnist, training
from networks.mnist_parts import random_half
from networks.storage import DEFAULT_CACHE, Params

# The deviation of a standard normal distribution cut at two deviations.
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


def he_perceptron(hidden: tuple[int, ...]) -> nn.Sequential:
    """Untrained, with He's: normal of variance 2 / inputs, which keeps the size of activations from layer to layer."""
    model = perceptron(hidden)
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    return model


def normalised_perceptron(hidden: tuple[int, ...]) -> nn.Sequential:
    """Untrained, with BatchNorm in place of the hidden layers' biases."""
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise((784, *hidden)):
        layers += [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(hidden[-1], 10))


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


def deep(
    layers: int,
    name: str = "repair",
    build: Callable[[tuple[int, ...]], nn.Sequential] = perceptron,
    epochs: int = 50,
) -> Recipe:
    """The recipe of REPAIR for so many hidden layers of 128 units."""

    def every(labels: Any, part: int) -> Any:
        return np.arange(len(labels))

    return Recipe(name, (128,) * layers, epochs, 1000, True, 0, build, falling_sgd, every)


DEEP = {
    "deep7": deep(7),
    "deep10": deep(10),
    "norm10": deep(10, "repairnorm", normalised_perceptron),
    "deep10short": deep(10, epochs=20),
    "he10short": deep(10, "repairhe", he_perceptron, 20),
    "norm10short": deep(10, "repairnorm", normalised_perceptron, 20),
}
RECIPES = {"many": MANY, **DEEP}


def folded(params: Params) -> Params:
    """A network with BatchNorm as one without: the running statistics become part of the weights."""
    plain: Params = {}
    layers = [name.removesuffix(".weight") for name, array in params.items() if array.ndim == 2]
    for number, layer in enumerate(layers):
        weight, norm = params[f"{layer}.weight"], str(int(layer) + 1)
        if f"{norm}.running_var" in params:
            scale = params[f"{norm}.weight"] / np.sqrt(params[f"{norm}.running_var"] + nn.BatchNorm1d(1).eps)
            bias = params[f"{norm}.bias"] - scale * params[f"{norm}.running_mean"]
            weight = weight * scale[:, None]
        else:
            bias = params[f"{layer}.bias"]
        plain |= {f"{2 * number}.weight": weight.astype(np.float32), f"{2 * number}.bias": bias}
    return plain


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
        model = recipe.build(recipe.hidden)
        params = recipe.trained(options.part, options.cache)[0]
        model.load_state_dict({key: torch.from_numpy(value) for key, value in params.items()})
        metrics = training.evaluate_rows(model.eval(), recipe.images("test"))
        print(f"part {options.part}: test loss {metrics['loss']:.4f}, accuracy {metrics['accuracy']:.2%}")
    else:
        print(f"part {options.part}: {done} of {recipe.epochs} epochs done; run again to go on")


if __name__ == "__main__":
    main()
