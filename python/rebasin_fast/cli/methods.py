"""The matching methods of ``match``: weights alone, or with the torch model and data that a method needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from rebasin_fast._models.inference import import_torch
from rebasin_fast._terminal.progress import ProgressBar
from rebasin_fast.cli.option_types import FACTORY, made_model
from rebasin_fast.cli.options import MatchingOptions, check_options_apply, option_group, output_path
from rebasin_fast.errors import SpecError
from rebasin_fast.evaluation.loading import load_into
from rebasin_fast.matching import (
    Matching,
    SymmetricMatching,
    activation_matching,
    frank_wolfe_matching,
    sinkhorn_matching,
    straight_through_matching,
    weight_matching,
)
from rebasin_fast.matching.relaxed.frank_wolfe import Start
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.specs.tracing import TracedSpec
from rebasin_fast.typing import Params


@dataclass(frozen=True)
class MethodOptions:
    """A method, the factories of the model and data that it runs, and the file of its state."""

    resume: Path | None = None
    method: str = "weight"
    model: Callable[[], Any] | None = None
    data: Callable[[], Any] | None = None
    activation_weight: float = 0.5

    def check(self) -> None:
        """UsageError for options that the method does not take, or needs."""
        check_options_apply(self.method, OPTION_METHODS)
        given = self.model is not None or self.data is not None
        for option, factory in {"--model": self.model, "--data": self.data}.items():
            if factory is None and (given or self.method in NEED_DATA):
                raise click.UsageError(f"--method {self.method} needs {option} module:name")


@dataclass(frozen=True)
class Task:
    """The arguments of a method."""

    spec: PermutationSpec
    params_a: Params
    params_b: Params
    options: MatchingOptions
    method: MethodOptions
    progress: ProgressBar | None

    def new_model(self) -> Any:
        """A model of the user's factory."""
        assert self.method.model is not None
        return made_model(self.method.model)

    def shared(self) -> dict[str, Any]:
        """Keywords that most methods take."""
        return {"strict": not self.options.no_strict, "progress": self.progress}


def _by_weights(task: Task) -> Matching:
    options = task.options
    if options.symmetries == "all":
        return _by_all_symmetries(task)
    return weight_matching(
        task.spec,
        task.params_a,
        task.params_b,
        rng=options.seed,
        max_iter=options.max_iter,
        restarts=options.restarts,
        effort=options.effort,
        threads=options.threads,
        memory_limit=options.memory_limit,
        checkpoint=task.method.resume,
        **task.shared(),
    )


def _by_all_symmetries(task: Task) -> SymmetricMatching:
    options = task.options
    _refuse_permutations_alone(task.spec)
    return weight_matching(
        task.spec,
        task.params_a,
        task.params_b,
        symmetries="all",
        rng=options.seed,
        max_iter=options.max_iter,
        restarts=options.restarts,
        threads=options.threads,
        **task.shared(),
    )


def _refuse_permutations_alone(spec: PermutationSpec) -> None:
    """SpecError for a spec that never had symmetries to find."""
    if not spec.symmetries and not isinstance(spec, TracedSpec):
        raise SpecError(
            "--symmetries all: this spec has permutations alone. Derive signs, scales and rotations from the model "
            "with --trace module:factory, or give the file of a spec that has them"
        )


def _by_both(task: Task) -> Matching:
    return _by_activations(task, task.method.activation_weight)


def _by_activations(task: Task, activation_weight: float = 1.0) -> Matching:
    assert task.method.data is not None
    models = task.new_model(), task.new_model()
    for model, params in zip(models, (task.params_a, task.params_b), strict=True):
        load_into(model, params)
    if task.options.symmetries == "all":
        _refuse_permutations_alone(task.spec)
        if activation_weight != 1.0:
            raise click.UsageError("--symmetries all is for --method activation, and not for both at once")
        found: Matching = activation_matching(
            task.spec, *models, task.method.data(), symmetries="all", **task.shared()
        )
    else:
        found = activation_matching(
            task.spec, *models, task.method.data(), activation_weight=activation_weight, **task.shared()
        )
    return found


def _by_relaxation(task: Task) -> Matching:
    further: list[Start] = ["random"] * max(0, task.options.restarts - 2)
    return frank_wolfe_matching(
        task.spec,
        task.params_a,
        task.params_b,
        rng=task.options.seed,
        starts=["barycentre", "identity", *further],
        threads=task.options.threads,
        **task.shared(),
    )


def _by_training(task: Task) -> Matching:
    """Pairs of inputs and class numbers, cross-entropy."""
    assert task.method.data is not None
    models = task.spec, task.new_model(), task.params_a, task.params_b
    keywords: dict[str, Any] = {"rng": task.options.seed, "threads": task.options.threads, **task.shared()}
    if task.options.symmetries == "all":
        _refuse_permutations_alone(task.spec)
        source = click.get_current_context().get_parameter_source("max_iter")
        if source is not None and source != ParameterSource.DEFAULT:
            keywords["max_iter"] = max(1, task.options.max_iter)
        keywords["symmetries"] = "all"
    else:
        keywords["max_iter"] = max(1, task.options.max_iter)
    found: Matching = straight_through_matching(*models, task.method.data, _cross_entropy, **keywords)
    return found


def _by_sinkhorn(task: Task) -> Matching:
    """The distance of the weights, or with data the cross-entropy halfway."""
    on_data = task.method.model is not None
    return sinkhorn_matching(
        task.spec,
        task.new_model() if on_data else None,
        task.params_a,
        task.params_b,
        task.method.data,
        _cross_entropy if on_data else None,
        rng=task.options.seed,
        **task.shared(),
    )


def _cross_entropy(outputs: Any, targets: Any) -> Any:
    return import_torch("this method").nn.functional.cross_entropy(outputs, targets)


METHODS: dict[str, Callable[[Task], Matching]] = {
    "weight": _by_weights,
    "frank-wolfe": _by_relaxation,
    "activation": _by_activations,
    "both": _by_both,
    "straight-through": _by_training,
    "sinkhorn": _by_sinkhorn,
}
NEED_DATA = ("activation", "both", "straight-through")
TAKE_DATA = (*NEED_DATA, "sinkhorn")
# Options that not every method takes.
OPTION_METHODS = {
    "--resume": ("weight",),
    "--model": TAKE_DATA,
    "--data": TAKE_DATA,
    "--restarts": ("weight", "frank-wolfe"),
    "--effort": ("weight",),
    "--max-iter": ("weight", "straight-through"),
    "--memory-limit": ("weight",),
    "--activation-weight": ("both",),
}

method_options = option_group(
    "method",
    MethodOptions,
    click.option(
        "--resume",
        type=output_path,
        metavar="FILE",
        help="Keep the state of the matching in FILE (.safetensors, .npz), and go on from it where it exists.",
    ),
    click.option(
        "--method",
        default="weight",
        show_default=True,
        type=click.Choice(list(METHODS)),
        help="By the weights, or on data: activation, both, straight-through, and sinkhorn where data is given.",
    ),
    click.option(
        "--model", type=FACTORY, help="Makes the torch model, for methods that run it (module:name)."
    ),
    click.option(
        "--data",
        type=FACTORY,
        help="Gives the batches to run it on (module:name): inputs; (inputs, classes) where a loss is needed.",
    ),
    click.option(
        "--activation-weight",
        default=0.5,
        show_default=True,
        type=click.FloatRange(0.0, 1.0),
        help="Share of the activations in --method both; the rest is that of the weights.",
    ),
)
