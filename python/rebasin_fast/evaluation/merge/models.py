"""The networks that a merge runs, and the spec of them."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rebasin_fast._models.inference import check_model, import_torch
from rebasin_fast.errors import ParamsError, SpecError
from rebasin_fast.evaluation.loading import load_into, with_names_of
from rebasin_fast.files import load_params
from rebasin_fast.specs import for_params
from rebasin_fast.specs.tracing import trace_spec

if TYPE_CHECKING:
    from rebasin_fast.evaluation.merge.data import MergeData
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Params

_ROWS = 2  # of a batch, to trace a model with


def params_of(model: Any, number: int) -> Params:
    """The parameters of a network, a file, or a mapping of them."""
    if isinstance(model, str | os.PathLike):
        return load_params(model)
    if hasattr(model, "state_dict") and not isinstance(model, Mapping):
        check_model(model, f"models[{number}]")
        return dict(model.state_dict())
    if not isinstance(model, Mapping):
        raise TypeError(
            f"models[{number}] is a mapping of parameters, a path or a torch.nn.Module, got {type(model).__qualname__}"
        )
    return model


class Networks:
    """Copies of one network, with the parameters of each model."""

    def __init__(self, source: Any, params: Sequence[Params]) -> None:
        import_torch("merge with batches")
        is_network = hasattr(source, "state_dict") and not isinstance(source, type)
        if not callable(source):
            check_model(source, "model")
        try:
            made = copy.deepcopy(source) if is_network or not callable(source) else source()
        except TypeError as error:
            raise TypeError(
                f"model is a torch.nn.Module, or a function without arguments that makes one: {error}"
            ) from None
        made = made[0] if isinstance(made, tuple) and made else made
        check_model(made, "model")
        self.base = made
        self._params = params

    def copy(self) -> Any:
        """A network of its own."""
        return copy.deepcopy(self.base)

    def loaded(self, number: int) -> Any:
        """One with the parameters of a model."""
        return self.holding(self._params[number])

    def holding(self, params: Params) -> Any:
        """One with these parameters."""
        network = self.copy()
        load_into(network, params)
        return network


def check_names(networks: Networks, params: Sequence[Params]) -> None:
    """ParamsError for a model whose names have a prefix that those of the network lack."""
    own = networks.base.state_dict()
    for number, one in enumerate(params):
        if with_names_of(own, one) is not one:
            raise ParamsError(
                f"models[{number}] has names with a prefix ({next(iter(one))!r}) that those of the network lack: "
                "rebasin_fast.specs.renaming.without_prefix(params, prefix) gives it without"
            )


def spec_of(
    spec: PermutationSpec | None, params: Sequence[Params], networks: Networks | None, data: MergeData | None
) -> PermutationSpec:
    """The given spec, or the traced one, or the recognised one."""
    if spec is not None:
        return spec
    if networks is None or data is None:
        return for_params(params[0])
    try:
        return trace_spec(networks.loaded(0), _example(data.inputs[0]))
    except SpecError as untraced:
        try:
            found = for_params(params[0])
        except SpecError:
            raise SpecError(
                f"the network cannot be traced, nor its spec recognised: {untraced}; pass spec="
            ) from None
        found.verify(networks.loaded(0), _example(data.inputs[0]))
        return found


def _example(inputs: Any) -> Any:
    if isinstance(inputs, Mapping):
        return {name: _example(value) for name, value in inputs.items()}
    if isinstance(inputs, tuple | list):
        return tuple(_example(value) for value in inputs)
    return inputs[:_ROWS] if getattr(inputs, "ndim", 0) > 0 else inputs
