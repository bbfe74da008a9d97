"""The state of a learner in a file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rebasin_fast._arrays import library_of
from rebasin_fast._models.inference import import_torch
from rebasin_fast._untrusted import brief
from rebasin_fast._untrusted.schema import (
    Anything,
    ArrayOf,
    Count,
    Fields,
    Flag,
    MapOf,
    Optional,
    Schema,
    Text,
    nested,
)
from rebasin_fast.continual.importance import Factors, Importance
from rebasin_fast.errors import FileFormatError
from rebasin_fast.matching.state_file import StateFile
from rebasin_fast.specs.spec import PermutationSpec

if TYPE_CHECKING:
    from rebasin_fast.typing import Params

_IMPORTANCE = Fields({"episodes": Count(least=1), "has_bias": MapOf(Flag())})
FILE = StateFile(
    "rebasin_fast.continual_learner",
    "state of a continual learner",
    Schema(
        Fields(
            {
                "spec": Optional(Text()),
                "episodes": Count(),
                "seed": Count(most=2**64 - 1),
                "options": MapOf(Anything()),
                "importance": _IMPORTANCE,
            },
            optional=("importance",),
        ),
        Fields(
            {"params": MapOf(ArrayOf()), "inputs": MapOf(ArrayOf()), "outputs": MapOf(ArrayOf())},
            optional=("inputs", "outputs"),
        ),
    ),
)


@dataclass(frozen=True)
class LearnerState:
    """Parameters and buffers, and the numbers that the next episode depends on."""

    params: Params
    spec: PermutationSpec | None
    episodes: int
    seed: int
    importance: Importance | None = None


def write_state(path: str | os.PathLike[str], state: LearnerState, options: Mapping[str, Any]) -> None:
    """Write ``state``, and the options of its learner."""
    account = {
        "spec": None if state.spec is None else state.spec.to_json(),
        "episodes": state.episodes,
        "seed": state.seed,
        "options": dict(options),
    }
    arrays = {f"params/{name}": value for name, value in state.params.items()}
    if state.importance is not None:
        account["importance"] = {
            "episodes": state.importance.episodes,
            "has_bias": {layer: factors.has_bias for layer, factors in state.importance.factors.items()},
        }
        for layer, factors in state.importance.factors.items():
            arrays |= {f"inputs/{layer}": factors.inputs, f"outputs/{layer}": factors.outputs}
    FILE.write(path, arrays, account)


def read_state(
    path: str | os.PathLike[str], options: Mapping[str, Any], model: Mapping[str, Any]
) -> LearnerState:
    """The state in a file; FileFormatError where its learner has other options or another ``model``."""
    wanted = json.loads(json.dumps(dict(options)))

    def parse(arrays: Mapping[str, Any], account: Mapping[str, Any]) -> tuple[LearnerState, dict[str, Any]]:
        groups = {group: _on_host(held) for group, held in nested(arrays).items()}
        for name, array in ((name, array) for held in groups.values() for name, array in held.items()):
            if array.dtype.kind in "fc" and not np.isfinite(array).all():
                raise ValueError(f"{name} holds NaN or infinities")
        params = groups["params"]
        spec = None if account["spec"] is None else PermutationSpec.from_json(account["spec"])
        _check_like(params, _on_host(model))
        if spec is not None:
            spec.validate(params)
        elif account["episodes"]:
            raise ValueError(f"spec is missing after {account['episodes']} episodes")
        importance = _importance(account.get("importance"), params, groups)
        state = LearnerState(params, spec, account["episodes"], account["seed"], importance)
        return state, dict(account["options"])

    state, found = FILE.read(path, parse)
    other = [name for name in {**wanted, **found} if name not in wanted or found.get(name) != wanted[name]]
    if other:
        name = other[0]
        raise FileFormatError(
            f"{path} belongs to a learner with {brief(name)[1:-1]} = {brief(found.get(name))}; this one has "
            f"{wanted.get(name)!r}. Give the learner the options of the file"
        )
    return state


def _importance(
    found: Mapping[str, Any] | None, params: Mapping[str, Any], groups: Mapping[str, Mapping[str, Any]]
) -> Importance | None:
    layers = {} if found is None else found["has_bias"]
    inputs, outputs = groups.get("inputs", {}), groups.get("outputs", {})
    if not set(layers) == set(inputs) == set(outputs):
        raise ValueError(f"has_bias is of the layers {sorted(layers)}, and its factors of {sorted(inputs)}")
    for layer, has_bias in layers.items():
        weight = params[f"{layer}.weight"]
        columns = int(np.prod(weight.shape[1:])) + has_bias
        for name, factor, size in (
            ("inputs", inputs[layer], columns),
            ("outputs", outputs[layer], len(weight)),
        ):
            if factor.shape != (size, size) or factor.dtype != weight.dtype:
                raise ValueError(
                    f"{name}/{layer} is {factor.dtype} of shape {factor.shape}, not {weight.dtype} of {(size, size)}"
                )
    if found is None:
        return None
    factors = {
        layer: Factors(_tensor(inputs[layer]), _tensor(outputs[layer]), has_bias)
        for layer, has_bias in layers.items()
    }
    return Importance(factors, found["episodes"])


def _check_like(params: Mapping[str, Any], model: Mapping[str, Any]) -> None:
    if set(params) != set(model):
        name = sorted(set(params) ^ set(model))[0]
        raise ValueError(
            f"{brief(name)} is a parameter of {'the model' if name in model else 'the file'} alone"
        )
    for name, array in params.items():
        if (array.shape, array.dtype) != (model[name].shape, model[name].dtype):
            raise ValueError(
                f"params/{name} is {array.dtype} of shape {array.shape}; the model's is {model[name].dtype} of "
                f"{model[name].shape}"
            )


def _on_host(group: Mapping[str, Any]) -> dict[str, Any]:
    return {name: np.array(library_of(array).to_host(array)) for name, array in group.items()}


def _tensor(array: Any) -> Any:
    return import_torch("RebasinLearner").from_numpy(array)
