"""Transformers and symmetries beyond permutations: Theus et al., NeurIPS 2025 (arXiv 2506.22712).

Two character-level GPTs on TinyShakespeare from two seeds: the line between them as they are, with B's units in
another order, under all symmetries that the tracer derives, from the weights alone, from activations, and refined on
the training text; and the middle of these lines after REPAIR::

    REBASIN_FAST_DATA=... python benchmarks/papers/theus_line.py [--quick]

``networks/character_gpt.py`` trains the networks before; the program names the command of those that are missing, and
leaves them out. 2 to 10 minutes a pair on one core; a step of refinement takes about what a step of training does, by
copies a sweep of the matching more. Lines and refinements are kept in the cache, from where the latter go on.
``--quick``: untrained networks, few sequences.
"""

import argparse
import sys
from functools import cached_property
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line, finish
from common.environment import RESULTS, markdown_table
from networks import character_gpt
from networks.character_gpt import Recipe

import rebasin_fast as rf
from papers.transformer_pairs import BATCH, LOOKS, MEASURED, Pair, adjusted, draw, lines_of

NETWORKS = (
    Recipe(layers=2, width=64, steps=1_500), Recipe(layers=4, width=128, steps=1_500), Recipe(mixed=True),
    Recipe(width=256, mixed=True), Recipe(layers=6, width=256, mixed=True),
    Recipe(layers=6, width=256, tied=True, mixed=True),
)  # fmt: skip
PUBLISHED = {"weights": ".34", "refined_groups": ".02"}
NOTE = (
    "Published: GPT-2 on TinyShakespeare, as quoted by a review of the paper; its orthogonal maps are learned on data. "
    "Refined: {steps:,} steps of {batch} sequences of the training text, from all symmetries; by copies of the "
    "weights, projected on what the symmetries reach, or on the groups: steps on matrices and scales, at a falling "
    "rate. Activations and REPAIR: on {measured:,} sequences of it. Loss in nats a character on {test:,} held-out "
    "sequences of 64; barrier: max L(t) - (1 - t) L(0) - t L(1) over {points} points. Both ends are in normal form for "
    "all symmetries, which leaves their functions as they are. One pair a row."
)


class Gpts(Pair):
    """Two character-level GPTs."""

    @property
    def title(self) -> str:
        """As in tables."""
        tied = ", tied head" if self.recipe.tied else ""
        return f"GPT, {self.recipe.layers} layers of {self.recipe.width}, {self.recipe.steps:,} steps{tied}"

    @cached_property
    def test(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Held-out sequences, and the characters that follow."""
        return character_gpt.test_sequences(self.options.sequences)

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """In nats a character."""
        return character_gpt.next_character_loss(outputs, targets)

    def drawn(self, rng: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Sequences of the training text."""
        _, numbers, _ = character_gpt.text()
        starts = torch.randint(len(numbers) - character_gpt.CONTEXT - 1, (self.batch,), generator=rng)
        return character_gpt.sequences(numbers, starts)


def main() -> None:
    parser = command_line(__doc__, "--results", "--cache", "--seconds", "--threads")
    parser.set_defaults(results=RESULTS / "papers")
    parser.add_argument("--points", type=int, default=9, help="on each line (odd)")
    parser.add_argument("--sequences", type=int, default=1_000, help="of the held-out text")
    parser.add_argument("--steps", type=int, default=400, help="of refinement")
    parser.add_argument("--quick", action="store_true", help="untrained networks, five points, few sequences")
    options = parser.parse_args()
    name = adjusted("theus_line", options)
    lines, middles = lines_of([Gpts(recipe, options) for recipe in NETWORKS], options)
    draw(lines, options.results / f"{name}.png", "loss (nats a character)", "Two transformers, merged")
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
            losses = curve.values["loss"]
            rows.append([
                title, LOOKS[method], PUBLISHED.get(method, ""), f"{curve.barrier():.3f}",
                f"{losses[len(losses) // 2]:.3f}",
                f"{middles[title, method]:.3f}" if (title, method) in middles else "",
                f"{losses[0]:.3f} / {losses[-1]:.3f}",
            ])  # fmt: skip
    header = [
        "networks",
        "line to B",
        "published barrier",
        "barrier",
        "loss, midpoint",
        "after REPAIR",
        "loss, A / B",
    ]
    title = "### Theus et al.: transformers along the line, under permutations and under all symmetries"
    note = NOTE.format(
        test=options.sequences,
        points=options.points,
        steps=options.steps,
        batch=BATCH,
        measured=MEASURED * BATCH,
    )
    return f"{title}\n\n{markdown_table(header, rows)}\n\n{note}"


if __name__ == "__main__":
    main()
