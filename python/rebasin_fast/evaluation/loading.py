"""Parameters copied into a torch model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rebasin_fast import _arguments
from rebasin_fast._arrays import check_arrays
from rebasin_fast._arrays.torch import check_numbers
from rebasin_fast._models.inference import check_model
from rebasin_fast.errors import ParamsError
from rebasin_fast.typing import Params


@_arguments.checked()
def load_into(model: Any, params: Params) -> None:
    """Copy ``params`` into ``model``; prefixes that wrappers put before their names are left out.

    Parameters
    ----------
    model : torch.nn.Module
        Changed in place; dtypes and device stay those of the model.
    params : Mapping[str, array]
        Under the names of ``model.state_dict()``. Not changed.

    Raises
    ------
    ParamsError
        A parameter is missing, unknown to the model, or of another shape; counters may be missing. The model is then
        unchanged.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from rebasin_fast.evaluation import load_into
    >>> model = torch.nn.Linear(2, 1)
    >>> load_into(model, {"weight": np.ones((1, 2)), "bias": np.zeros(1)})
    >>> model.weight.tolist()
    [[1.0, 1.0]]
    """
    import torch

    check_model(model, "model")
    check_arrays(params, "the parameters")
    for value in params.values():
        if isinstance(value, torch.Tensor):
            check_numbers(value)
    own = model.state_dict()
    tensors = {
        name: value if isinstance(value, torch.Tensor) else torch.from_numpy(np.array(value))
        for name, value in with_names_of(own, params).items()
    }
    missing = [name for name, tensor in own.items() if name not in tensors and tensor.ndim]
    unknown = [name for name, tensor in tensors.items() if name not in own and tensor.ndim]
    for names, fault in ((missing, "is missing from the file"), (unknown, "is unknown to the model")):
        if names:
            raise ParamsError(f"parameter {names[0]!r} {fault} ({len(names)} such parameters in all)")
    for name, tensor in tensors.items():
        if name in own and tensor.shape != own[name].shape:
            raise ParamsError(
                f"parameter {name!r} has shape {tuple(tensor.shape)}; the model's has {tuple(own[name].shape)}"
            )
    model.load_state_dict(tensors, strict=False)


def with_names_of(own: Mapping[str, Any], params: Params) -> Params:
    """``params`` without the prefix of a wrapper, where the names of ``own`` have none."""
    first_own, first = next(iter(own)), next(iter(params), "")
    if first_own in params or not first.endswith(first_own):
        return params
    prefix = first.removesuffix(first_own)
    if not all(name.startswith(prefix) for name in params):
        return params
    return {name.removeprefix(prefix): value for name, value in params.items()}
