"""A matching of many models as a file: where each model's units go, and the account of how that was found."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rebasin_fast.errors import FileFormatError, PermutationError
from rebasin_fast.files import load_params, save_params
from rebasin_fast.matching.weight.checkpoint import key_of
from rebasin_fast.permutation import check_permutation
from rebasin_fast.specs.spec import PermutationSpec

if TYPE_CHECKING:
    from rebasin_fast.matching.many.common_order import Crowd
    from rebasin_fast.typing import Index, Params

KIND = "rebasin_fast.many_matching"
_VERSION = 1
_SUFFIXES = (".safetensors", ".npz")
_ACCOUNT = "account"


@dataclass
class ManyState:
    """What a file holds. ``key`` and ``rng`` are there only in one from which a run can continue."""

    spec: PermutationSpec
    permutations: list[dict[str, Index]]
    objective: float
    first_objective: float
    history: list[float]
    converged: bool
    report: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None
    rng: dict[str, Any] | None = None


def write_state(path: str | os.PathLike[str], state: ManyState, *, overwrite: bool) -> None:
    """Write the file whole, or leave what is there."""
    check_name(path)
    account = {
        "kind": KIND,
        "version": _VERSION,
        "models": len(state.permutations),
        "spec": state.spec.to_json(),
        **{name: getattr(state, name) for name in ("objective", "first_objective", "history", "converged")},
        "report": dict(state.report),
        "key": state.key,
        "rng": state.rng,
    }
    text = json.dumps(account, default=lambda value: np.asarray(value).tolist())
    arrays: dict[str, Any] = {_ACCOUNT: np.frombuffer(text.encode(), np.uint8)}
    for number, permutation in enumerate(state.permutations):
        arrays |= {f"{number}/{name}": index for name, index in permutation.items()}
    save_params(path, arrays, overwrite=overwrite)


def read_state(path: str | os.PathLike[str]) -> ManyState:
    """What :func:`write_state` wrote.

    Raises
    ------
    FileFormatError
        It is no such file, or damaged.
    """
    check_name(path)
    arrays = load_params(path, library="numpy")
    try:
        account = json.loads(np.asarray(arrays[_ACCOUNT], np.uint8).tobytes())
        if account["kind"] != KIND or account["version"] != _VERSION:
            raise ValueError(f"it says {account['kind']!r}, version {account['version']!r}")
        spec = PermutationSpec.from_json(account["spec"])
        permutations = [_of_model(arrays, number, spec) for number in range(int(account["models"]))]
        return ManyState(
            spec,
            permutations,
            float(account["objective"]),
            float(account["first_objective"]),
            [float(value) for value in account["history"]],
            bool(account["converged"]),
            dict(account["report"]),
            account["key"],
            account["rng"],
        )
    except (KeyError, TypeError, ValueError, RecursionError, PermutationError) as error:
        raise FileFormatError(f"{path} is no file of ManyMatching.save, or is damaged ({error})") from None


class KeptState:
    """The state in the file of ``checkpoint=``, if there is one."""

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        spec: PermutationSpec,
        models: list[Params],
        rng: np.random.Generator,
        report: Mapping[str, str],
        options: Mapping[str, Any],
    ) -> None:
        self.state: ManyState | None = None
        self._path, self._spec, self._rng, self._report = path, spec, rng, report
        if path is None:
            return
        check_name(path)
        self._key = key_of_many(spec, models, {**options, "bits": type(rng.bit_generator).__name__})
        if os.path.exists(path):
            self.state = read_state(path)
            if self.state.key != self._key or self.state.rng is None:
                raise FileFormatError(
                    f"{path} belongs to another matching of many models: other models, another spec or other options. "
                    "Give the file that belongs to these, or another name"
                )
            rng.bit_generator.state = self.state.rng

    def write(self, crowd: Crowd, history: list[float], converged: bool) -> None:
        """Replace the file, where one is asked for."""
        if self._path is not None:
            state = ManyState(
                self._spec, crowd.permutations, history[-1], crowd.first_objective, history, converged,
                self._report, self._key, dict(self._rng.bit_generator.state),
            )  # fmt: skip
            write_state(self._path, state, overwrite=True)


def check_name(path: str | os.PathLike[str]) -> None:
    """FileFormatError unless the name ends as such a file's does."""
    if Path(path).suffix.lower() not in _SUFFIXES:
        raise FileFormatError(f"{path}: a matching of many models is a {' or '.join(_SUFFIXES)} file")


def key_of_many(spec: PermutationSpec, models: Sequence[Params], options: Mapping[str, Any]) -> str:
    """What tells one matching of many models from another."""
    return " ".join(key_of(spec, models[0], model, options)[:16] for model in models[1:])


def _of_model(arrays: Mapping[str, Any], number: int, spec: PermutationSpec) -> dict[str, Index]:
    prefix = f"{number}/"
    found = {
        name.removeprefix(prefix): np.array(arrays[name], np.int64)
        for name in arrays
        if name.startswith(prefix)
    }
    return check_permutation(spec, found, {name: index.shape[-1] for name, index in found.items()})
