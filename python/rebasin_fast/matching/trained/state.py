"""The state of a training run after a step, in memory and in a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._arrays import library_of
from rebasin_fast.matching.state_file import StateFile
from rebasin_fast.permutation import check_permutation

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec

FILE = StateFile("rebasin_fast.straight_through", "checkpoint of straight_through_matching")


@dataclass
class TrainingState:
    """Permutations by value, counters, and the measurements so far.

    ``changed``: ``current`` differs from the permutation of the last comparison. A method that moves more than the
    order of units has all arrays of its transforms there.
    """

    current: dict[str, NDArray[Any]] = field(default_factory=dict)
    best: dict[str, NDArray[Any]] = field(default_factory=dict)
    seed: int = 0
    best_loss: float = float("inf")
    best_step: int = 0
    step: int = 0
    epoch: int = 0  # complete ones
    seen_in_epoch: int = 0
    comparisons_since: int = 0
    changed: bool = True
    losses: list[float] = field(default_factory=list)
    evaluations: list[tuple[int, float]] = field(default_factory=list)
    history: list[float] = field(default_factory=list)

    def losses_of_result(self) -> dict[str, Any]:
        """The fields of a ``TrainedMatching`` about losses."""
        return {
            "loss": self.best_loss,
            "first_loss": self.evaluations[0][1],
            "steps": self.step,
            "best_step": self.best_step,
            "losses": self.losses,
            "evaluations": self.evaluations,
        }


@dataclass(frozen=True)
class TrainingFile:
    """The file of a run: its state, the trained tensors, the optimizer and its schedule.

    ``spec`` is that of the state's permutations, None where there are none. ``check`` raises ValueError for arrays of a
    file that are none of the method's, which are other than permutations.
    """

    path: str | os.PathLike[str]
    key: str
    spec: PermutationSpec | None
    copy: dict[str, Any]
    optimizer: Any
    schedule: Any
    file: StateFile = FILE
    check: Callable[[dict[str, NDArray[Any]]], None] | None = None

    def save(self, state: TrainingState) -> None:
        """Write everything, in place of the file before."""
        account = dict(vars(state))
        optimizer = self.optimizer.state_dict()
        arrays: dict[str, Any] = {f"copy/{name}": value for name, value in self.copy.items()}
        for kind in ("current", "best"):
            arrays |= {f"{kind}/{name}": index for name, index in account.pop(kind).items()}
        scalars: dict[str, dict[str, Any]] = {}
        for number, values in optimizer["state"].items():
            for name, value in values.items():
                if hasattr(value, "shape"):
                    arrays[f"optimizer/{number}/{name}"] = value
                else:
                    scalars.setdefault(str(number), {})[name] = value
        account["optimizer"] = {"scalars": scalars, "groups": optimizer["param_groups"]}
        account["schedule"] = None if self.schedule is None else self.schedule.state_dict()
        self.file.write(self.path, arrays, account, key=self.key)

    def resume(self) -> TrainingState | None:
        """The state in the file, after the copy, the optimizer and its schedule took theirs; None without a file."""
        plain = str(self.path).lower().endswith(".npz")
        library: Literal["numpy", "torch"] = "numpy" if plain else "torch"
        return self.file.resume(self.path, self._restore, key=self.key, library=library)

    def _restore(self, arrays: Mapping[str, Any], account: Mapping[str, Any]) -> TrainingState:
        import torch

        with torch.no_grad():
            for name, tensor in self.copy.items():
                stored = _tensor(arrays[f"copy/{name}"])
                if stored.shape != tensor.shape:
                    raise ValueError(f"{name!r} has shape {tuple(stored.shape)}, not {tuple(tensor.shape)}")
                tensor.copy_(stored)
        optimizer = account["optimizer"]
        moments = {int(number): dict(items) for number, items in optimizer["scalars"].items()}
        for key in arrays:
            if key.startswith("optimizer/"):
                _, number, name = key.split("/", 2)
                moments.setdefault(int(number), {})[name] = _tensor(arrays[key])
        self.optimizer.load_state_dict({"state": moments, "param_groups": optimizer["groups"]})
        if self.schedule is not None and account["schedule"] is not None:
            self.schedule.load_state_dict(account["schedule"])
        values: dict[str, Any] = {kind: self._permutation(arrays, f"{kind}/") for kind in ("current", "best")}
        values |= {name: account[name] for name in vars(TrainingState()) if name not in values}
        values["evaluations"] = [(step, loss) for step, loss in values["evaluations"]]
        return TrainingState(**values)

    def _permutation(self, arrays: Mapping[str, Any], prefix: str) -> dict[str, NDArray[Any]]:
        if self.spec is None:
            return {}
        found = {
            name.removeprefix(prefix): np.array(library_of(arrays[name]).to_host(arrays[name]))
            for name in arrays
            if name.startswith(prefix)
        }
        if self.check is not None:
            self.check(found)
            return found
        return check_permutation(self.spec, found, {name: index.shape[-1] for name, index in found.items()})


def _tensor(value: Any) -> Any:
    import torch

    return value.clone() if isinstance(value, torch.Tensor) else torch.from_numpy(np.array(value))
