"""ResNet-20s and VGG-16s of any width, trained on CIFAR-10 or on parts of CIFAR-100 from a seed, and kept each epoch.

Run as a program it trains for a number of seconds and resumes at the next call, until all epochs are done::

    REBASIN_FAST_DATA=... python benchmarks/networks/cifar_training.py --architecture resnet20 --width 16 --seed 0

Random flips and shifts; SGD with momentum, a linear warm-up and fall; bfloat16 products where the processor has them.
An epoch of 50,000 images takes 50 to 120 s on one core (ResNet-20 of width 8 or 16, VGG-16 of width 8 or 16).
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line

from networks import cifar, layernorm, training
from networks.storage import DEFAULT_CACHE
from networks.training import fast_products

BATCH = 128
PEAK_RATE = {"resnet20": 0.1, "vgg16": 0.05}
MOMENTUM, DECAY, CLIP = 0.9, 5e-4, 5.0
WARM_UP = 0.2  # of all steps
EPOCHS = 6
PARTS = ("joint", "first", "second")  # of CIFAR-100
SHARE = 0.8  # of the images of its own fifty classes that a part holds; 1 - SHARE of the others


@dataclass(frozen=True)
class Recipe:
    """One network: its architecture and width, its data, the seed and the number of epochs."""

    architecture: str = "resnet20"
    width: int = 16
    seed: int = 0
    epochs: int = EPOCHS
    dataset: cifar.Dataset = "cifar10"
    part: str = "joint"

    @property
    def classes(self) -> int:
        """Number of classes."""
        return 100 if self.dataset == "cifar100" else 10

    def build(self) -> nn.Sequential:
        """The network with torch's first weights."""
        return layernorm.build(self.architecture, self.width, self.classes)

    def path(self, cache: Path) -> Path:
        """File of the state that training goes on from."""
        part = "" if self.part == "joint" else f"_{self.part}"
        name = (
            f"{self.dataset}{part}_{self.architecture}_width{self.width}_{self.epochs}epochs_seed{self.seed}"
        )
        return cache / f"{name}.pt"

    def images(self, split: str, cache: Path) -> cifar.Images:
        """Images of the data set, or of its part in training."""
        images = cifar.load_images(split, cache, self.dataset)
        if split == "test" or self.part == "joint":
            return images
        return images.rows(disjoint_part(images.labels, self.part == "first"))

    def after(self, epoch: int, cache: Path = DEFAULT_CACHE) -> dict[str, Tensor]:
        """Parameters after an epoch, 0 for the first weights; ends the program where it was not trained so far."""
        path = snapshot(self.path(cache), epoch)
        if not path.exists():
            raise SystemExit(f"{path.stem} is not trained yet: {self.command()}")
        return dict(torch.load(path, weights_only=True))

    def command(self) -> str:
        """The command that trains it."""
        options = [("architecture", self.architecture), ("width", self.width), ("seed", self.seed)]
        options += [("epochs", self.epochs), ("dataset", self.dataset), ("part", self.part)]
        return "python benchmarks/networks/cifar_training.py " + " ".join(f"--{n} {v}" for n, v in options)


def disjoint_part(labels: npt.NDArray[np.uint8], first: bool) -> npt.NDArray[np.int64]:
    """Rows of one of two disjoint parts: 20 % of the classes 0-49 and 80 % of 50-99 (the first), and all the rest."""
    rng = np.random.default_rng(200)
    rows = []
    for label in range(100):
        own = rng.permutation(np.flatnonzero(labels == label))
        cut = round(len(own) * ((1 - SHARE) if label < 50 else SHARE))
        rows.append(own[:cut] if first else own[cut:])
    return np.concatenate(rows)


def snapshot(path: Path, epoch: int) -> Path:
    return path.with_name(f"{path.stem}_after{epoch}.pt")


def augmented(batch: Tensor) -> Tensor:
    """Every image flipped or not; the batch shifted by up to four pixels."""
    flip = torch.rand(len(batch)) < 0.5
    batch = torch.where(flip[:, None, None, None], batch.flip(3), batch)
    top, left = torch.randint(0, 9, (2,)).tolist()
    shifted = functional.pad(batch, (4, 4, 4, 4))[:, :, top : top + 32, left : left + 32]
    return shifted.contiguous(memory_format=torch.channels_last)


def train(recipe: Recipe, seconds: float, cache: Path = DEFAULT_CACHE) -> int:
    """Train whole epochs until the seconds are used up; the number of epochs done in all."""
    images = recipe.images("train", cache)
    data = torch.from_numpy(cifar.normalised(images.pixels)), torch.from_numpy(images.labels.astype("int64"))
    torch.manual_seed(recipe.seed)
    model, path = recipe.build(), recipe.path(cache)
    if not snapshot(path, 0).exists():
        cache.mkdir(parents=True, exist_ok=True)
        torch.save(model.state_dict(), snapshot(path, 0))
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=PEAK_RATE[recipe.architecture],
        momentum=MOMENTUM,
        weight_decay=DECAY,
        nesterov=True,
    )
    each = -(-len(images.labels) // BATCH)
    steps = recipe.epochs * each
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min(1.0, (step + 1) / (WARM_UP * steps), (steps - step) / (steps * (1 - WARM_UP))),
    )

    def epoch() -> float:
        loss = training.train_epoch(
            model,
            optimizer,
            schedule,
            data,
            BATCH,
            augmented=augmented,
            clip=CLIP,
            products=fast_products,
        )
        torch.save(model.state_dict(), snapshot(path, schedule.last_epoch // each))
        return loss

    return training.train_in_pieces(path, model, optimizer, schedule, epoch, (recipe.epochs, each), seconds)


def main() -> None:
    parser = command_line(__doc__, "--cache", "--seconds", "--threads")
    parser.add_argument("--architecture", choices=list(layernorm.ARCHITECTURES), default="resnet20")
    parser.add_argument("--width", type=int, required=True, help="channels of the first convolution")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--dataset", choices=["cifar10", "cifar100"], default="cifar10")
    parser.add_argument("--part", choices=PARTS, default="joint")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    recipe = Recipe(
        options.architecture, options.width, options.seed, options.epochs, options.dataset, options.part
    )
    done = train(recipe, options.seconds, options.cache)
    if done < recipe.epochs:
        print(f"{done} of {recipe.epochs} epochs done; run again to go on")
        return
    model = training.loaded(recipe.build(), recipe.after(done, options.cache))
    metrics = training.evaluate(model, recipe.images("test", options.cache))
    print(f"{recipe}: test loss {metrics['loss']:.4f}, accuracy {metrics['accuracy']:.2%}")


if __name__ == "__main__":
    main()
