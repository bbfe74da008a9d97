"""The status of a spec: recognised alone, or proven on the model that a command runs anyway."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rebasin_fast._models.inference import import_torch
from rebasin_fast.cli.option_types import made_model
from rebasin_fast.errors import SpecError
from rebasin_fast.specs.recognised import HOW_TO_PROVE, RecognisedSpec
from rebasin_fast.specs.spec import PermutationSpec

# Rows of the first batch that are enough for a proof.
_ROWS = 4


def spec_statement(
    spec: PermutationSpec, model: Callable[[], Any] | None = None, data: Callable[[], Any] | None = None
) -> str | None:
    """One line about a recognised spec, which is proven first where ``model`` and ``data`` are given; else None.

    Raises
    ------
    SpecError
        The spec changes the function of the model.
    """
    if not isinstance(spec, RecognisedSpec):
        return None
    if model is None or data is None:
        return f"{spec.statement()}: {HOW_TO_PROVE}"
    network = made_model(model)
    if set(network.state_dict()) != set(spec.axes_to_perm):
        return f"{spec.statement()} (the parameters of --model have other names): {HOW_TO_PROVE}"
    try:
        spec.verify(network, _first_inputs(data()))
    except SpecError as error:
        if "nothing can be verified" in str(error):
            return f"{spec.statement()} ({error})"
        raise SpecError(
            f"these parameters were recognised as {spec.family}, and the model of --model is another one: {error}. "
            "Trace its spec with --trace module:factory"
        ) from None
    return spec.statement()


def _first_inputs(batches: Any) -> Any:
    torch = import_torch("the proof of a spec")
    batch = next(iter(batches() if callable(batches) else batches))
    inputs = batch[0] if isinstance(batch, tuple | list) else batch

    def cut(value: Any) -> Any:
        return value[:_ROWS] if isinstance(value, torch.Tensor) and value.ndim > 1 else value

    if isinstance(inputs, Mapping):
        return {name: cut(value) for name, value in inputs.items()}
    return tuple(map(cut, inputs)) if isinstance(inputs, tuple | list) else cut(inputs)
