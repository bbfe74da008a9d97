"""The permutation spec of ``--spec`` and its hints, or of ``--trace``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import click

from rebasin_fast import specs
from rebasin_fast._pretrained.libraries import UnknownInputsError
from rebasin_fast._untrusted import read_small_file
from rebasin_fast.cli.configuration import heads_beside
from rebasin_fast.cli.named import spec_for
from rebasin_fast.cli.pretrained import ParamsOfClass, note_recognised
from rebasin_fast.errors import SpecError
from rebasin_fast.specs.reading.hints import AmbiguousError, HintNeededError
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.specs.tracing import TracedSpec, trace_spec
from rebasin_fast.typing import Params

# The JSON of the largest models' specs is of this order.
_LARGEST_SPEC_FILE = 64 << 20


@dataclass(frozen=True)
class SpecSource:
    """The options of the spec, under their own names."""

    spec_name: str
    trace: Callable[[], Any] | None
    heads: int | None
    norm_groups: int | None
    layers: str | None

    def read(self, params: Params) -> PermutationSpec:
        """The spec for ``params``.

        Raises
        ------
        click.UsageError
            Options that contradict one another, or a name that is no spec.
        SpecError
            A spec that cannot be recognised, read or traced.
        """
        if self.trace is not None:
            if self.spec_name != "auto":
                raise click.UsageError("--spec and --trace contradict one another; give one of them")
            return spec_for(_traced(self.trace), params)
        if self.spec_name == "auto":
            return self._recognised(params)
        if self.layers is not None:
            raise click.UsageError("--layers is for a spec that is recognised, --spec auto")
        path = Path(self.spec_name)
        return _of_file(path, params) if _is_file(path) else _ready(self.spec_name)

    @property
    def is_left_open(self) -> bool:
        """Whether nothing about the spec is given."""
        given = (self.trace, self.heads, self.norm_groups, self.layers)
        return self.spec_name == "auto" and all(value is None for value in given)

    def _recognised(self, params: Params) -> PermutationSpec:
        beside = params
        if isinstance(params, ParamsOfClass):
            try:
                found = params.model.spec
            except UnknownInputsError as error:
                note_recognised(error)
                beside = params.model.file
            else:
                click.echo(f"Note: the spec is {params.model.statement}", err=True)
                return found
        order = None if self.layers is None else [name.strip() for name in self.layers.split(",")]
        try:
            heads = heads_beside(beside, self.heads)
            return specs.for_params(params, heads=heads, norm_groups=self.norm_groups, layers=order)
        except HintNeededError as error:
            raise SpecError(f"{error}. On the command line: --heads N, --norm-groups N") from None
        except AmbiguousError as error:
            raise SpecError(
                f"{error}. If they are a plain chain, give its order with --layers A,B,…; otherwise the spec as a "
                "file with --spec FILE, or --trace it from the model, which also proves it"
            ) from None
        except SpecError as error:
            raise SpecError(f"{error}. Give it as a file with --spec FILE, or --trace it") from None


def _of_file(path: Path, params: Params) -> PermutationSpec:
    try:
        text = read_small_file(path, _LARGEST_SPEC_FILE).decode("utf-8")
        return spec_for(PermutationSpec.from_json(text), params)
    except (SpecError, ValueError) as error:  # larger, empty, or no UTF-8
        raise SpecError(f"{path}: {error}") from None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # longer than a name can be
        return False


def _ready(name: str) -> PermutationSpec:
    """The spec of ``specs.NAME()``, for names that need no arguments."""
    ready = [known for known in specs.__all__ if known not in ("for_params", "RecognisedSpec")]
    if name not in ready:
        raise click.BadParameter(
            f"{name!r} is neither 'auto', nor a file, nor a ready spec ({', '.join(ready)})",
            param_hint="--spec",
        )
    try:
        return cast(PermutationSpec, getattr(specs, name)())
    except TypeError as error:
        raise click.BadParameter(
            f"{name!r} needs arguments ({error}); write the spec to a file with to_json() and name that",
            param_hint="--spec",
        ) from None


@lru_cache(maxsize=1)  # a merge reads it once for every model
def _traced(factory: Callable[[], Any]) -> TracedSpec:
    """Trace and verify the model of ``factory()``, which gives the inputs to call it with, too."""
    made = factory()
    model, inputs = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    if inputs is None:
        inputs = getattr(model, "example_input_array", None)
    if inputs is None:
        raise SpecError(
            f"--trace: the factory gave {type(model).__qualname__} without inputs to call it with; return "
            "(model, example_inputs), a tensor, a tuple or a mapping, or set model.example_input_array"
        )
    if not callable(getattr(model, "named_parameters", None)):
        raise SpecError(f"--trace: the factory gave {type(model).__qualname__}; expected a torch.nn.Module")
    weightless = any(parameter.device.type == "meta" for parameter in model.parameters())
    if weightless:
        click.echo("the model lies on the meta device: the spec is traced, and not verified", err=True)
    return trace_spec(model, inputs, verify=not weightless)
