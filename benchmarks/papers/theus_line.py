"""Transformers and symmetries beyond permutations: Theus et al., NeurIPS 2025 (arXiv 2506.22712).

Two character-level GPTs on TinyShakespeare from two seeds: the line between them as they are, with B's units in
another order, under all symmetries that the tracer derives, from the weights alone, from activations, and refined on
the training text; and the middle of these lines after REPAIR::

    REBASIN_FAST_DATA=... python benchmarks/papers/theus_line.py [--quick]

``networks/character_gpt.py`` trains the networks before; the program names the command of those that are missing, and
leaves them out. 2 minutes a pair on one core, and a step of refinement about what a step of training takes; lines and
refinements are kept in the cache, from where the latter go on. ``--quick``: untrained networks, few sequences.
"""

import argparse
import itertools
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line, finish
from common.environment import RESULTS, markdown_table
from networks import character_gpt, training
from networks.character_gpt import Recipe

import rebasin_fast as rf
from papers import line_pictures
from rebasin_fast._drawing import label_axes

NETWORKS = (
    Recipe(layers=2, width=64, steps=1_500), Recipe(layers=4, width=128, steps=1_500), Recipe(mixed=True),
    Recipe(width=256, mixed=True), Recipe(layers=6, width=256, mixed=True),
    Recipe(layers=6, width=256, tied=True, mixed=True),
)  # fmt: skip
LOOKS = {
    "naive": "naive interpolation", "weights": "permutations", "all": "all symmetries, weights alone",
    "activations": "all symmetries, activations", "both": "activations, then weights",
    "refined": "refined", "refined_both": "refined, both ends",
}  # fmt: skip
COLOURS = {
    "naive": "naive", "weights": "weights", "all": "activations", "activations": "joint", "both": "both",
    "refined": "straight_through", "refined_both": "ensemble",
}  # fmt: skip
PUBLISHED = {"weights": ".34", "refined": ".02"}
BATCH = 32  # sequences in a step of refinement
COMPARED = 8  # batches by which its steps compare
MEASURED = 16  # batches of activations, and of REPAIR
NOTE = (
    "Published: GPT-2 on TinyShakespeare, as quoted by a review of the paper; its orthogonal maps are learned on data. "
    "Refined: {steps:,} steps of {batch} sequences of the training text, from all symmetries. Activations and REPAIR: "
    "on {measured:,} sequences of it. Loss in nats a character "
    "on {test:,} held-out sequences of 64; barrier: max L(t) - (1 - t) L(0) - t L(1) over {points} points. Both ends "
    "are in normal form for all symmetries, which leaves their functions as they are. One pair a row."
)


