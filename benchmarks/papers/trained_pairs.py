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
    measured: int  # training images for losses on a path
    plane: int  # and for those in a plane
    batch: int
    epochs: int  # of a curve
    images: int  # of its epoch
    rate: float
    decay: float
    augmented: Callable[[Tensor], Tensor] = lambda inputs: inputs
    products: Callable[[], AbstractContextManager[Any]] = nullcontext

    def end(self, matched: bool) -> Mapping[str, Any]:
        """B, or B with its units moved."""
        return self.matched if matched else self.b

    def evaluate(self, params: Mapping[str, Any]) -> dict[str, float]:
        """Loss and error (in percent) on the first training images and on the test images."""
        train = self._measure(params, *(part[: self.measured] for part in self.train))
        test = self._measure(params, *self.test)
        return {f"train {name}": value for name, value in train.items()} | {
            f"test {name}": value for name, value in test.items()
        }

    def evaluate_in_plane(self, params: Mapping[str, Any]) -> dict[str, float]:
        """Loss and error (in percent) on fewer training images."""
        found = self._measure(params, *(part[: self.plane] for part in self.train))
        return {f"train {name}": value for name, value in found.items()}

    def curve(self, kind: CurveKind, matched: bool, cache: Any) -> ModeCurve:
        """The curve from A to B, trained, or from the cache."""
        side = "matched" if matched else "naive"
        recipe = f"{self.epochs}epochs_{self.images}_rate{self.rate:g}"
        path = cache / f"curve_{self.name}_{kind}_{side}_{recipe}.safetensors"
        if not path.exists():
            unfinished = path.with_stem(f"{path.stem}_unfinished")
            steps = self.epochs * -(-self.images // self.batch)
            with self.products():
                curve = connect(
                    self.model, self.a, self.end(matched), self.batches, loss, kind=kind,
                    learning_rate=self.rate, weight_decay=self.decay,
                    schedule=partial(published_schedule, steps=steps),
                    checkpoint=unfinished, checkpoint_every=25,
                )  # fmt: skip
            curve.save(path)
            unfinished.unlink()
        return ModeCurve.load(path)

    def batches(self) -> Iterator[Data]:
        """The batches of all epochs, in the same random order at each call."""
        torch.manual_seed(0)
        inputs, labels = self.train
        for _ in range(self.epochs):
            for rows in torch.randperm(len(labels))[: self.images].split(self.batch):
                yield self.augmented(inputs[rows]), labels[rows]

    def _measure(self, params: Mapping[str, Any], inputs: Tensor, labels: Tensor) -> dict[str, float]:
        self.model.load_state_dict({name: torch.as_tensor(value) for name, value in params.items()})
        self.model.eval()
        with torch.inference_mode(), self.products():
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


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of programs on these pairs."""
    parser.add_argument("--networks", nargs="+", choices=list(PAIRS), default=list(PAIRS))
    parser.add_argument("--images", type=int, default=12_800, help="that train a curve between VGG-16s")
    parser.add_argument("--quick", action="store_true", help="a thousand images, an epoch, five points")


def mnist_pair(options: argparse.Namespace) -> TrainedPair:
    """MNIST perceptrons with three hidden layers of 512 units."""
    a, b = (mnist.trained_mlp(seed, options.cache) for seed in (0, 1))
    train, test = (mnist.load_images(split) for split in ("train", "test"))
    data = [(torch.from_numpy(images.inputs), torch.from_numpy(images.labels)) for images in (train, test)]
    data[1] = data[1][0][:5_000], data[1][1][:5_000]
    shape = {"measured": 2_000, "plane": 500, "batch": 500, "epochs": 2, "images": 60_000}
    shape |= {"rate": 0.1, "decay": 0.0}
    title = "MNIST, perceptrons 784-512-512-512-10"
    model = training.perceptron(784, *mnist.HIDDEN, 10)
    return pair("mnist", title, model, a, b, data, options, **shape)


def vgg16_pair(options: argparse.Namespace) -> TrainedPair:
    """CIFAR-10 VGG-16s of width 16 with LayerNorm."""
    recipes = [cifar_training.Recipe("vgg16", 16, seed, 8) for seed in (0, 1)]
    a, b = (recipe.after(8, options.cache) for recipe in recipes)
    data = []
    for split, count in (("train", None), ("test", 1_000)):
        images = cifar.load_images(split, options.cache).first(count)
        inputs = torch.from_numpy(cifar.normalised(images.pixels)).contiguous(
            memory_format=torch.channels_last
        )
        data.append((inputs, torch.from_numpy(images.labels.astype("int64"))))
    shape = {"measured": 500, "plane": 250, "batch": 128, "epochs": 1, "images": options.images}
    shape |= {"rate": 0.03, "decay": cifar_training.DECAY}
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
        shape |= {"measured": 250, "plane": 250, "epochs": 1, "images": 1000}
        test = tuple(part[:250] for part in test)
    spec = rf.specs.for_params(a, norm_groups=1 if name == "vgg16" else None)  # LayerNorm

    def permutation() -> Any:
        return rf.weight_matching(spec, a, b, restarts=5).permutation

    found = cached_arrays(
        options.cache, f"permutation_{name}_width{len(next(iter(a.values())))}", permutation
    )
    matched = rf.apply_permutation(spec, found, b)  # type: ignore[arg-type]
    return TrainedPair(name, title, model, a, b, matched, train, test, **shape)


PAIRS: dict[str, Callable[[argparse.Namespace], TrainedPair]] = {"mnist": mnist_pair, "vgg16": vgg16_pair}
