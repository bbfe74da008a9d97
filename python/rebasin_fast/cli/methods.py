"""The matching methods of ``match``: weights alone, or with the torch model and data that a method asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from rebasin_fast._models.inference import import_torch
from rebasin_fast.cli.choices import MatchingChoices
from rebasin_fast.cli.factories import FACTORY, made_model
from rebasin_fast.cli.progress import MatchingProgress, StageProgress
from rebasin_fast.evaluation.evaluator import load_into
from rebasin_fast.matching import (
    Matching,
    activation_matching,
    frank_wolfe_matching,
    sinkhorn_matching,
    straight_through_matching,
    weight_matching,
)
from rebasin_fast.matching.relaxed.frank_wolfe import Start
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.typing import Params

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Method:
    """The options of ``method_options``: a method, and the factories of what it runs."""

    name: str = "weight"
    model: Callable[[], Any] | None = None
    data: Callable[[], Any] | None = None
    resume: Path | None = None

    def __post_init__(self) -> None:
        options = {"--model": self.model, "--data": self.data}
        given = any(factory is not None for factory in options.values())
        for option, factory in options.items():
            if (self.name in NEED_DATA or (self.name in TAKE_DATA and given)) and factory is None:
                raise click.UsageError(f"--method {self.name} needs {option} module:name")
            if self.name not in TAKE_DATA and factory is not None:
                raise click.UsageError(f"{option} is for --method {', '.join(TAKE_DATA)}; got {self.name}")
        if self.resume is not None and self.name != "weight":
            raise click.UsageError(f"--resume is for --method weight; got {self.name}")


@dataclass(frozen=True)
class Task:
    """What a method is given."""

    spec: PermutationSpec
    params_a: Params
    params_b: Params
    path_b: Path
    choices: MatchingChoices
    method: Method
    quiet: bool

    def models(self) -> tuple[Any, Any]:
        """Two torch models that hold A's and B's parameters."""
        assert self.method.model is not None
        pair = made_model(self.method.model), made_model(self.method.model)
        for model, params in zip(pair, (self.params_a, self.params_b), strict=True):
            load_into(model, params)
        return pair


def by_weights(task: Task) -> Matching:
    """``--method weight``."""
    choices = task.choices
    with MatchingProgress(quiet=task.quiet, label=f"{task.path_b.name}: ") as progress:
        return weight_matching(
            task.spec,
            task.params_a,
            task.params_b,
            rng=choices.seed,
            max_iter=choices.max_iter,
            restarts=choices.restarts,
            effort=choices.effort,
            strict=not choices.no_strict,
            threads=choices.threads,
            memory_limit=choices.memory_limit,
            checkpoint=task.method.resume,
            progress=progress,
        )


def by_activations(task: Task) -> Matching:
    """``--method activation``."""
    assert task.method.data is not None
    model_a, model_b = task.models()
    batches = task.method.data()
    with StageProgress(quiet=task.quiet) as stage:

        def progress(done: int, total: int | None) -> None:
            if total is not None:
                stage(f"{task.path_b.name}: batches", done, total)

        return activation_matching(
            task.spec, model_a, model_b, batches, strict=not task.choices.no_strict, progress=progress
        )


def by_relaxation(task: Task) -> Matching:
    """``--method frank-wolfe``."""
    choices = task.choices
    with MatchingProgress(quiet=task.quiet, label=f"{task.path_b.name}: ") as progress:
        return frank_wolfe_matching(
            task.spec,
            task.params_a,
            task.params_b,
            rng=choices.seed,
            starts=_starts(choices.restarts),
            strict=not choices.no_strict,
            threads=choices.threads,
            progress=progress,
        )


def by_training(task: Task) -> Matching:
    """``--method straight-through``: pairs of inputs and class numbers, cross-entropy."""
    assert task.method.model is not None
    assert task.method.data is not None
    choices = task.choices
    with MatchingProgress(quiet=task.quiet, label=f"{task.path_b.name}: ") as progress:
        return straight_through_matching(
            task.spec,
            made_model(task.method.model),
            task.params_a,
            task.params_b,
            task.method.data,
            _cross_entropy,
            rng=choices.seed,
            max_iter=max(1, choices.max_iter),
            strict=not choices.no_strict,
            threads=choices.threads,
            progress=progress,
        )


def by_sinkhorn(task: Task) -> Matching:
    """``--method sinkhorn``: the distance of the weights, or with data the cross-entropy halfway."""
    choices, model = task.choices, task.method.model
    with MatchingProgress(quiet=task.quiet, label=f"{task.path_b.name}: ") as progress:
        return sinkhorn_matching(
            task.spec,
            None if model is None else made_model(model),
            task.params_a,
            task.params_b,
            task.method.data,
            None if model is None else _cross_entropy,
            rng=choices.seed,
            strict=not choices.no_strict,
            progress=progress,
        )


def _starts(restarts: int) -> list[Start]:
    """The barycentre and the identity, and random starts beyond."""
    further: list[Start] = ["random"] * max(0, restarts - 2)
    return ["barycentre", "identity", *further]


def _cross_entropy(outputs: Any, targets: Any) -> Any:
    return import_torch("this method").nn.functional.cross_entropy(outputs, targets)


METHODS: dict[str, Callable[[Task], Matching]] = {
    "weight": by_weights,
    "frank-wolfe": by_relaxation,
    "activation": by_activations,
    "straight-through": by_training,
    "sinkhorn": by_sinkhorn,
}
NEED_DATA = ("activation", "straight-through")
TAKE_DATA = (*NEED_DATA, "sinkhorn")
# Options of ``matching_options`` that not every method has a use for.
HEARD_BY = {
    "--restarts": ("weight", "frank-wolfe"),
    "--effort": ("weight",),
    "--max-iter": ("weight", "straight-through"),
    "--memory-limit": ("weight",),
}


def method_options(function: Function) -> Function:
    """--method, and --model and --data for those that run the model."""
    for option in reversed(
        [
            click.option(
                "--method",
                default="weight",
                show_default=True,
                type=click.Choice(list(METHODS)),
                help="By the weights, or on data: activation, straight-through, and sinkhorn where data is given.",
            ),
            click.option(
                "--model", type=FACTORY, help="Makes the torch model, for methods that run it (module:name)."
            ),
            click.option(
                "--data",
                type=FACTORY,
                help="Gives the batches to run it on (module:name): inputs; (inputs, classes) where a loss is needed.",
            ),
        ]
    ):
        function = option(function)
    return function
