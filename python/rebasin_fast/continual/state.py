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
from rebasin_fast.continual.importance import Factors, Importance
from rebasin_fast.errors import FileFormatError
from rebasin_fast.matching.state_file import StateFile
from rebasin_fast.specs.spec import PermutationSpec

if TYPE_CHECKING:
    from rebasin_fast.typing import Params

FILE = StateFile("rebasin_fast.continual_learner", "state of a continual learner")


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


def read_state(path: str | os.PathLike[str], options: Mapping[str, Any]) -> LearnerState:
    """The state in a file; FileFormatError where it belongs to a learner of other options."""
    wanted = json.loads(json.dumps(dict(options)))

    def parse(arrays: Mapping[str, Any], account: Mapping[str, Any]) -> tuple[LearnerState, dict[str, Any]]:
        params, inputs, outputs = (_below(arrays, prefix) for prefix in ("params/", "inputs/", "outputs/"))
        spec = None if account["spec"] is None else PermutationSpec.from_json(account["spec"])
        found = account.get("importance")
        importance = found and Importance(
            {
                layer: Factors(_tensor(inputs[layer]), _tensor(outputs[layer]), has_bias)
                for layer, has_bias in found["has_bias"].items()
            },
            int(found["episodes"]),
        )
        state = LearnerState(params, spec, int(account["episodes"]), int(account["seed"]), importance)
        return state, dict(account["options"])

    state, found = FILE.read(path, parse)
    other = [name for name in wanted if found.get(name) != wanted[name]]
    if other:
        name = other[0]
        raise FileFormatError(
            f"{path} belongs to a learner with {name} = {found.get(name)!r}; this one has {wanted[name]!r}. "
            "Give the learner the options of the file"
        )
    return state


def _below(arrays: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {
        name.removeprefix(prefix): np.array(library_of(array).to_host(array))
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def _tensor(array: Any) -> Any:
    return import_torch("RebasinLearner").from_numpy(array)
