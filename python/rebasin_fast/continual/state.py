"""The state of a learner in a file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rebasin_fast._arrays import library_of
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


def write_state(path: str | os.PathLike[str], state: LearnerState, options: Mapping[str, Any]) -> None:
    """Write ``state``, and the options of its learner."""
    account = {
        "spec": None if state.spec is None else state.spec.to_json(),
        "episodes": state.episodes,
        "seed": state.seed,
        "options": dict(options),
    }
    FILE.write(path, {f"params/{name}": value for name, value in state.params.items()}, account)


def read_state(path: str | os.PathLike[str], options: Mapping[str, Any]) -> LearnerState:
    """The state in a file; FileFormatError where it belongs to a learner of other options."""
    wanted = json.loads(json.dumps(dict(options)))

    def parse(arrays: Mapping[str, Any], account: Mapping[str, Any]) -> tuple[LearnerState, dict[str, Any]]:
        params = {
            name.removeprefix("params/"): np.array(library_of(array).to_host(array))
            for name, array in arrays.items()
            if name.startswith("params/")
        }
        spec = None if account["spec"] is None else PermutationSpec.from_json(account["spec"])
        state = LearnerState(params, spec, int(account["episodes"]), int(account["seed"]))
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
