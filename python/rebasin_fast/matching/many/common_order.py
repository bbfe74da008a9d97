"""Many models in a common order of units: the permutation of each, their sum, and one matched to the others' mean."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._arrays import library_of, wide_on_host
from rebasin_fast._arrays.interface import is_complex
from rebasin_fast.errors import ParamsError
from rebasin_fast.matching.many.result import ManyMatching
from rebasin_fast.matching.matched import matched_parameters, refuse_integers_alone
from rebasin_fast.matching.result import moved_units
from rebasin_fast.matching.weight.method import weight_matching
from rebasin_fast.permutation import (
    compose_permutations,
    identity_permutation,
    invert_permutation,
    permuted_params,
)

if TYPE_CHECKING:
    from rebasin_fast.matching.weight.options import Effort
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Array, Index, Params


class ModelsInCommonOrder:
    """The models, the permutation of each, and the sum of the permuted models."""

    def __init__(
        self,
        spec: PermutationSpec,
        models: list[Params],
        sizes: Mapping[str, int],
        rng: np.random.Generator,
        threads: int | None,
        memory_limit: int | None,
        effort: Effort,
        report: Mapping[str, str],
    ) -> None:
        self.spec, self.models, self.rng = spec, models, rng
        self.permutations = [identity_permutation(spec, sizes) for _ in models]
        self.matched = matched_parameters(spec, models)
        refuse_integers_alone(spec, self.matched, models)
        self._report = report
        self._threads, self._memory_limit, self._effort = threads, memory_limit, effort
        self.squares = sum(
            _square(model[name], name, number) for number, model in enumerate(models) for name in self.matched
        )
        self._sum: dict[str, NDArray[Any]] = {}  # float64 or complex128
        self._members: set[int] = set()
        self.gather_all()
        self.first_objective = self.objective()

    def gather(self, members: Any) -> None:
        """Make the sum that of ``members`` alone, where they stand."""
        self._sum, self._members = {}, set()
        for member in members:
            self._add(member, 1.0)

    def gather_all(self) -> None:
        """Make the sum that of all models, free of the rounding of additions and subtractions."""
        self.gather(range(len(self.models)))
        self._stale = False

    def objective(self) -> float:
        """Sum over pairs of inner products: half of |sum|^2 less the squares, with all models in the sum."""
        return (sum(_dot(total, total) for total in self._sum.values()) - self.squares) / 2

    def match(self, number: int) -> bool:
        """Match one model to the mean of the others in the sum, which it then joins; whether it came closer."""
        if number in self._members:
            self._add(number, -1.0)
        model, count = self.models[number], len(self._members)
        mean = {
            name: (total / count).astype(_product_dtype(model[name]), copy=False)
            for name, total in self._sum.items()
        }
        # A model that was never moved starts by the first pass, not from the identity.
        where = self.permutations[number]
        found = weight_matching(
            self.spec, {**model, **mean}, model, init=where if any(moved_units(where).values()) else None, strict=False,
            effort=self._effort, threads=self._threads, memory_limit=self._memory_limit,
        )  # fmt: skip
        self.permutations[number] = found.permutation
        self._add(number, 1.0)
        return found.objective > found.first_objective

    def move_all(self, permutations: list[dict[str, Index]]) -> None:
        """Set these permutations."""
        self.permutations = [dict(permutation) for permutation in permutations]
        self.gather_all()

    def move_all_if_nearer(self, permutations: list[dict[str, Index]]) -> None:
        """Set these permutations, unless the models are nearer to one another as they are."""
        before = self.permutations, self.objective()
        self.move_all(permutations)
        if self.objective() < before[1]:
            self.move_all(before[0])

    def return_to_first(self) -> None:
        """Undo model 0's permutation in all models alike: the objective stays, the sum has to be gathered again."""
        back = invert_permutation(self.permutations[0], self.spec)
        self.permutations = [compose_permutations(p, back, self.spec) for p in self.permutations]

    def gather_all_if_stale(self) -> None:
        """Gather all models, unless nothing has moved since."""
        if self._stale:
            self.gather_all()

    def as_matching(self, history: list[float], *, converged: bool) -> ManyMatching:
        """The result as the models stand now, without their average."""
        return ManyMatching(
            permutations=self.permutations,
            merged={},
            objective=history[-1] if history else self.objective(),
            first_objective=self.first_objective,
            history=history,
            sweeps=len(history),
            converged=converged,
            spec=self.spec,
            report=self._report,
        )

    def _add(self, number: int, sign: float) -> None:
        self._stale = True
        moved = permuted_params(self.spec, self.permutations[number], self.models[number])
        for name in self.matched:
            array = wide_on_host(moved[name])
            if name not in self._sum:
                self._sum[name] = sign * array
            elif sign > 0:
                self._sum[name] += array
            else:
                self._sum[name] -= array
        (self._members.add if sign > 0 else self._members.discard)(number)


def _product_dtype(array: Array) -> type[np.inexact[Any]]:
    kind = library_of(array).dtype_name(array)
    if is_complex(kind):
        return np.complex64 if kind in ("complex32", "complex64") else np.complex128
    return np.float64 if kind == "float64" else np.float32


def _square(array: Array, name: str, number: int) -> float:
    """The squared length of a parameter; ParamsError where it is NaN or infinite."""
    host = wide_on_host(array)
    square = _dot(host, host)
    if not isfinite(square):
        raise ParamsError(
            f"parameter {name!r} of model {number} holds NaN or infinite values; such a model cannot be matched"
        )
    return square


def _dot(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float(np.vdot(a.ravel(), b.ravel()).real)
