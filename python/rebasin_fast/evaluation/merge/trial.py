"""What would end a merge late is found first: networks that do not run on the data, numbers that are not finite."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from rebasin_fast._arrays import numbers_on_host
from rebasin_fast._models.inference import call, device_of, evaluating
from rebasin_fast.errors import DataError, ParamsError
from rebasin_fast.evaluation.merge.models import Networks
from rebasin_fast.merging.same_names import is_interpolated
from rebasin_fast.typing import Params


def check_finite(models: Sequence[Params]) -> None:
    """ParamsError for a model with NaN or infinite numbers, which no measurement and no matching takes."""
    for number, params in enumerate(models):
        for name, array in params.items():
            if is_interpolated(array) and not np.isfinite(numbers_on_host(array)).all():
                raise ParamsError(
                    f"models[{number}][{name!r}] holds NaN or infinite numbers: such a model cannot be measured"
                )


def check_runs(networks: Networks, inputs: Any, loss: Callable[[Any, Any], Any] | None) -> None:
    """DataError unless the first model gives finite outputs of a kind that the loss can take."""
    import torch

    network = networks.loaded(0)
    if not all(bool(torch.isfinite(one).all()) for one in _tensors(inputs)):
        raise DataError("batch 0 holds NaN or infinite numbers: leave such samples out")
    with evaluating(network):
        outputs = call(network, inputs, device_of(network), 0)
    if loss is None and not isinstance(outputs, torch.Tensor):
        raise DataError(
            f"the network returns {type(outputs).__qualname__}, and cross-entropy takes logits: pass loss=, a function "
            "of (outputs, targets), or a network that returns logits"
        )


def _tensors(inputs: Any) -> list[Any]:
    parts = (
        inputs.values()
        if isinstance(inputs, Mapping)
        else inputs
        if isinstance(inputs, tuple | list)
        else [inputs]
    )
    return [part for part in parts if getattr(part, "is_floating_point", bool)()]
