"""Options that several commands share, as groups whose values a command gets as one object."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from functools import reduce, wraps
from pathlib import Path
from typing import Any, Literal, TypeAlias

import click
from click.core import ParameterSource

from rebasin_fast._terminal.progress import ProgressBar, listener
from rebasin_fast.cli.named import LoadOptions
from rebasin_fast.cli.option_types import FACTORY, ByteCount, OutputName
from rebasin_fast.cli.pretrained import ModelPath
from rebasin_fast.cli.spec_source import SpecSource
from rebasin_fast.matching.weight.options import EFFORTS, Effort

Command: TypeAlias = Callable[..., Any]

# Options that matchings by permutations alone take.
_OF_PERMUTATIONS = ("--effort", "--memory-limit", "--resume", "--report")

input_path = ModelPath(exists=True, path_type=Path)
output_path = OutputName(path_type=Path)


def option_group(keyword: str, values_class: type[Any], *options: Command) -> Callable[[Command], Command]:
    """A decorator that adds ``options`` to a command, which gets their values as ``keyword``, a ``values_class``.

    The class is a dataclass with one field an option, under the option's name.
    """
    names = [field.name for field in fields(values_class)]

    def decorate(command: Command) -> Command:
        @wraps(command)
        def with_group(**values: Any) -> Any:
            group = values_class(**{name: values.pop(name) for name in names})
            return command(**values, **{keyword: group})

        return reduce(lambda function, option: option(function), reversed(options), with_group)

    return decorate


def check_options_apply(method: str, option_methods: Mapping[str, Collection[str]]) -> None:
    """UsageError for an option of the running command that was given and that ``method`` does not take."""
    context = click.get_current_context()
    for option in context.command.params:
        name, methods = option.name or "", option_methods.get(option.opts[0])
        given = context.get_parameter_source(name) is not ParameterSource.DEFAULT
        if methods and method not in methods and given and context.params[name] != option.default:
            raise click.UsageError(f"{option.opts[0]} is for --method {', '.join(methods)}; got {method}")


@dataclass(frozen=True)
class MatchingOptions(SpecSource):
    """How to match, and by which spec."""

    symmetries: Literal["permutations", "all"]
    seed: int
    restarts: int
    effort: Effort
    max_iter: int
    threads: int | None
    memory_limit: int | None
    no_strict: bool

    def check_symmetries(self, method: str, methods: Collection[str]) -> None:
        """UsageError for a method, or an option given, of matchings by permutations alone."""
        if self.symmetries == "permutations":
            return
        if method not in methods:
            raise click.UsageError(f"--symmetries all is for --method {', '.join(methods)}; got {method}")
        context = click.get_current_context()
        for option in context.command.params:
            value = context.params[option.name or ""]
            if option.opts[0] in _OF_PERMUTATIONS and value not in (None, option.default):
                raise click.UsageError(f"{option.opts[0]} is for --symmetries permutations")


@dataclass(frozen=True)
class OutputOptions:
    """Where results go."""

    force: bool
    as_json: bool
    quiet: bool

    def show(self, account: Mapping[str, Any], text: str) -> None:
        """The result on standard output, as JSON or as text."""
        click.echo(json.dumps(account) if self.as_json else text)

    def progress(self, label: str = "") -> AbstractContextManager[ProgressBar | None]:
        """A callback that shows progress on standard error, or none."""
        return listener(not self.quiet, label)


force_option = click.option(
    "--force", is_flag=True, help="Replace an existing output; of a folder its README.md, too."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
quiet_option = click.option("--quiet", "-q", is_flag=True, help="No progress.")
output_options = option_group("out", OutputOptions, force_option, json_option, quiet_option)

entry_option = click.option(
    "--entry",
    metavar="NAME",
    help="Which set of parameters of a torch file, such as state_dict_ema or nets/generator.",
)
prefix_option = click.option(
    "--prefix",
    metavar="TEXT",
    help="Take the names that begin with TEXT, such as model. or ema., without it, in files that have any.",
)
load_options = option_group("loading", LoadOptions, entry_option, prefix_option)

_SPEC = (
    click.option(
        "--spec",
        "spec_name",
        default="auto",
        show_default=True,
        metavar="auto|NAME|FILE",
        help="Permutation spec: recognised from the parameters, a ready one such as resnet50, or a JSON file.",
    ),
    click.option(
        "--trace",
        type=FACTORY,
        help="Trace the spec: a function of yours that returns (model, example_inputs).",
    ),
    click.option(
        "--heads", type=click.IntRange(1), help="Number of attention heads, which shapes do not determine."
    ),
    click.option(
        "--norm-groups", type=click.IntRange(1), help="Groups of norms without statistics; 1 for LayerNorm."
    ),
    click.option(
        "--layers",
        metavar="A,B,...",
        help="Layers of a plain chain in the order of the data, where names and shapes do not determine it.",
    ),
)
spec_options = option_group("source", SpecSource, *_SPEC)
matching_options = option_group(
    "options",
    MatchingOptions,
    *_SPEC,
    click.option(
        "--symmetries",
        default="permutations",
        show_default=True,
        type=click.Choice(["permutations", "all"]),
        help="all: signs, scales and rotations of units too, where the spec has them (--trace derives them).",
    ),
    click.option(
        "--seed",
        default=0,
        show_default=True,
        help="Seed of the search; all seeds are equally good on average.",
    ),
    click.option(
        "--restarts", default=1, show_default=True, type=click.IntRange(1), help="Runs; the best wins."
    ),
    click.option(
        "--effort",
        default="normal",
        show_default=True,
        type=click.Choice(EFFORTS),
        help="Perturbations after the first local optimum of weight matching.",
    ),
    click.option(
        "--max-iter",
        default=100,
        show_default=True,
        type=click.IntRange(0),
        help="Most sweeps a run.",
    ),
    click.option("--threads", type=click.IntRange(1), help="Threads of the matrix products."),
    click.option(
        "--memory-limit",
        type=ByteCount(),
        metavar="BYTES",
        help="Most bytes of workspace, such as 800M or 2G; the models stay on disk, and only compressed ones count.",
    ),
    click.option(
        "--no-strict",
        is_flag=True,
        help="Leave parameters that the spec or a model lacks in place, instead of refusing.",
    ),
)
