"""Small vision transformers on CIFAR-10, trained from a seed and kept at every epoch.

Run as a program it trains for a number of seconds and resumes at the next call, until all epochs are done::

    REBASIN_FAST_DATA=... python benchmarks/networks/small_vit.py --seed 0 --mixed

The blocks of ``character_gpt.py`` without a mask, patches of 4 x 4, learnt positions, the mean of the last norm before
the head; AdamW, a linear warm-up and a cosine; random flips and shifts. ``--mixed`` multiplies matrices in bfloat16
while training. An epoch of 50,000 images takes 140 s on one core then, 195 in float32, for 4 layers of 128.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line

from networks import cifar, training
from networks.character_gpt import Block, precision, small_first_weights
from networks.cifar_training import augmented
from networks.storage import DEFAULT_CACHE

BATCH, PATCH = 128, 4
PEAK_RATE, LEAST_RATE, DECAY, CLIP = 1e-3, 1e-5, 0.05, 1.0
WARM_UP = 200  # steps
EPOCHS = 4


class SmallViT(nn.Module):
    """Logits of the classes."""

    def __init__(self, layers: int, width: int, heads: int, classes: int = 10) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, PATCH, PATCH)
        self.position = nn.Parameter(torch.zeros((cifar.SIDE // PATCH) ** 2, width))
        self.blocks = nn.Sequential(*(Block(width, heads, causal=False) for _ in range(layers)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)
        first = self.patches.weight.detach().clone()
        small_first_weights(self, layers)
        self.patches.weight.data.copy_(first)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of each image."""
        x = self.patches(images).flatten(2).transpose(1, 2) + self.position
        logits: Tensor = self.head(self.norm(self.blocks(x)).mean(1))
        return logits


@dataclass(frozen=True)
class Recipe:
    """One network: its size, the seed and the number of epochs."""

    layers: int = 4
    width: int = 128
    heads: int = 4
    seed: int = 0
    epochs: int = EPOCHS
    mixed: bool = False

    @property
    def name(self) -> str:
        """Of its files."""
        kind = "_mixed" if self.mixed else ""
        return f"cifar10_vit{self.layers}x{self.width}{kind}_{self.epochs}epochs_seed{self.seed}"

    def build(self) -> SmallViT:
        """The network with its first weights."""
        torch.manual_seed(self.seed)
        return SmallViT(self.layers, self.width, self.heads)

    def path(self, cache: Path) -> Path:
        """File of the state that training goes on from."""
        return cache / f"{self.name}.pt"

    def trained(self, cache: Path = DEFAULT_CACHE) -> dict[str, Tensor]:
        """Parameters after all epochs; ends the program where it was not trained so far."""
        params, done = training.trained_so_far(self.path(cache), self.command())
        if done < self.epochs:
            raise SystemExit(f"{self.name} is not trained yet: {self.command()}")
        return params

    def is_trained(self, cache: Path) -> bool:
        """Whether all steps are done."""
        path = self.path(cache)
        return path.exists() and training.trained_so_far(path, self.command())[1] == self.epochs

    def command(self) -> str:
        """The command that trains it."""
        options = f"--layers {self.layers} --width {self.width} --heads {self.heads} --seed {self.seed} "
        flags = " --mixed" if self.mixed else ""
        return f"python benchmarks/networks/small_vit.py {options}--epochs {self.epochs}{flags}"


def tensors(images: cifar.Images) -> tuple[Tensor, Tensor]:
    """Normalised images and the numbers of their classes."""
    return torch.from_numpy(cifar.normalised(images.pixels)), torch.from_numpy(images.labels.astype("int64"))


def train(recipe: Recipe, seconds: float, cache: Path = DEFAULT_CACHE) -> int:
    """Train whole epochs until the seconds are used up; the number of epochs done in all."""
    data = tensors(cifar.load_images("train", cache))
    model, each = recipe.build(), -(-len(data[1]) // BATCH)
    optimizer, schedule = training.adamw(
        model, each * recipe.epochs, peak=PEAK_RATE, least=LEAST_RATE, decay=DECAY, warm_up=WARM_UP
    )

    def epoch() -> float:
        return training.train_epoch(
            model, optimizer, schedule, data, BATCH,
            augmented=augmented, clip=CLIP, products=lambda: precision(mixed=recipe.mixed),
        )  # fmt: skip

    return training.train_in_pieces(
        recipe.path(cache), model, optimizer, schedule, epoch, (recipe.epochs, each), seconds
    )


def main() -> None:
    parser = command_line(__doc__, "--cache", "--seconds", "--threads")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--mixed", action="store_true", help="products of the training in bfloat16")
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    recipe = Recipe(options.layers, options.width, options.heads, options.seed, options.epochs, options.mixed)
    done = train(recipe, options.seconds, options.cache)
    if done < recipe.epochs:
        print(f"{done} of {recipe.epochs} epochs done; run again to go on")
        return
    model = training.loaded(recipe.build(), recipe.trained(options.cache))
    metrics = training.evaluate(model, cifar.load_images("test", options.cache))
    print(f"{recipe}: test loss {metrics['loss']:.4f}, accuracy {metrics['accuracy']:.2%}")


if __name__ == "__main__":
    main()
