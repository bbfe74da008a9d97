"""The file of a training run, from which it goes on: its state, the trained tensors, the optimizer and its schedule."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._arrays import library_of
from rebasin_fast._untrusted.alike import alike
from rebasin_fast._untrusted.schema import (
    MEASURED,
    AnyOf,
    Anything,
    ArrayOf,
    Count,
    Fields,
    Flag,
    ListOf,
    MapOf,
    Number,
    Optional,
    Row,
    Schema,
    Text,
    nested,
)
from rebasin_fast.matching.state_file import StateFile
from rebasin_fast.matching.trained.state import TrainingState
from rebasin_fast.permutation import check_permutation

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Index

_GROUPS = ("copy", "optimizer", "current", "best")
_SCALAR = Optional(AnyOf((MEASURED, Flag())))
# Groups of the optimizer and the schedule are compared with those of the run.
_OPTIMIZER = Fields(
    {"scalars": MapOf(MapOf(_SCALAR)), "entries": MapOf(ListOf(Text())), "groups": ListOf(MapOf(Anything()))}
)
SCHEMA = Schema(
    Fields(
        {
            "seed": Count(most=2**63),
            "best_loss": Number(infinite=True),
            "best_step": Count(),
            "step": Count(least=1),
            "epoch": Count(),
            "seen_in_epoch": Count(),
            "comparisons_since": Count(),
            "changed": Flag(),
            "losses": ListOf(Number()),
            "evaluations": ListOf(Row((Count(), MEASURED))),
            "history": ListOf(Number()),
            "optimizer": _OPTIMIZER,
            "schedule": Optional(MapOf(Anything())),
        }
    ),
    Fields(dict.fromkeys(_GROUPS, MapOf(ArrayOf())), optional=_GROUPS),
)
FILE = StateFile("rebasin_fast.straight_through", "checkpoint of straight_through_matching", SCHEMA)


@dataclass(frozen=True)
class TrainingFile:
    """The file of one run; ``spec`` and ``start`` are of the state's permutations, None and empty where it has none.

    ``check`` raises ValueError for arrays of a file that are none of the method's, which are other than permutations.
    """

    path: str | os.PathLike[str]
    key: str
    spec: PermutationSpec | None
    copy: dict[str, Any]
    optimizer: Any
    schedule: Any
    file: StateFile = FILE
    start: Mapping[str, Index] = field(default_factory=dict)
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
        entries = {str(number): sorted(values) for number, values in optimizer["state"].items()}
        account["optimizer"] = {"scalars": scalars, "entries": entries, "groups": optimizer["param_groups"]}
        account["schedule"] = None if self.schedule is None else self.schedule.state_dict()
        self.file.write(self.path, arrays, account, key=self.key)

    def resume(self) -> TrainingState | None:
        """The state in the file, after the copy, the optimizer and its schedule took theirs; None without a file."""
        plain = str(self.path).lower().endswith(".npz")
        library: Literal["numpy", "torch"] = "numpy" if plain else "torch"
        return self.file.resume(self.path, self._restore, key=self.key, library=library)

    def _restore(self, arrays: Mapping[str, Any], account: Mapping[str, Any]) -> TrainingState:
        """Everything is checked before any of it is taken over."""
        import torch

        groups = nested(arrays)
        state = self._state(groups, account)
        held = {name: _tensor(array) for name, array in groups.get("copy", {}).items()}
        if set(held) != set(self.copy):
            raise ValueError(f"its copy has the tensors {sorted(held)}, not {sorted(self.copy)}")
        for name, tensor in self.copy.items():
            _check_like(held[name], tensor, f"copy/{name}")
        optimizer = self._optimizer_state(account["optimizer"], groups.get("optimizer", {}))
        schedule = self._schedule_state(account["schedule"], state.step)
        self._try_step(optimizer)
        with torch.no_grad():
            for name, tensor in self.copy.items():
                tensor.copy_(held[name])
        self.optimizer.load_state_dict(optimizer)
        if schedule is not None:
            self.schedule.load_state_dict(schedule)
        return state

    def _state(self, groups: Mapping[str, Any], account: Mapping[str, Any]) -> TrainingState:
        values: dict[str, Any] = {
            kind: self._permutation(groups.get(kind, {})) for kind in ("current", "best")
        }
        values |= {name: account[name] for name in vars(TrainingState()) if name not in values}
        values["evaluations"] = [(step, loss) for step, loss in values["evaluations"]]
        state = TrainingState(**values)
        shapes = {name: index.shape for name, index in self.start.items()} if self.check is None else None
        state.check(shapes, compares=self.spec is not None)
        return state

    def _permutation(self, group: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        found = {name: np.array(library_of(index).to_host(index)) for name, index in group.items()}
        if self.check is not None:
            self.check(found)
        if self.spec is None or self.check is not None:
            return found
        sizes = {name: index.shape[-1] for name, index in found.items() if index.shape}
        return check_permutation(self.spec, found, sizes)

    def _optimizer_state(self, found: Mapping[str, Any], group: Mapping[str, Any]) -> dict[str, Any]:
        own = self.optimizer.state_dict()["param_groups"]
        groups = alike(own, found["groups"], "optimizer.groups", only_numbers=True)
        if any(one["params"] != other["params"] for one, other in zip(own, groups, strict=True)):
            raise ValueError("the groups of its optimizer have other parameters")
        entries: dict[int, dict[str, Any]] = {
            int(number): dict(items) for number, items in found["scalars"].items()
        }
        tensors = [tensor for each in self.optimizer.param_groups for tensor in each["params"]]
        for name, array in group.items():
            number, _, entry = name.partition("/")
            value = _finite(_tensor(array), f"optimizer/{name}")
            if value.is_complex() and not any(tensor.is_complex() for tensor in tensors):
                raise ValueError(f"optimizer/{name} is complex, and no tensor of the run is")
            entries.setdefault(int(number), {})[entry] = value
        if {str(number): sorted(items) for number, items in entries.items()} != found["entries"]:
            raise ValueError("its optimizer has other entries than it lists")
        if not set(entries) <= set(range(len(tensors))):
            raise ValueError(
                f"its optimizer has entries of {sorted(entries)}, and the run {len(tensors)} tensors"
            )
        return {"state": entries, "param_groups": groups}

    def _try_step(self, state: dict[str, Any]) -> None:
        """A step with this state and gradients of 0, which fails where an entry is missing or of a wrong shape."""
        tensors = [tensor for group in self.optimizer.param_groups for tensor in group["params"]]
        self.optimizer.load_state_dict(copy.deepcopy(state))
        for tensor in tensors:
            tensor.grad = tensor.detach().clone().zero_()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def _schedule_state(self, found: Mapping[str, Any] | None, steps: int) -> dict[str, Any] | None:
        if (found is None) != (self.schedule is None):
            raise ValueError(f"schedule is {'missing' if found is None else 'of a run with one'}")
        if self.schedule is None:
            return None
        schedule = alike(self.schedule.state_dict(), found, "schedule", only_numbers=False)
        for name in ("last_epoch", "_step_count"):
            if name in schedule:
                Count(most=steps + 1).check(schedule[name], f"schedule.{name}", {})
        return dict(schedule)


def _check_like(found: Any, tensor: Any, where: str) -> None:
    if found.shape != tensor.shape or found.dtype != tensor.dtype:
        raise ValueError(
            f"{where} is {found.dtype} of shape {tuple(found.shape)}, not {tensor.dtype} of {tuple(tensor.shape)}"
        )
    _finite(found, where)


def _finite(tensor: Any, where: str) -> Any:
    if not tensor.isfinite().all():
        raise ValueError(f"{where} holds NaN or infinities")
    return tensor


def _tensor(value: Any) -> Any:
    import torch

    return value.clone() if isinstance(value, torch.Tensor) else torch.from_numpy(np.array(value))
