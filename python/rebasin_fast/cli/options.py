"""Options that several commands share."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from rebasin_fast import specs
from rebasin_fast.cli.click_types import IntegerType
from rebasin_fast.cli.configuration import heads_beside
from rebasin_fast.cli.factories import FACTORY
from rebasin_fast.cli.named import spec_for
from rebasin_fast.errors import SpecError
from rebasin_fast.matching.weight.descent import EFFORTS
from rebasin_fast.specs.reading.hints import AmbiguousError, HintNeededError
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.typing import Params

Function = TypeVar("Function", bound=Callable[..., Any])

# A spec file is text of this order for the largest models; what is larger is something else.
_LARGEST_SPEC_FILE = 64 << 20

DEFAULT_MAX_ITER = 100
DEFAULT_EFFORT = "normal"

input_path = click.Path(exists=True, path_type=Path)
output_path = click.Path(path_type=Path)


class ByteCount(IntegerType):
    """A number of bytes, as digits and maybe K, M, G or T (powers of 1000) behind them."""

    name = "bytes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number; a usage error where it is none."""
        if isinstance(value, int):
            return value
        parts = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)B?", str(value).strip(), re.IGNORECASE)
        if parts is None:
            self.fail(f"{value!r} is no number of bytes; write 800M, 1.5G or digits alone", param, ctx)
        return int(float(parts[1]) * 1000 ** " KMGT".index(parts[2].upper() or " "))


entry_option = click.option(
    "--entry",
    metavar="NAME",
    help="Which set of parameters of a torch file, such as state_dict_ema or nets/generator.",
)


def spec_options(function: Function) -> Function:
    """Which spec: --spec, and what shapes do not tell about a recognised architecture."""
    for option in reversed(
        [
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
                "--heads", type=click.IntRange(1), help="Attention heads, which shapes do not tell."
            ),
            click.option(
                "--norm-groups",
                type=click.IntRange(1),
                help="Groups of norms without statistics; 1 for LayerNorm.",
            ),
            click.option(
                "--layers",
                metavar="A,B,...",
                help="The layers of a plain chain in the order of the data, where names and shapes do not tell it.",
            ),
        ]
    ):
        function = option(function)
    return function


def matching_options(function: Function) -> Function:
    """How to match: spec, seed, restarts, sweeps, threads."""
    for option in reversed(
        [
            click.option(
                "--seed",
                default=0,
                show_default=True,
                help="Another seed is another search, as good.",
            ),
            click.option(
                "--restarts",
                default=1,
                show_default=True,
                type=click.IntRange(1),
                help="Runs; the best wins.",
            ),
            click.option(
                "--effort",
                default=DEFAULT_EFFORT,
                show_default=True,
                type=click.Choice(EFFORTS),
                help="How far weight matching searches beyond the first optimum.",
            ),
            click.option(
                "--max-iter",
                default=DEFAULT_MAX_ITER,
                show_default=True,
                type=click.IntRange(0),
                help="Most sweeps a run.",
            ),
            click.option("--threads", type=click.IntRange(1), help="Threads of the matrix products."),
            click.option(
                "--memory-limit",
                type=ByteCount(),
                metavar="BYTES",
                help="Most bytes of workspace, such as 800M or 2G; the models stay on disk and do not count.",
            ),
            click.option(
                "--no-strict",
                is_flag=True,
                help="Leave parameters that the spec or a model lacks in place, instead of refusing.",
            ),
        ]
    ):
        function = option(function)
    return spec_options(function)


def output_options(function: Function) -> Function:
    """Where results go: --force, --json, --quiet."""
    for option in reversed(
        [
            click.option("--force", is_flag=True, help="Replace an existing output."),
            click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
            click.option("--quiet", "-q", is_flag=True, help="No progress."),
        ]
    ):
        function = option(function)
    return function


def refuse_shared_paths(
    inputs: Sequence[Path], outputs: Sequence[Path], further: Mapping[str, Path | None] | None = None
) -> None:
    """UsageError where an output would replace an input, or two outputs have one name.

    Parameters
    ----------
    inputs : sequence of Path
        As the user named them: of a folder, and of an index, every file of that folder is an input.
    outputs : sequence of Path
        The files that ``--output`` stands for.
    further : mapping
        Outputs beside it, by option.
    """
    taken: dict[object, str] = {}
    for given in inputs:
        folder = given if given.is_dir() else given.parent if given.name.endswith(".index.json") else None
        for file in [given] if folder is None else [file for file in folder.iterdir() if file.is_file()]:
            taken[_identity(file)] = f"the input {file}"
    named = [("--output", path) for path in outputs]
    named += [(option, path) for option, path in (further or {}).items() if path is not None]
    for option, path in named:
        there = taken.get(_identity(path))
        if there is not None:
            raise click.UsageError(f"{option} {path} is the same file as {there}; give it a name of its own")
        taken[_identity(path)] = f"{option} {path}"


def _identity(path: Path) -> object:
    """Equal for two names of one file: links of both kinds, and relative paths."""
    try:
        found = path.stat()
    except OSError:
        return os.path.realpath(path)
    return found.st_dev, found.st_ino


def read_spec(
    spec_name: str,
    params: Params,
    *,
    heads: int | None,
    norm_groups: int | None,
    layers: str | None = None,
    trace: Callable[[], Any] | None = None,
) -> PermutationSpec:
    """The spec that ``--spec`` and its hints, or ``--trace``, ask for."""
    if trace is not None:
        from rebasin_fast.cli.tracing import traced_spec

        if spec_name != "auto":
            raise click.UsageError("--spec and --trace both say where the spec comes from; give one of them")
        return spec_for(traced_spec(trace), params)
    if spec_name == "auto":
        order = None if layers is None else [name.strip() for name in layers.split(",")]
        try:
            heads = heads_beside(params, heads)
            return specs.for_params(params, heads=heads, norm_groups=norm_groups, layers=order)
        except HintNeededError as error:
            raise SpecError(f"{error}. On the command line: --heads N, --norm-groups N") from None
        except AmbiguousError as error:
            raise SpecError(
                f"{error}. If they are a plain chain, give its order with --layers A,B,…; otherwise the spec as a "
                "file with --spec FILE, or --trace it from the model, which also proves it"
            ) from None
        except SpecError as error:
            raise SpecError(f"{error}. Give it as a file with --spec FILE, or --trace it") from None
    if layers is not None:
        raise click.UsageError("--layers is for a spec that is recognised, --spec auto")
    path = Path(spec_name)
    if not path.is_file():
        return _ready_spec(spec_name)
    if path.stat().st_size > _LARGEST_SPEC_FILE:
        raise SpecError(f"{path} has {path.stat().st_size:,} bytes; the JSON of a spec is smaller")
    try:
        return spec_for(PermutationSpec.from_json(path.read_text(encoding="utf-8")), params)
    except (SpecError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: {error}") from None


def _ready_spec(name: str) -> PermutationSpec:
    """The spec of ``specs.NAME()``, for names that need no arguments."""
    ready = {
        known: getattr(specs, known)
        for known in specs.__all__
        if known not in ("for_params", "RecognisedSpec")
    }
    if name not in ready:
        raise click.BadParameter(
            f"{name!r} is neither 'auto', nor a file, nor a ready spec ({', '.join(ready)})",
            param_hint="--spec",
        )
    try:
        return cast(PermutationSpec, ready[name]())
    except TypeError as error:
        raise click.BadParameter(
            f"{name!r} needs arguments ({error}); write the spec to a file with to_json() and name that",
            param_hint="--spec",
        ) from None
