"""Two networks trained apart, B under the permutation of each method of Git Re-Basin, and the losses between them.

Permutations and lines are kept in the cache: a program that is stopped goes on where it was.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from networks import cifar, cifar_training, layernorm, mnist, resnet20, training
from networks.storage import cached_arrays
from torch import Tensor, nn
from torch.nn import functional

import rebasin_fast as rf
from rebasin_fast.evaluation import expected_calibration_error

Params = Mapping[str, Any]
METHODS = ("naive", "weights", "activations", "straight_through")
WORDS = {
    "naive": "naive interpolation",
    "weights": "weight matching",
    "activations": "activation matching",
    "straight_through": "straight-through estimator",
}
MATCHED_IMAGES = 4_000  # that activations are compared on
RESET_IMAGES = 1_000  # that BatchNorm statistics are measured on


@dataclass(frozen=True)
class Labelled:
    """Inputs and their classes."""

    inputs: Tensor
    labels: Tensor

    def first(self, count: int) -> "Labelled":
        """The first ``count`` samples."""
        return Labelled(self.inputs[:count], self.labels[:count])

    def drawn(self, count: int, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """``count`` batches of ``size`` samples in a random order, from the beginning again where they run out."""
        rng, order = np.random.default_rng(0), torch.empty(0, dtype=torch.int64)
        for _ in range(count):
            if len(order) < size:
                order = torch.from_numpy(rng.permutation(len(self.labels)))
            rows, order = order[:size], order[size:]
            yield self.inputs[rows], self.labels[rows]


@dataclass(frozen=True)
class Sizes:
    """Numbers of images and of straight-through steps."""

    train: int = 1_000
    test: int = 3_000
    steps: int = 100
    batch: int = 100


@dataclass(frozen=True)
class Pair:
    """Parameters of two networks under one name in the cache, their model and spec, and their data."""

    name: str
    title: str
    model: nn.Module
    spec: rf.PermutationSpec
    a: Params
    b: Params
    train: Labelled  # all training images
    test: Labelled
    sizes: Sizes
    rate: float  # of the straight-through estimator
    products: Callable[[], AbstractContextManager[Any]] = training.fast_products

    def matched(self, method: str, cache: Path) -> Params:
        """B as it is, or with its units moved by a method."""
        if method == "naive":
            return self.b
        return rf.apply_permutation(self.spec, self.permutation(method, cache), self.b)

    def permutation(self, method: str, cache: Path) -> Mapping[str, Any]:
        """The permutation that a method finds, from the cache where it is there."""
        effort = f"_{self.sizes.steps}steps" if method == "straight_through" else ""
        find = {
            "weights": self._by_weights,
            "activations": self._by_activations,
            "straight_through": self._by_straight_through,
        }[method]
        return cached_arrays(cache, f"permutation_{self.name}_{method}{effort}", find)

    def line_path(self, method: str, points: int, cache: Path) -> Path:
        """The file that `line` keeps the line in."""
        sizes = f"{points}points_{self.sizes.train}train_{self.sizes.test}test"
        effort = f"_{self.sizes.steps}steps" if method == "straight_through" else ""
        return cache / f"line_{self.name}_{method}{effort}_{sizes}.npz"

    def line(self, method: str, points: int, cache: Path) -> rf.LossCurve:
        """Loss and accuracy on training and test images along the line to B, matched by a method."""
        path = self.line_path(method, points, cache)
        if not path.exists():
            ts = np.linspace(0.0, 1.0, points)
            first, last = self.ends
            inner = [
                self.evaluate(rf.interpolate(self.a, self.matched(method, cache), float(t))) for t in ts[1:-1]
            ]
            rows = [first, *inner, last]
            rf.LossCurve(ts, {key: np.array([row[key] for row in rows]) for key in first}).save(path)
        return rf.LossCurve.load(path)

    @cached_property
    def ends(self) -> tuple[dict[str, float], dict[str, float]]:
        """Loss and accuracy of A and of B, which no permutation changes."""
        return self.evaluate(self.a), self.evaluate(self.b)

    def evaluate(self, params: Params) -> dict[str, float]:
        """Loss (nats) and accuracy on the first training images and on the test images."""
        model = self.with_params(params)
        found: dict[str, float] = {}
        for split, data in (
            ("train", self.train.first(self.sizes.train)),
            ("test", self.test.first(self.sizes.test)),
        ):
            found |= {
                f"{split}_{key}": value for key, value in scores(self.outputs(model, data), data).items()
            }
        return found

    def outputs(self, model: nn.Module, data: Labelled) -> Tensor:
        """The logits in float32; products are bfloat16 where the processor multiplies it."""
        with torch.inference_mode(), self.products():
            return torch.cat([model(part) for part in data.inputs.split(100)]).float()

    def with_params(self, params: Params) -> nn.Module:
        """A copy of the model in evaluation mode; BatchNorm statistics are measured anew."""
        model = copy.deepcopy(self.model)
        model.load_state_dict({name: torch.as_tensor(value) for name, value in params.items()}, strict=False)
        if any(isinstance(module, nn.BatchNorm2d) for module in model.modules()):
            with self.products():
                rf.reset_batch_norm(model, self.train.inputs[-RESET_IMAGES:].split(250))
        return model.eval()

    def _by_weights(self) -> dict[str, Any]:
        return rf.weight_matching(self.spec, self.a, self.b, restarts=5, threads=1).permutation

    def _by_activations(self) -> dict[str, Any]:
        models = self.with_params(self.a), self.with_params(self.b)
        with self.products():
            batches = self.train.inputs[:MATCHED_IMAGES].split(100)
            return rf.activation_matching(self.spec, *models, batches).permutation

    def _by_straight_through(self) -> dict[str, Any]:
        batches = list(self.train.drawn(self.sizes.steps, self.sizes.batch))
        with self.products():
            return rf.straight_through_matching(
                self.spec, copy.deepcopy(self.model), self.a, self.b, batches, cross_entropy,
                learning_rate=self.rate, evaluate_every=max(5, self.sizes.steps // 10), kept_batches=10, threads=1,
            ).permutation  # fmt: skip


def cross_entropy(outputs: Tensor, labels: Tensor) -> Tensor:
    """In float32, of products in bfloat16 too."""
    return functional.cross_entropy(outputs.float(), labels)


def scores(outputs: Tensor, data: Labelled) -> dict[str, float]:
    """Mean cross-entropy (nats), accuracy and expected calibration error."""
    wide, labels = outputs.double(), data.labels
    return {
        "loss": functional.cross_entropy(wide, labels).item(),
        "accuracy": (outputs.argmax(1) == labels).double().mean().item(),
        "ece": expected_calibration_error(wide.numpy(), labels.numpy()),
    }


def mnist_data() -> tuple[Labelled, Labelled]:
    """Training and test images."""
    train, test = (mnist.load_images(split) for split in ("train", "test"))
    return tuple(  # type: ignore[return-value]
        Labelled(torch.from_numpy(images.inputs), torch.from_numpy(images.labels)) for images in (train, test)
    )


def cifar_data(
    sizes: Sizes, cache: Path, dataset: cifar.Dataset = "cifar10", learning: int = 20_000
) -> tuple[Labelled, Labelled]:
    """The first ``learning`` training images, and the first test images."""
    found = []
    for split, count in (("train", learning), ("test", sizes.test)):
        images = cifar.load_images(split, cache, dataset).first(count)
        inputs = torch.from_numpy(cifar.normalised(images.pixels)).contiguous(
            memory_format=torch.channels_last
        )
        found.append(Labelled(inputs, torch.from_numpy(images.labels.astype("int64"))))
    return found[0], found[1]


def mnist_pair(
    name: str, title: str, a: Params, b: Params, data: tuple[Labelled, Labelled], sizes: Sizes
) -> Pair:
    """Perceptrons with the images of `mnist_data`."""
    layers = len(a) // 2
    model = training.perceptron_with(a)
    spec = rf.specs.mlp(mnist.layer_names(layers))
    return Pair(name, title, model, spec, a, b, *data, sizes, 1.0, nullcontext)


def recipe_pair(
    recipes: tuple[cifar_training.Recipe, cifar_training.Recipe],
    epoch: int,
    data: tuple[Labelled, Labelled],
    sizes: Sizes,
    cache: Path,
) -> Pair:
    """Two networks of `networks/cifar_training.py` after an epoch."""
    a, b = (recipe.after(epoch, cache) for recipe in recipes)
    first, second = recipes
    name = f"{first.path(cache).stem}_and_{second.part}_seed{second.seed}_after{epoch}"
    model = first.build()
    return Pair(name, title_of(first), model, spec_of(first, cache), a, b, *data, sizes, 0.3)


def spec_of(recipe: cifar_training.Recipe, cache: Path) -> rf.PermutationSpec:
    """The traced spec, from the cache where it is there."""
    path = cache / f"spec_{recipe.architecture}.json"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        spec = rf.trace_spec(layernorm.build(recipe.architecture, 8), torch.zeros(2, 3, 32, 32))
        path.write_text(spec.to_json(), encoding="utf-8")
    return rf.PermutationSpec.from_json(path.read_text(encoding="utf-8"))


def title_of(recipe: cifar_training.Recipe) -> str:
    """Data, architecture and width."""
    dataset = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}[recipe.dataset]
    architecture = {"resnet20": "ResNet-20", "vgg16": "VGG-16"}[recipe.architecture]
    return f"{dataset}, {architecture} of width {recipe.width}"


def public_pair(data: tuple[Labelled, Labelled], sizes: Sizes) -> Pair:
    """Two public CIFAR-10 ResNet-20 checkpoints with BatchNorm, measured with its statistics reset."""
    a, b = (resnet20.load_checkpoint(which) for which in "ab")
    model = resnet20.model_with(a).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    title = "CIFAR-10, two public ResNet-20 of width 16, BatchNorm reset"
    return Pair("cifar10_public_resnet20", title, model, rf.specs.for_params(a), a, b, *data, sizes, 0.3)


def trained_epochs(recipe: cifar_training.Recipe, cache: Path) -> int:
    """Number of epochs in the cache; -1 where not even the first weights are there."""
    done = -1
    while cifar_training.snapshot(recipe.path(cache), done + 1).exists():
        done += 1
    return done
