"""Small vision transformers on CIFAR-10 along the line, under permutations and under all symmetries.

As ``theus_line.py``, for images: two networks from two seeds as they are, with B's units in another order, under all
symmetries from the weights alone, and refined on training images::

    REBASIN_FAST_DATA=... python benchmarks/papers/vit_line.py [--quick] [--steps 0]

``networks/small_vit.py`` trains the networks before. ``--steps 0`` leaves out the refinement.
"""

import argparse
import sys
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import torch
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line, finish
from common.environment import RESULTS, markdown_table
from networks import cifar
from networks.small_vit import Recipe, tensors

import rebasin_fast as rf
from papers.transformer_pairs import LOOKS, Pair, adjusted, draw, lines_of

NETWORKS = (Recipe(layers=2, width=64, epochs=5, mixed=True), Recipe(mixed=True))
NOTE = (
    "Not published for this size. Refined: {steps:,} steps of {batch} training images, from all symmetries. Loss in "
    "nats and accuracy on {test:,} test images; barrier: max L(t) - (1 - t) L(0) - t L(1) over {points} points. Both "
    "ends are in normal form for all symmetries, which leaves their functions as they are. One pair a row."
)


class Vits(Pair):
    """Two vision transformers."""

    batch: ClassVar[int] = 64

    @property
    def title(self) -> str:
        """As in tables."""
        return f"ViT, {self.recipe.layers} layers of {self.recipe.width}, {self.recipe.epochs} epochs"

    @cached_property
    def test(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Test images and classes."""
        return tensors(cifar.load_images("test", self.options.cache).first(self.options.sequences))

    @cached_property
    def training_images(self) -> cifar.Images:
        """All of them."""
        return cifar.load_images("train", self.options.cache)

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """In nats."""
        return functional.cross_entropy(outputs, targets)

    def values(self, outputs: torch.Tensor, targets: torch.Tensor) -> dict[str, float]:
        """Loss and accuracy."""
        accuracy = float((outputs.argmax(1) == targets).double().mean())
        return {**super().values(outputs, targets), "accuracy": accuracy}

    def drawn(self, rng: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Training images as they are."""
        rows = torch.randint(len(self.training_images.labels), (self.batch,), generator=rng)
        return tensors(self.training_images.rows(rows.numpy()))


def main() -> None:
    parser = command_line(__doc__, "--results", "--cache", "--seconds", "--threads")
    parser.set_defaults(results=RESULTS / "papers")
    parser.add_argument("--points", type=int, default=9, help="on each line (odd)")
    parser.add_argument("--images", dest="sequences", type=int, default=2_000, help="of the test set")
    parser.add_argument("--steps", type=int, default=400, help="of refinement; 0: none")
    parser.add_argument("--quick", action="store_true", help="untrained networks, five points, few images")
    options = parser.parse_args()
    name = adjusted("vit_line", options)
    lines, middles = lines_of([Vits(recipe, options) for recipe in NETWORKS], options)
    draw(lines, options.results / f"{name}.png", "test loss (nats)", "Two vision transformers, merged")
    results = {title: {m: curve.to_dict() for m, curve in found.items()} for title, found in lines.items()}
    finish(name, results, text_of(lines, middles, options), options.results)


def text_of(
    lines: dict[str, dict[str, rf.LossCurve]],
    middles: dict[tuple[str, str], float],
    options: argparse.Namespace,
) -> str:
    """One row a network and method."""
    rows = []
    for title, found in lines.items():
        for method, curve in found.items():
            losses, accuracies = curve.values["loss"], curve.values["accuracy"]
            middle, repaired = len(losses) // 2, middles.get((title, method))
            rows.append([
                title, LOOKS[method], f"{curve.barrier():.3f}", f"{losses[middle]:.3f}",
                "–" if repaired is None else f"{repaired:.3f}",
                f"{losses[0]:.3f} / {losses[-1]:.3f}", f"{accuracies[middle]:.1%}",
                f"{accuracies[0]:.1%} / {accuracies[-1]:.1%}",
            ])  # fmt: skip
    header = ["networks", "line to B", "barrier", "loss, midpoint", "after REPAIR", "loss, A / B", "accuracy, midpoint",
              "accuracy, A / B"]  # fmt: skip
    title = "### Vision transformers along the line, under permutations and under all symmetries"
    note = NOTE.format(test=options.sequences, points=options.points, steps=options.steps, batch=Vits.batch)
    return f"{title}\n\n{markdown_table(header, rows)}\n\n{note}"


if __name__ == "__main__":
    main()
