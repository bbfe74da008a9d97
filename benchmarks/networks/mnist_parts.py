"""MNIST perceptrons that each saw a part of the training images only.

Run as a program it trains (or finds in the cache) the networks that ``many_mnist.py`` merges, one a call so that
each call is short::

    REBASIN_FAST_DATA=... python benchmarks/networks/mnist_parts.py --split halves --parts 0
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line

from networks import mnist
from networks.storage import DEFAULT_CACHE, Params, cached_arrays

HALVES = 5
SHARE = 0.8  # of the images of its own five classes that a biased part holds; 1 - SHARE of the others

Rows = npt.NDArray[np.int64]


def random_half(labels: npt.NDArray[np.int64], part: int) -> Rows:
    """Half of all rows, drawn for each part by itself."""
    return np.random.default_rng(100 + part).permutation(len(labels))[: len(labels) // 2]


def biased_part(labels: npt.NDArray[np.int64], part: int) -> Rows:
    """One of two disjoint parts: 80 % of the digits 0-4 and 20 % of 5-9 (part 0), and all the rest (part 1)."""
    rng = np.random.default_rng(200)
    rows: list[Rows] = []
    for digit in range(10):
        own = rng.permutation(np.flatnonzero(labels == digit))
        cut = round(len(own) * (SHARE if digit < 5 else 1 - SHARE))
        rows.append(own[:cut] if part == 0 else own[cut:])
    return np.concatenate(rows)


SPLITS: dict[str, tuple[Callable[[npt.NDArray[np.int64], int], Rows], int]] = {
    "halves": (random_half, HALVES),
    "halves-constant": (random_half, HALVES),
    "biased": (biased_part, 2),
}
# As the published program trains, though for fewer epochs: a learning rate that never falls.
CONSTANT_EPOCHS = 12


def trained(split: str, part: int, cache: Path = DEFAULT_CACHE) -> Params:
    """The network 784-512-512-512-10 of one part, from the cache where it is there; seeded by its part."""
    choose, _ = SPLITS[split]

    constant = split.endswith("constant")
    epochs = CONSTANT_EPOCHS if constant else mnist.EPOCHS

    def make() -> Params:
        images = mnist.load_images("train")
        rows = choose(images.labels, part)
        own = mnist.Images(images.inputs[rows], images.labels[rows])
        return mnist.train(10 + part, mnist.HIDDEN, own, epochs=epochs, falling=not constant)

    name = f"mnist_mlp_{'-'.join(map(str, mnist.HIDDEN))}_{epochs}epochs_{split}{part}"
    return cached_arrays(cache, name, make)  # type: ignore[return-value]


def main() -> None:
    parser = command_line("Train MNIST networks on parts of the images into the cache.", "--cache")
    parser.add_argument("--split", choices=list(SPLITS), required=True)
    parser.add_argument("--parts", type=int, nargs="+", help="all parts by default")
    options = parser.parse_args()
    test = mnist.load_images("test")
    for part in options.parts or range(SPLITS[options.split][1]):
        metrics = mnist.evaluate(trained(options.split, part, options.cache), test)
        print(
            f"{options.split} {part}: test loss {metrics['loss']:.4f}, test accuracy {metrics['accuracy']:.2%}"
        )


if __name__ == "__main__":
    main()
