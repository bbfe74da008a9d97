"""Two networks trained apart, B matched to A, and their losses and errors at any parameters, for curves and planes."""

import argparse
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from networks import cifar, cifar_training, mnist, training
from networks.storage import cached_arrays
from torch import Tensor, nn
from torch.nn import functional

import rebasin_fast as rf
from rebasin_fast.analysis import ModeCurve, connect
from rebasin_fast.analysis.curves.shapes import CurveKind

Data = tuple[Tensor, Tensor]
SHAPES: tuple[CurveKind, ...] = ("bezier", "polygonal")


@dataclass(frozen=True)
class TrainedPair:
    """The pair, its data and how its curves are trained."""

    name: str
    title: str
    model: nn.Module
    a: Mapping[str, Any]
    b: Mapping[str, Any]
    matched: Mapping[str, Any]
    train: Data
    test: Data
    measured: int  # training images for losses
    batch: int
    epochs: int
    rate: float
    decay: float
    augmented: Callable[[Tensor], Tensor] = lambda inputs: inputs
    products: Callable[[], AbstractContextManager[Any]] = nullcontext

    def end(self, matched: bool) -> Mapping[str, Any]:
        """B, or B with its units moved."""
        return self.matched if matched else self.b

    def evaluate(self, params: Mapping[str, Any]) -> dict[str, float]:
        """Loss and error (in percent) on the first training images and on the test images."""
        with torch.inference_mode():
            self.model.load_state_dict({n: torch.as_tensor(value) for n, value in params.items()})
            self.model.eval()
            train = self._measure(*(part[: self.measured] for part in self.train))
            test = self._measure(*self.test)
        return {f"train {n}": value for n, value in train.items()} | {
            f"test {n}": value for n, value in test.items()
        }

    def curve(self, kind: CurveKind, matched: bool, cache: Any) -> ModeCurve:
        """The curve from A to B, trained, or from the cache."""
        side = "matched" if matched else "naive"
        recipe = f"{self.epochs}epochs_{len(self.train[1])}_rate{self.rate:g}"
        path = cache / f"curve_{self.name}_{kind}_{side}_{recipe}.safetensors"
        if not path.exists():
            steps = self.epochs * -(-len(self.train[1]) // self.batch)
            with self.products():
                curve = connect(
                    self.model, self.a, self.end(matched), self.batches, loss, kind=kind,
                    epochs=self.epochs, learning_rate=self.rate, weight_decay=self.decay,
                    schedule=partial(published_schedule, steps=steps),
                )  # fmt: skip
            curve.save(path)
        return ModeCurve.load(path)

    def batches(self) -> Iterator[Data]:
        """One epoch of training images in a random order."""
        inputs, labels = self.train
        for rows in torch.randperm(len(labels)).split(self.batch):
            yield self.augmented(inputs[rows]), labels[rows]

    def _measure(self, inputs: Tensor, labels: Tensor) -> dict[str, float]:
        with self.products():
            outputs = torch.cat([self.model(part) for part in inputs.split(500)]).double()
        wrong = (outputs.argmax(1) != labels).double().mean().item()
        return {"loss": functional.cross_entropy(outputs, labels).item(), "error": 100 * wrong}


def loss(outputs: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy in float32, of products in bfloat16 too."""
    return functional.cross_entropy(outputs.float(), labels)


def published_schedule(optimizer: Any, steps: int) -> Any:
    """Garipov et al.'s: the full rate for one half, then down to a hundredth over two fifths, and so to the end."""
    return torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: max(0.01, min(1.0, 1.0 - 0.99 * (step / steps - 0.5) / 0.4))
    )


def mnist_pair(options: argparse.Namespace) -> TrainedPair:
    """MNIST perceptrons with three hidden layers of 512 units."""
    a, b = (mnist.trained_mlp(seed, options.cache) for seed in (0, 1))
    train, test = (mnist.load_images(split) for split in ("train", "test"))
    data = [(torch.from_numpy(images.inputs), torch.from_numpy(images.labels)) for images in (train, test)]
    shape = {"measured": 10_000, "batch": 500, "epochs": 5, "rate": 0.03, "decay": 0.0}
    title = "MNIST, perceptrons 784-512-512-512-10"
    model = training.perceptron(784, *mnist.HIDDEN, 10)
    return pair("mnist", title, model, a, b, data, options, **shape)


def vgg16_pair(options: argparse.Namespace) -> TrainedPair:
    """CIFAR-10 VGG-16s of width 16 with LayerNorm."""
    recipes = [cifar_training.Recipe("vgg16", 16, seed, 8) for seed in (0, 1)]
    a, b = (recipe.after(8, options.cache) for recipe in recipes)
    data = []
    for split, count in (("train", None), ("test", 4_000)):
        images = cifar.load_images(split, options.cache).first(count)
        inputs = torch.from_numpy(cifar.normalised(images.pixels)).contiguous(
            memory_format=torch.channels_last
        )
        data.append((inputs, torch.from_numpy(images.labels.astype("int64"))))
    shape = {"measured": 2_000, "batch": 128, "epochs": 1, "rate": 0.015, "decay": cifar_training.DECAY}
    title = "CIFAR-10, VGG-16 of width 16 (the published has 64), LayerNorm"
    shape |= {"augmented": cifar_training.augmented, "products": cifar_training.fast_products}
    return pair("vgg16", title, recipes[0].build(), a, b, data, options, **shape)


def pair(
    name: str, title: str, model: Any, a: Any, b: Any, data: Any, options: argparse.Namespace, **shape: Any
) -> TrainedPair:
    """The pair with B matched by weights; fewer images and one epoch for a quick run."""
    train, test = data
    if options.quick:
        train, test = (tuple(part[:1000] for part in both) for both in (train, test))
        shape |= {"measured": 250, "epochs": 1}
        test = tuple(part[:250] for part in test)
    spec = rf.specs.for_params(a)

    def permutation() -> Any:
        return rf.weight_matching(spec, a, b, restarts=5).permutation

    found = cached_arrays(
        options.cache, f"permutation_{name}_width{len(next(iter(a.values())))}", permutation
    )
    matched = rf.apply_permutation(spec, found, b)  # type: ignore[arg-type]
    return TrainedPair(name, title, model, a, b, matched, train, test, **shape)


PAIRS: dict[str, Callable[[argparse.Namespace], TrainedPair]] = {"mnist": mnist_pair, "vgg16": vgg16_pair}
