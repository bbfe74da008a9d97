"""B's arrays as they are moved so far, and the transform that moves them there."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.matching.symmetric.polar import centred_polar_factor, polar_factor
from rebasin_fast.matching.symmetric.problem import inner_product
from rebasin_fast.matching.symmetric.rotations import directions
from rebasin_fast.matching.symmetric.steps import Move
from rebasin_fast.permutation import identity_permutation
from rebasin_fast.permutation.transform import Transform
from rebasin_fast.permutation.transforms.rotations import as_complex, as_pairs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rebasin_fast.matching.symmetric.problem import Family, SymmetricProblem
    from rebasin_fast.typing import Floats, Index


class State:
    """Where the ascent stands, from the identity on."""

    def __init__(self, problem: SymmetricProblem) -> None:
        self._problem = problem
        self.b = problem.fresh_b()
        self._values = [inner_product(a, b) for a, b in zip(problem.a, self.b, strict=True)]
        self._orders = identity_permutation(problem.spec, problem.sizes)
        self._signs: dict[str, Floats] = {}
        self._matrices: dict[str, Floats] = {}
        self._rotations: dict[str, Floats] = {}
        for name, family in problem.families.items():
            if family.isometry == "signs":
                self._signs[name] = np.ones((*family.copies, family.size))
            elif family.mixes:
                self._matrices[name] = np.tile(np.eye(family.size), (*family.copies, 1, 1))
            if family.turned:
                shape = (*family.copies, family.size, family.rotations)
                self._rotations[name] = as_pairs(np.ones(shape, np.complex128))

    @classmethod
    def moved_by(cls, problem: SymmetricProblem, isometry: Transform) -> State:
        """Where an isometry of the normal forms ends; what it does not name stays."""
        state = cls(problem)
        outermost_first = sorted(problem.families.values(), key=lambda family: len(family.parents))
        for family in outermost_first:
            copies = prod(family.copies)
            order = isometry.permutation.get(family.name)
            signs = isometry.signs.get(family.name)
            matrices = isometry.matrices.get(family.name)
            rotations = isometry.rotations.get(family.name)
            units = copies, family.size
            move = Move(
                0.0,
                None if order is None or family.mixes else order.reshape(units),
                None if signs is None else signs.reshape(units),
                {} if matrices is None else {family.name: matrices.reshape(*units, family.size)},
                None if rotations is None else as_complex(rotations).reshape(*units, family.rotations),
            )
            state.take(family, move)
        return state

    @property
    def objective(self) -> float:
        """vec(A) . vec(moved B), in float64."""
        return float(sum(self._values))

    def take(self, family: Family, move: Move) -> None:
        """Move B's arrays, and note the move in the transform."""
        if move.order is not None:
            for place in family.moved:
                place.reorder(self.b[place.array], move.order)
            self._reorder(family, move)
        if move.signs is not None:
            for place in family.acted:
                place.multiply(self.b[place.array], move.signs)
            self._signs[family.name] *= move.signs.reshape(self._signs[family.name].shape)
        if move.rotations is not None:
            for turned in family.turned:
                turned.turn(self.b[turned.array], move.rotations)
            noted = as_complex(self._rotations[family.name])
            self._rotations[family.name] = as_pairs(noted * move.rotations.reshape(noted.shape))
        for name, matrices in move.matrices.items():
            for place in self._problem.families[name].acted:
                place.mix(self.b[place.array], matrices)
            so_far = self._matrices[name]
            self._matrices[name] = np.matmul(matrices.reshape(so_far.shape), so_far)
        self._measure(family.arrays)

    def attempt(self, family: Family, move: Move, least: float) -> bool:
        """Take the move if it raises the objective by more than ``least``, and report whether it did."""
        before = self.objective
        kept = {array: (self.b[array].copy(), self._values[array]) for array in family.arrays}
        signs = {name: own.copy() for name, own in self._signs.items()}
        noted = dict(self._orders), signs, dict(self._matrices), dict(self._rotations)
        self.take(family, move)
        if self.objective - before > least:
            return True
        for array, (values, value) in kept.items():
            self.b[array], self._values[array] = values, value
        self._orders, self._signs, self._matrices, self._rotations = noted
        return False

    def transform(self) -> Transform:
        """The moves so far as one transform; its matrices are orthogonal to rounding."""
        factors = {
            name: (
                centred_polar_factor if self._problem.families[name].isometry == "centred" else polar_factor
            )(matrices)
            for name, matrices in self._matrices.items()
        }
        rotations = {name: as_pairs(directions(as_complex(own))) for name, own in self._rotations.items()}
        return Transform(dict(self._orders), dict(self._signs), matrices=factors, rotations=rotations)

    def _reorder(self, family: Family, move: Move) -> None:
        """The order itself, and all that is noted for the units, which take along what is within them."""
        assert move.order is not None
        name = family.name
        order = move.order.reshape(self._orders[name].shape)
        self._orders[name] = np.take_along_axis(self._orders[name], order, axis=-1)
        if name in self._signs:
            self._signs[name] = np.take_along_axis(self._signs[name], order, axis=-1)
        if name in self._rotations:
            self._rotations[name] = np.take_along_axis(self._rotations[name], order[..., None, None], axis=-3)
        for child in self._problem.families.values():
            if name in child.parents:
                noted: dict[str, NDArray[Any]]
                for noted in (self._orders, self._signs, self._matrices, self._rotations):
                    if child.name in noted:
                        noted[child.name] = _with_copies_reordered(noted[child.name], child, family, order)

    def _measure(self, arrays: Iterable[int]) -> None:
        for array in arrays:
            self._values[array] = inner_product(self._problem.a[array], self.b[array])


def _with_copies_reordered(noted: NDArray[Any], child: Family, parent: Family, order: Index) -> NDArray[Any]:
    """What is noted for the copies of ``child``, along with the units of ``parent`` in their new order."""
    axis = child.parents.index(parent.name)
    shape = [1] * noted.ndim
    for own, extent in zip([*map(child.parents.index, parent.parents), axis], order.shape, strict=True):
        shape[own] = extent
    return np.take_along_axis(noted, order.reshape(shape), axis=axis)
