"""Two transformers of one recipe along the line, under permutations and under all symmetries; tables and pictures."""

import argparse
import itertools
import math
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from networks import training

import rebasin_fast as rf
from papers import line_pictures
from rebasin_fast._drawing import label_axes

LOOKS = {
    "naive": "naive interpolation", "weights": "permutations", "all": "all symmetries, weights alone",
    "activations": "all symmetries, activations", "both": "activations, then weights",
    "refined": "refined by copies", "refined_both": "refined by copies, both ends",
    "refined_groups": "refined on the groups",
}  # fmt: skip
COLOURS = {
    "naive": "naive", "weights": "weights", "all": "activations", "activations": "joint", "both": "both",
    "refined": "straight_through", "refined_both": "ensemble", "refined_groups": "groups",
}  # fmt: skip
BATCH = 32  # inputs in a step of refinement
COMPARED = 8  # batches by which its steps compare
MEASURED = 16  # batches of activations, and of REPAIR
WIDEST_COPIED = 128
RATE = 0.01  # of steps on groups up to a width of 128; a step turns a matrix by up to rate times width


@dataclass(frozen=True)
class Pair(ABC):
    """Two networks of one recipe, seeds 0 and 1; subclasses say what they are, and on which data."""

    recipe: Any
    options: argparse.Namespace
    batch: ClassVar[int] = BATCH  # inputs in a step of refinement

    @property
    @abstractmethod
    def title(self) -> str:
        """As in tables."""

    @property
    @abstractmethod
    def test(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Held-out inputs and targets."""

    @abstractmethod
    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Mean over the inputs."""

    def values(self, outputs: torch.Tensor, targets: torch.Tensor) -> dict[str, float]:
        """What is measured on the line."""
        return {"loss": float(self.loss(outputs, targets))}

    @abstractmethod
    def drawn(self, rng: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """One batch of the training set."""

    @cached_property
    def ends(self) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        """The parameters of both."""
        a, b = (
            dict(recipe.build().state_dict() if self.options.quick else recipe.trained(self.options.cache))
            for recipe in (replace(self.recipe, seed=seed) for seed in (0, 1))
        )
        return a, b

    @property
    def methods(self) -> list[str]:
        """Without refinement where it has no steps; by copies for narrow networks alone, as a step costs a sweep."""
        if not self.options.steps:
            return [method for method in ALIGNED if not method.startswith("refined")]
        narrow = self.recipe.width <= WIDEST_COPIED
        return [method for method in ALIGNED if narrow or method not in ("refined", "refined_both")]

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

    def refined_on_groups(self, steps: int) -> rf.SymmetricStraightThroughMatching:
        """Gradient steps on the matrices and scales themselves, at a rate that falls by a cosine."""

        def falling(optimizer: torch.optim.Optimizer) -> Any:
            return torch.optim.lr_scheduler.LambdaLR(
                optimizer, lambda step: 0.51 + 0.49 * math.cos(math.pi * min(step / steps, 1.0))
            )

        path = self.options.cache / f"refined_{self.recipe.name}_group_{steps}steps.safetensors"
        rate = min(1.0, 128 / self.recipe.width) * RATE
        if self.options.quick:
            path.unlink(missing_ok=True)
        found = rf.straight_through_matching(
            self.spec, self.recipe.build(), *self.ends, partial(self.batches, steps), self.loss,
            symmetries="all", gradient="group", learning_rate=rate, schedule=falling, evaluate_every=50,
            kept_batches=COMPARED, checkpoint=path, checkpoint_every=50, threads=1,
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
    "refined_groups": lambda pair: pair.refined_on_groups(pair.options.steps).endpoints(*pair.ends),
}


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
    lines: dict[str, dict[str, rf.LossCurve]] = {}
    middles: dict[tuple[str, str], float] = {}
    for pair in pairs[:1] if options.quick else [pair for pair in pairs if pair.is_trained]:
        for method in pair.methods if time.perf_counter() < until else ():
            lines.setdefault(pair.title, {})[method], seconds = pair.line(method)
            if not method.startswith("refined"):
                middles[pair.title, method] = pair.repaired(method)
            print(f"{pair.title}: {LOOKS[method]}, {seconds:.1f} s", file=sys.stderr, flush=True)
    if not lines:
        raise SystemExit("no pair is trained yet")
    return lines, middles


def draw(lines: dict[str, dict[str, rf.LossCurve]], path: Path, label: str, heading: str) -> None:
    """One panel a network."""
    figure, panels = line_pictures.new_figure(len(lines), width=4.6)
    for panel, (title, found) in zip(panels, lines.items(), strict=True):
        for method, curve in found.items():
            line_pictures.draw_line(panel, curve, "loss", COLOURS[method], LOOKS[method])
        label_axes(panel, title=title.replace(", ", "\n", 1), y=label)
        line_pictures.name_ends(panel)
    line_pictures.save(figure, panels[0], path, heading)
