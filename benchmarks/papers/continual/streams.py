"""Streams of tasks: Rotated MNIST and Split CIFAR-100.

Both follow the protocol of Mirzadeh et al. (2020), "Understanding the role of training regimes in continual learning",
which Guerrero-Peña et al. (2023) take over: 20 tasks, one epoch a task.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from networks import cifar, mnist
from networks.storage import DEFAULT_CACHE
from torch import Tensor
from torch.nn import functional

Pair = tuple[Tensor, Tensor]
Rotations = Literal["drawn", "equal"]
TASKS = 20
STEP = 10.0  # degrees from a task to the next
FULL_TURN = 180.0  # the rotation of the last task in equal steps
PER_TASK = 5  # classes of a task of Split CIFAR-100


@dataclass(frozen=True)
class Task:
    """One task: its stored images, and the classes that the head may use."""

    load: Callable[[str], Pair]  # "train" or "test" -> stored inputs, targets
    ready: Callable[[Tensor], Tensor]  # stored inputs -> those of the network
    batch: int
    seed: tuple[int, ...]
    classes: tuple[int, ...] | None = None

    def train(self) -> Iterator[Pair]:
        """One epoch of batches in random order, the same at every call."""
        inputs, targets = self.load("train")
        order = np.random.default_rng(self.seed).permutation(len(targets))
        for rows in torch.from_numpy(order).split(self.batch):
            yield self.ready(inputs[rows]), targets[rows]

    @property
    def test(self) -> Pair:
        """All test inputs, and their targets."""
        inputs, targets = self.load("test")
        return self.ready(inputs), targets

    def mask(self, targets: Tensor, count: int) -> Tensor | None:
        """True at the outputs of the task's classes, (count,) or (len(targets), count); None for all."""
        return None if self.classes is None else mask_of(self.classes, count)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy over the task's classes."""
        return masked_loss(outputs, targets, self.mask(targets, outputs.shape[1]))

    def hits(self, outputs: Tensor, targets: Tensor) -> int:
        """Number of rows whose largest output among the task's classes is the target's."""
        best = masked(outputs, self.mask(targets, outputs.shape[1])).argmax(1)
        return int((best == targets).sum())


@dataclass(frozen=True)
class JointTask(Task):
    """All tasks of a stream in one; the label of its task is given with each image where the tasks use it."""

    parts: tuple[Task, ...] = ()

    def mask(self, targets: Tensor, count: int) -> Tensor | None:
        """True at the outputs that share a task with the target, (len(targets), count)."""
        if self.parts[0].classes is None:
            return None
        together = torch.zeros(count, count, dtype=torch.bool)
        for part in self.parts:
            assert part.classes is not None
            together |= torch.outer(*[mask_of(part.classes, count)] * 2)
        return together[targets]


@dataclass(frozen=True)
class Stream:
    """Tasks in the order in which they are learned."""

    name: str
    tasks: tuple[Task, ...]


def joined(stream: Stream) -> Stream:
    """The stream as one task, for joint training: one epoch over the images of all tasks, shuffled."""

    def load(split: str) -> Pair:
        inputs, targets = zip(*(task.load(split) for task in stream.tasks), strict=True)
        return torch.cat(inputs), torch.cat(targets)

    first = stream.tasks[0]
    return Stream(stream.name, (JointTask(load, first.ready, first.batch, first.seed, None, stream.tasks),))


def mask_of(classes: tuple[int, ...], count: int) -> Tensor:
    """True at the classes, (count,)."""
    mask = torch.zeros(count, dtype=torch.bool)
    mask[list(classes)] = True
    return mask


def masked(outputs: Tensor, mask: Tensor | None) -> Tensor:
    """The outputs, minus infinity where the mask is False."""
    return outputs if mask is None else outputs.masked_fill(~mask, -torch.inf)


def masked_loss(outputs: Tensor, targets: Tensor, mask: Tensor | None) -> Tensor:
    """Cross-entropy over the outputs where the mask is True."""
    return functional.cross_entropy(masked(outputs, mask), targets)


