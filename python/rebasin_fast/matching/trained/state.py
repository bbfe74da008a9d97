"""What a straight-through run knows after a step, in memory and in a checkpoint of plain arrays."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._arrays import library_of
from rebasin_fast.errors import FileFormatError, ParamsError
from rebasin_fast.files import load_params, save_params
from rebasin_fast.permutation import check_permutation

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Index

_FORMAT = "rebasin_fast.straight_through/1"
_NUMBERS = (
    "seed",
    "step",
    "epoch",
    "seen_in_epoch",
    "best_loss",
    "best_step",
    "comparisons_since",
    "changed",
)
_LISTS = ("losses", "evaluations", "history")


@dataclass
class TrainingState:
    """Where the run stands: permutations by value, counters, and what was measured."""

    current: dict[str, Index]
    seed: int
    best: dict[str, Index] = field(default_factory=dict)
    best_loss: float = float("inf")
    best_step: int = 0
    step: int = 0
    epoch: int = 0
    seen_in_epoch: int = 0
    comparisons_since: int = 0
    changed: bool = False
    losses: list[float] = field(default_factory=list)
    evaluations: list[tuple[int, float]] = field(default_factory=list)
    history: list[float] = field(default_factory=list)

    def save(
        self,
        path: str | os.PathLike[str],
        spec: PermutationSpec,
        copy: Mapping[str, Any],
        optimizer: Any,
        schedule: Any,
    ) -> None:
        """Write everything, with the trained copy and its optimizer, to an .npz or .safetensors file."""
        state = optimizer.state_dict()
        arrays: dict[str, Any] = {f"copy/{name}": value for name, value in copy.items()}
        arrays |= {f"current/{name}": index for name, index in self.current.items()}
        arrays |= {f"best/{name}": index for name, index in self.best.items()}
        scalars: dict[str, dict[str, Any]] = {}
        for number, values in state["state"].items():
            for name, value in values.items():
                if hasattr(value, "shape"):
                    arrays[f"optimizer/{number}/{name}"] = value
                else:
                    scalars.setdefault(str(number), {})[name] = value
        fields = {
            "format": _FORMAT,
            "spec": spec.digest(),
            "optimizer": {"scalars": scalars, "groups": state["param_groups"]},
            "schedule": schedule.state_dict() if schedule is not None else None,
            **{name: getattr(self, name) for name in (*_NUMBERS, *_LISTS)},
        }
        arrays["state"] = np.frombuffer(_as_json(fields).encode(), np.uint8)
        save_params(path, arrays, overwrite=True)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        spec: PermutationSpec,
        start: Mapping[str, Index],
        copy: Mapping[str, Any],
        optimizer: Any,
        schedule: Any,
    ) -> TrainingState:
        """Read a checkpoint back into ``copy``, ``optimizer`` and ``schedule``, and return the rest."""
        arrays = load_params(path, library="numpy" if str(path).endswith(".npz") else "torch")
        if "state" not in arrays:
            raise FileFormatError(f"{path} is no checkpoint of straight_through_matching: it has no 'state'")
        fields = json.loads(_host(arrays["state"]).tobytes())
        if fields.get("format") != _FORMAT or fields["spec"] != spec.digest():
            raise ParamsError(
                f"the checkpoint {path} was written for another spec or by another version; remove it, or name another"
            )
        sizes = {name: index.shape[-1] for name, index in start.items()}
        state = cls(
            check_permutation(spec, _prefixed(arrays, "current/"), sizes),
            best=check_permutation(spec, _prefixed(arrays, "best/"), sizes),
            **{name: fields[name] for name in _NUMBERS},
            losses=fields["losses"],
            evaluations=[(step, loss) for step, loss in fields["evaluations"]],
            history=fields["history"],
        )
        _restore_copy(path, arrays, copy)
        _restore_optimizer(arrays, fields["optimizer"], optimizer)
        if schedule is not None and fields["schedule"] is not None:
            schedule.load_state_dict(fields["schedule"])
        return state


def _restore_copy(path: object, arrays: Mapping[str, Any], copy: Mapping[str, Any]) -> None:
    import torch

    with torch.no_grad():
        for name, tensor in copy.items():
            stored = arrays.get(f"copy/{name}")
            if stored is None or tuple(stored.shape) != tuple(tensor.shape):
                raise ParamsError(
                    f"the checkpoint {path} does not fit the model: it lacks {name!r} of shape {tuple(tensor.shape)}; "
                    "remove it, or name another"
                )
            tensor.copy_(_tensor(stored))


def _restore_optimizer(arrays: Mapping[str, Any], stored: Mapping[str, Any], optimizer: Any) -> None:
    values: dict[int, dict[str, Any]] = {
        int(number): dict(items) for number, items in stored["scalars"].items()
    }
    for key in arrays:
        if key.startswith("optimizer/"):
            _, number, name = key.split("/", 2)
            values.setdefault(int(number), {})[name] = _tensor(arrays[key])
    optimizer.load_state_dict({"state": values, "param_groups": stored["groups"]})


def _tensor(value: Any) -> Any:
    import torch

    return value.clone() if isinstance(value, torch.Tensor) else torch.from_numpy(np.array(value))


def _host(value: Any) -> NDArray[Any]:
    return np.ascontiguousarray(library_of(value).to_host(value))


def _prefixed(arrays: Mapping[str, Any], prefix: str) -> dict[str, Index]:
    return {
        key.removeprefix(prefix): np.array(_host(arrays[key])) for key in arrays if key.startswith(prefix)
    }


def _as_json(fields: Mapping[str, Any]) -> str:
    try:
        return json.dumps(fields)
    except TypeError as error:
        raise ParamsError(
            f"the optimizer or its schedule keeps something that a checkpoint of plain numbers cannot hold ({error}); "
            "run without checkpoint="
        ) from None
