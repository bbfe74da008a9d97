"""Pairs of networks to match, by name: random ones of known shapes, their noisy copies, trained ones."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from networks import mnist, shapes

import rebasin_fast as rf

NOISE = 0.5  # of related networks, in standard deviations of each array

Pair = tuple[shapes.Arrays, shapes.Arrays]
MakePair = Callable[[int, Path], Pair]  # of a seed and the folder where trained networks are kept


def unrelated(make_shapes: Callable[[], shapes.Shapes]) -> MakePair:
    """Pairs of independent random networks."""

    def make_pair(seed: int, _cache: Path) -> Pair:
        rng = np.random.default_rng(seed)
        return shapes.random_params(make_shapes(), rng), shapes.random_params(make_shapes(), rng)

    return make_pair


def related(make_shapes: Callable[[], shapes.Shapes]) -> MakePair:
    """Pairs of a random network and its permuted copy with noise on every weight."""

    def make_pair(seed: int, _cache: Path) -> Pair:
        rng = np.random.default_rng(seed)
        params = shapes.random_params(make_shapes(), rng)
        spec = rf.specs.for_params(params)
        planted = {p: rng.permutation(n) for p, n in spec.sizes(params).items()}
        return params, shapes.noisy(rf.apply_permutation(spec, planted, params), NOISE, rng)

    return make_pair


def trained_mnist(width: int) -> MakePair:
    """The same two trained networks with three hidden layers for every seed, which draws the order only."""

    def make_pair(_seed: int, cache: Path) -> Pair:
        hidden = (width, width, width)
        return mnist.trained_mlp(0, cache, hidden), mnist.trained_mlp(1, cache, hidden)

    return make_pair


def trained_resnet20(_seed: int, _cache: Path) -> Pair:
    """Return the two public checkpoints for every seed, which draws the order only."""
    from networks import resnet20

    return resnet20.load_checkpoint("a"), resnet20.load_checkpoint("b")


def trained_vgg11(_seed: int, cache: Path) -> Pair:
    """Return the two narrow networks that ``networks/vgg11.py`` trains, for every seed."""
    from networks import vgg11

    a, b = ({name: t.numpy() for name, t in vgg11.trained(seed, cache)[0].items()} for seed in (0, 1))
    return a, b


JOBS: dict[str, MakePair] = {
    "resnet20": unrelated(shapes.resnet20),
    "resnet20-wide8": unrelated(lambda: shapes.resnet20(8)),
    "resnet20-trained": trained_resnet20,
    "resnet18": unrelated(shapes.resnet18),
    "resnet50": unrelated(shapes.resnet50),
    "resnet50-related": related(shapes.resnet50),
    "vgg16": unrelated(shapes.vgg16),
    "vgg11-trained": trained_vgg11,
    "mlp512-trained": trained_mnist(512),
    "mlp2048-trained": trained_mnist(2048),
}


def sweep_flop(axes: Mapping[str, Any], params: Mapping[str, Any]) -> float:
    """The products of all similarities once; ``axes`` are those of the reference's published loop."""
    flop = 0.0
    for name, entries in axes.items():
        entries_of_array = math.prod(params[name].shape)
        for length, parts in zip(params[name].shape, entries, strict=True):
            for positions in parts.values():
                copies, units = positions.shape
                flop += 2.0 * units * units * copies * entries_of_array / length
    return flop