def rotations(seed: int, tasks: int, kind: Rotations) -> list[float]:
    """Rotation of each task in degrees.

    ``"drawn"``: 10 (t - 1) minus a uniform draw below 10, as the older program draws them. ``"equal"``: from 0 to 180
    in equal steps, as Guerrero-Peña et al. describe them.
    """
    if kind == "equal":
        return [float(angle) for angle in np.linspace(0, FULL_TURN, tasks)]
    draws = np.random.default_rng([seed, 0]).random(tasks)
    return [STEP * (number - float(draw)) for number, draw in enumerate(draws)]


def rotated_sources(degrees: float, side: int = 28) -> Tensor:
    """Number of the pixel that lands on each pixel, nearest neighbour; ``side**2`` where none does.

    An image of the pixels' numbers is rotated by Pillow, as torchvision rotates images.
    """
    from PIL import Image

    numbers = np.arange(1, side**2 + 1, dtype=np.int32).reshape(side, side)
    turned = np.asarray(Image.fromarray(numbers).rotate(degrees, Image.Resampling.NEAREST)).astype(np.int64)
    return torch.from_numpy(np.where(turned == 0, side**2, turned - 1).reshape(-1))


@cache
def mnist_pixels(split: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Pixels of MNIST as (count, 785) uint8, the last column black, and their labels."""
    images = mnist.load_images(split)
    pixels = np.rint((images.inputs * mnist.DEVIATION + mnist.MEAN) * 255).astype(np.uint8)
    return np.pad(pixels, ((0, 0), (0, 1))), images.labels


def rotated_mnist(
    seed: int,
    tasks: int = TASKS,
    images: int | None = None,
    batch: int = 64,
    kind: Rotations = "drawn",
    test_images: int | None = None,
) -> Stream:
    """MNIST under one rotation a task, all ten classes in each; ``images`` and ``test_images`` of it, None for all.

    Pixels in [0, 1], as rows of 784.
    """

    def task(number: int, degrees: float) -> Task:
        sources = rotated_sources(degrees).numpy()

        def rotated(split: str, count: int | None) -> Pair:
            pixels, labels = mnist_pixels(split)
            return torch.from_numpy(pixels[:count].take(sources, axis=1)), torch.from_numpy(labels[:count])

        @cache
        def test() -> Pair:
            return rotated("test", test_images)

        def load(split: str) -> Pair:
            return test() if split == "test" else rotated("train", images)

        return Task(load, lambda inputs: inputs.float() / 255, batch, (seed, 1, number))

    angles = rotations(seed, tasks, kind)
    return Stream("rotated_mnist", tuple(task(number, angle) for number, angle in enumerate(angles)))


def split_cifar100(
    seed: int,
    tasks: int = TASKS,
    images: int | None = None,
    batch: int = 10,
    test_images: int | None = None,
    folder: Path = DEFAULT_CACHE,
) -> Stream:
    """CIFAR-100 in tasks of five classes in the order of the labels; ``images`` of each class, None for all 500.

    ``test_images`` of each class, None for all 100. Decoded images are kept in ``folder``.
    Inputs are normalised, (count, 3, 32, 32), channels last.
    """
    parts = {
        "train": (cifar.load_images("train", folder, "cifar100"), images),
        "test": (cifar.load_images("test", folder, "cifar100"), test_images),
    }

    def ready(pixels: Tensor) -> Tensor:
        normalised = torch.from_numpy(cifar.normalised(pixels.numpy()))
        return normalised.contiguous(memory_format=torch.channels_last)

    def task(number: int) -> Task:
        classes = tuple(range(PER_TASK * number, PER_TASK * (number + 1)))

        def load(split: str) -> Pair:
            stored, count = parts[split]
            rows = np.concatenate([np.flatnonzero(stored.labels == label)[:count] for label in classes])
            labels = torch.from_numpy(stored.labels[rows].astype(np.int64))
            return torch.from_numpy(stored.pixels[rows]), labels

        return Task(load, ready, batch, (seed, 1, number), classes)

    return Stream("split_cifar100", tuple(task(number) for number in range(tasks)))
