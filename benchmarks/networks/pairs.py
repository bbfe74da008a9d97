"""Pairs of trained networks with training images to measure statistics on and test images to evaluate."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from networks import cifar, mnist, mnist_published, resnet20, training, vgg11


@dataclass(frozen=True)
class TestedPair:
    """Parameters of two networks, their model, batches of training images, the test, and a title."""

    a: Any
    b: Any
    build: Callable[[Any], nn.Module]
    batches: list[Tensor]
    evaluate: Callable[[nn.Module], dict[str, float]]
    title: str

    @property
    def has_batch_norm(self) -> bool:
        """Whether statistics can be reset."""
        return any(name.endswith("running_var") for name in self.a)


def _perceptrons(a: Any, b: Any, options: argparse.Namespace, title: str) -> TestedPair:
    test = mnist.load_images("test")
    batches = list(torch.from_numpy(mnist.load_images("train").inputs[: options.images or 20_000]).split(500))

    def evaluate(model: nn.Module) -> dict[str, float]:
        return mnist.evaluate({name: t.numpy() for name, t in model.state_dict().items()}, test)

    return TestedPair(a, b, training.perceptron_with, batches, evaluate, title)


def perceptrons(options: argparse.Namespace, *hidden: int) -> TestedPair:
    """MNIST, Adam, seeds 0 and 1."""
    a, b = (mnist.trained_mlp(seed, options.cache, hidden) for seed in (0, 1))
    shape = "-".join(map(str, (784, *hidden, 10)))
    if len(set(hidden)) == 1 and len(hidden) > 3:
        shape = f"of {len(hidden)} hidden layers of {hidden[0]} units, Adam"
    return _perceptrons(a, b, options, f"MNIST, two perceptrons {shape}: the midpoint")


def published_perceptrons(options: argparse.Namespace, recipe: str, folded: bool = False) -> TestedPair:
    """MNIST, ten or seven hidden layers of 128 units, trained as in REPAIR or with one thing changed.

    ``folded``: the BatchNorm layers made part of the weights before anything is matched.
    """
    known = mnist_published.DEEP[recipe]
    (a, epochs_a), (b, epochs_b) = (known.trained(seed, options.cache) for seed in (0, 1))
    title = (
        f"MNIST, perceptrons of {len(known.hidden)} hidden layers of 128 units, {recipe}{', folded' * folded} "
        f"({epochs_a} and {epochs_b} epochs of {known.epochs}): the midpoint"
    )
    if folded:
        a, b = (mnist_published.folded(params) for params in (a, b))
    plain = not any(name.endswith("running_var") for name in a)

    def build(params: Any) -> nn.Module:
        model = mnist_published.perceptron(known.hidden) if plain else known.build(known.hidden)
        return training.loaded(model, {name: torch.as_tensor(array) for name, array in params.items()})

    test, train = known.images("test"), known.images("train").inputs[: options.images or 20_000]
    batches = list(torch.from_numpy(train).split(1000))
    return TestedPair(a, b, build, batches, lambda model: training.evaluate_rows(model, test), title)


def _on_cifar(
    a: Any, b: Any, build: Callable[[Any], nn.Module], options: argparse.Namespace, batch: int, title: str
) -> TestedPair:
    test = cifar.load_images("test", options.cache).first(options.test_images)
    train = cifar.load_images("train", options.cache).sample(options.images or 2000, seed=0)
    batches = list(training.batches(train, batch))
    return TestedPair(a, b, build, batches, lambda model: training.evaluate(model, test), title)


def vgg11_pair(options: argparse.Namespace) -> TestedPair:
    """CIFAR-10, narrow, without BatchNorm."""
    width = options.vgg_width
    network = options.cache, width, options.vgg_epochs
    (a, epochs_a), (b, epochs_b) = (vgg11.trained(seed, *network) for seed in (0, 1))
    title = (
        f"CIFAR-10, VGG-11 without BatchNorm, narrow ({width} channels in the first layer "
        f"instead of 64; {epochs_a} and {epochs_b} passes over half of the training images): the midpoint"
    )
    return _on_cifar(a, b, lambda params: training.loaded(vgg11.vgg11(width), params), options, 500, title)


def resnet20_pair(options: argparse.Namespace, batch: int = 500) -> TestedPair:
    """CIFAR-10, the two public checkpoints."""
    a, b = (resnet20.load_checkpoint(which) for which in "ab")
    title = "CIFAR-10, two public ResNet-20 checkpoints with BatchNorm: the midpoint"
    return _on_cifar(a, b, resnet20.model_with, options, batch, title)
