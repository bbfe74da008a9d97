"""A model on its orbit: the isometry that brings it closest to a trained copy, followed from step to step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rebasin_fast._arrays import numbers_on_host
from rebasin_fast.matching.matched import real_view
from rebasin_fast.matching.pair import check_pair
from rebasin_fast.matching.symmetric.ascent import Ascent
from rebasin_fast.matching.symmetric.evidence import settling_order
from rebasin_fast.matching.symmetric.problem import SymmetricProblem
from rebasin_fast.matching.symmetric.state import State
from rebasin_fast.matching.symmetric.steps import Move
from rebasin_fast.permutation.transforms.rotations import as_complex

if TYPE_CHECKING:
    from rebasin_fast.matching.result import MatchingStats
    from rebasin_fast.matching.symmetric.problem import Family
    from rebasin_fast.permutation.transform import Transform
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.specs.symmetry import Symmetry
    from rebasin_fast.typing import Params


class Projection:
    """The orbit of ``moving``, in normal form, and targets in the shape of ``target``."""

    def __init__(
        self,
        spec: PermutationSpec,
        target: Params,
        moving: Params,
        symmetries: Sequence[Symmetry],
        *,
        strict: bool,
    ) -> None:
        self.problem = SymmetricProblem(check_pair(spec, target, moving, strict=strict), symmetries)
        self.problem.a = [
            np.array(values) for values in self.problem.a
        ]  # written to, and a model's own so far
        families = self.problem.families
        self._order = [
            each for name, _ in settling_order(self.problem) for each in (name, *families[name].inner)
        ]

    def towards(self, target: Params, isometry: Transform, sweeps: int) -> tuple[Transform, MatchingStats]:
        """``isometry`` after at most so many sweeps towards the target, which never lower the objective; the work."""
        self._aim_at(target)
        ascent = Ascent(self.problem, state=standing(self.problem, isometry), most_sweeps=sweeps)
        ascent.climb(lambda sweep: self._order if sweep < sweeps else None)
        stats = ascent.stats()
        return (ascent.state.transform() if stats.accepted_steps else isometry), stats

    def objective(self, target: Params, isometry: Transform) -> float:
        """vec(target) . vec(moved model), in float64."""
        self._aim_at(target)
        return standing(self.problem, isometry).objective

    def _aim_at(self, target: Params) -> None:
        for name, values in zip(self.problem.names, self.problem.a, strict=True):
            values[...] = real_view(numbers_on_host(target[name])).reshape(values.shape)


def standing(problem: SymmetricProblem, isometry: Transform) -> State:
    """The state of an ascent that begins at ``isometry``."""
    state = State(problem)
    # Units take along what is within them, which then moves in its new slots.
    for family in sorted(problem.families.values(), key=lambda family: len(family.parents)):
        move = _move_of(family, isometry)
        if not move.is_empty:
            state.take(family, move)
    return state


def _move_of(family: Family, isometry: Transform) -> Move:
    order = np.asarray(isometry.permutation[family.name]).reshape(-1, family.size)
    moves = bool((order != np.arange(family.size)).any())
    found: dict[str, Any] = {"order": order} if moves else {}
    if family.isometry == "signs" and family.name in isometry.signs:
        found["signs"] = isometry.signs[family.name].reshape(order.shape)
    if family.mixes and family.name in isometry.matrices:
        found["matrices"] = {
            family.name: isometry.matrices[family.name].reshape(-1, family.size, family.size)
        }
    if family.turned and family.name in isometry.rotations:
        numbers = as_complex(isometry.rotations[family.name])
        found["rotations"] = numbers.reshape(-1, family.size, family.rotations)
    return Move(0.0, **found)