@dataclass(frozen=True)
class Pair:
    """Two networks of one recipe, seeds 0 and 1; subclasses say what they are, and on which data."""

    recipe: Any
    options: argparse.Namespace
    batch: ClassVar[int] = BATCH  # inputs in a step of refinement

    @property
    def title(self) -> str:
        """As in tables."""
        raise NotImplementedError

    @cached_property
    def test(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Held-out inputs and targets."""
        raise NotImplementedError

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Mean over the inputs."""
        raise NotImplementedError

    def values(self, outputs: torch.Tensor, targets: torch.Tensor) -> dict[str, float]:
        """What is measured on the line."""
        return {"loss": float(self.loss(outputs, targets))}

    def drawn(self, rng: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """One batch of the training set."""
        raise NotImplementedError

    @cached_property
    def ends(self) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        """The parameters of both."""
        a, b = (
            dict(recipe.build().state_dict() if self.options.quick else recipe.trained(self.options.cache))
            for recipe in (replace(self.recipe, seed=seed) for seed in (0, 1))
        )
        return a, b

    @property
    def is_trained(self) -> bool:
        """Whether both are; names the command of the first that is not."""
        for recipe in (replace(self.recipe, seed=seed) for seed in (0, 1)):
            if not recipe.is_trained(self.options.cache):
                print(f"left out, not trained yet: {recipe.command()}", file=sys.stderr)
                return False
        return True

    def line(self, method: str) -> tuple[rf.LossCurve, float]:
        """The losses between A and B under a method, and the seconds of the matching."""
        effort = f"_{self.options.steps}steps" if method.startswith("refined") else ""
        size = f"{self.options.points}points_{self.options.sequences}sequences"
        path = self.options.cache / f"theus_{self.recipe.name}_{method}{effort}_{size}.npz"
        seconds = 0.0
        if not path.exists() or self.options.quick:
            began = time.process_time()
            a, b = ALIGNED[method](self)
            seconds = time.process_time() - began
            self.measured(a, b).save(path, overwrite=True)
        return rf.LossCurve.load(path), seconds

    def repaired(self, method: str) -> float:
        """Held-out loss halfway after REPAIR, between the ends that a method gives; kept as a line of one point."""
        size = f"{MEASURED}batches_{self.options.sequences}sequences"
        path = self.options.cache / f"theus_{self.recipe.name}_{method}_repaired_{size}.npz"
        if not path.exists() or self.options.quick:
            ends = ALIGNED[method](self)
            a, b, middle = (
                training.loaded(self.recipe.build(), params) for params in (*ends, rf.interpolate(*ends, 0.5))
            )
            rf.repair(middle, a, b, self.inputs())
            loss = self.held_out(middle.state_dict())["loss"]
            rf.LossCurve(np.array([0.5]), {"loss": np.array([loss])}).save(path, overwrite=True)
        return float(rf.LossCurve.load(path).values["loss"][0])

    def measured(self, a: dict[str, Any], b: dict[str, Any]) -> rf.LossCurve:
        """Held-out losses on the line."""
        return rf.loss_curve(self.held_out, a, b, self.options.points)

    def held_out(self, params: Mapping[str, Any]) -> dict[str, float]:
        """What is measured, on held-out inputs."""
        inputs, targets = self.test
        model = training.loaded(self.recipe.build(), params)
        with torch.inference_mode():
            return self.values(torch.cat([model(part) for part in inputs.split(100)]), targets)

    def inputs(self) -> list[torch.Tensor]:
        """Training inputs on which activations are measured."""
        return [inputs for inputs, _ in itertools.islice(self.batches(MEASURED), MEASURED)]

    def refined(self, *, move_both: bool) -> rf.SymmetricStraightThroughMatching:
        """From the matching of the weights; the state is kept in the cache."""
        ends = "_both" if move_both else ""
        path = self.options.cache / f"refined_{self.recipe.name}{ends}_{self.options.steps}steps.safetensors"
        if self.options.quick:
            path.unlink(missing_ok=True)
        found = rf.straight_through_matching(
            self.spec, self.recipe.build(), *self.ends, partial(self.batches, self.options.steps), self.loss,
            symmetries="all", move_both=move_both, evaluate_every=20, kept_batches=COMPARED,
            checkpoint=path, checkpoint_every=20, threads=1,
        )  # fmt: skip
        assert isinstance(found, rf.SymmetricStraightThroughMatching)
        return found

    def batches(self, count: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Of the training set, one a step of refinement."""
        rng = torch.Generator().manual_seed(0)
        for _ in range(count):
            yield self.drawn(rng)

    @cached_property
    def matched_by_activations(self) -> rf.SymmetricMatching:
        """All symmetries, from activations alone."""
        models = [training.loaded(self.recipe.build(), params).eval() for params in self.ends]
        return rf.activation_matching(self.spec, models[0], models[1], self.inputs(), symmetries="all")

    @cached_property
    def spec(self) -> rf.TracedSpec:
        """Permutations and symmetries, proven."""
        return rf.trace_spec(self.recipe.build(), self.test[0][:2])


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


def by_permutations(pair: Pair) -> tuple[dict[str, Any], dict[str, Any]]:
    a, b = pair.ends
    found = rf.weight_matching(pair.spec, a, b, restarts=5, threads=1)
    return a, rf.apply_permutation(pair.spec, found.permutation, b)


def by_all_symmetries(pair: Pair) -> tuple[dict[str, Any], dict[str, Any]]:
    a, b = pair.ends
    return rf.weight_matching(pair.spec, a, b, symmetries="all", threads=1).endpoints(a, b)


def by_activations(pair: Pair) -> tuple[dict[str, Any], dict[str, Any]]:
    return pair.matched_by_activations.endpoints(*pair.ends)


def by_both(pair: Pair) -> tuple[dict[str, Any], dict[str, Any]]:
    start = pair.matched_by_activations
    return rf.weight_matching(pair.spec, *pair.ends, symmetries="all", init=start, threads=1).endpoints(
        *pair.ends
    )


ALIGNED: dict[str, Callable[[Pair], tuple[dict[str, Any], dict[str, Any]]]] = {
    "naive": lambda pair: pair.ends,
    "weights": by_permutations,
    "all": by_all_symmetries,
    "activations": by_activations,
    "both": by_both,
    "refined": lambda pair: pair.refined(move_both=False).endpoints(*pair.ends),
    "refined_both": lambda pair: pair.refined(move_both=True).endpoints(*pair.ends),
}


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


def adjusted(name: str, options: argparse.Namespace) -> str:
    """Set threads, and with ``--quick`` small sizes and another name of the results, which is returned."""
    torch.set_num_threads(options.threads)
    if not options.quick:
        return name
    options.points, options.sequences, options.steps = 5, 20, 4
    options.results = options.cache
    return f"{name}_quick"


def lines_of(
    pairs: Sequence[Pair], options: argparse.Namespace
) -> tuple[dict[str, dict[str, rf.LossCurve]], dict[tuple[str, str], float]]:
    """By title and method the lines of pairs that are trained, and the losses halfway after REPAIR."""
    until = time.perf_counter() + options.seconds
    methods = [method for method in ALIGNED if options.steps or not method.startswith("refined")]
    lines: dict[str, dict[str, rf.LossCurve]] = {}
    middles: dict[tuple[str, str], float] = {}
    for pair in pairs[:1] if options.quick else [pair for pair in pairs if pair.is_trained]:
        for method in methods if time.perf_counter() < until else ():
            lines.setdefault(pair.title, {})[method], seconds = pair.line(method)
            if not method.startswith("refined"):
                middles[pair.title, method] = pair.repaired(method)
            print(f"{pair.title}: {LOOKS[method]}, {seconds:.1f} s", file=sys.stderr, flush=True)
    if not lines:
        raise SystemExit("no pair is trained yet")
    return lines, middles


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


def draw(lines: dict[str, dict[str, rf.LossCurve]], path: Path, label: str, heading: str) -> None:
    """One panel a network."""
    figure, panels = line_pictures.new_figure(len(lines), width=4.6)
    for panel, (title, found) in zip(panels, lines.items(), strict=True):
        for method, curve in found.items():
            line_pictures.draw_line(panel, curve, "loss", COLOURS[method], LOOKS[method])
        label_axes(panel, title=title.replace(", ", "\n", 1), y=label)
        line_pictures.name_ends(panel)
    line_pictures.save(figure, panels[0], path, heading)


if __name__ == "__main__":
    main()
