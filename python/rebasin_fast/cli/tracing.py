"""``--trace module:factory``: the spec of a model that the user's own code makes."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import click

from rebasin_fast.errors import SpecError
from rebasin_fast.specs.tracing import TracedSpec, trace_spec


@lru_cache(maxsize=1)  # a merge asks once for every model
def traced_spec(factory: Callable[[], Any]) -> TracedSpec:
    """Trace and verify what ``factory()`` makes: a model, or a model and the inputs to call it with."""
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
