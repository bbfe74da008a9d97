"""All permutations of many models at once, relaxed to doubly stochastic matrices: Frank-Wolfe in a common order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._arrays import library_of
from rebasin_fast.matching.relaxed.ascent import Soft, ascend
from rebasin_fast.matching.relaxed.linear_minimizer import LinearMinimizer
from rebasin_fast.matching.relaxed.problem import RelaxedParameters
from rebasin_fast.matching.soft_axes import Chain, SoftLayout
from rebasin_fast.permutation import identity_permutation
from rebasin_fast.specs.axis import chains_of, merge_joined

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Index, Params

# A model's number, and the chain of its permutation.
Place: TypeAlias = tuple[int, Chain]

_MOST_STEPS = 30
# The ascent ends when a step adds less than this share of the relaxed objective, or of its rise so far.
_SMALLEST_GAIN = 1e-4


def relaxed_permutations(
    spec: PermutationSpec, models: Sequence[Params], matched: Sequence[str], sizes: Mapping[str, int]
) -> list[dict[str, Index]]:
    """Permutations of all models into the order of model 0, by Frank-Wolfe and rounding.

    Maximises the sum over pairs of inner products of the models, each moved by doubly stochastic matrices, from the
    matrices whose entries are all equal; model 0 stays where it is. Steps are exact: along a step the objective is
    a polynomial of known degree. Permutations that stand within others, or hold others, keep the identity.
    """
    problem = RelaxedModels(spec, models, matched, sizes)
    minimizers = [LinearMinimizer(spec, problem.chains, sizes) for _ in models[1:]]

    def best(tables: Soft[Place]) -> dict[Place, Index]:
        return {
            (number, (name,)): index
            for number, minimizer in enumerate(minimizers, 1)
            for name, index in minimizer.best(problem.of_model(tables, number)).items()
        }

    relaxed = problem.start()
    ascent = ascend(problem, relaxed, best, _MOST_STEPS, lambda value: 0.0)
    _, start = next(ascent)
    objective = start
    for _, risen in ascent:
        # The value of the start, the average of all permutations, is the same for every permutation.
        if risen - objective <= _SMALLEST_GAIN * min(abs(risen), abs(risen - start)):
            break
        objective = risen
    found = [identity_permutation(spec, sizes) for _ in models]
    for (number, (name,)), index in best(relaxed).items():
        found[number][name] = index
    return found


class RelaxedModels(RelaxedParameters):
    """The sum over pairs of models of vec(A) . vec(B), each moved by matrices of its own but the first."""

    def __init__(
        self,
        spec: PermutationSpec,
        models: Sequence[Params],
        matched: Sequence[str],
        sizes: Mapping[str, int],
    ) -> None:
        kinds = {library_of(model[name]).dtype_name(model[name]) for model in models for name in matched}
        held = set(sizes) - _free_permutations(spec, matched, sizes)
        dtype = np.float64 if "float64" in kinds else np.float32
        super().__init__(spec, models, matched, sizes, dtype, held)
        self._moving = range(1, len(models))

    @property
    def degree(self) -> int:
        """Twice that of a model: the objective has products of two models."""
        return 2 * super().degree

    def start(self) -> Soft[Place]:
        """The average of all permutations, for every model but the first."""
        return {
            (number, chain): matrix for number in self._moving for chain, matrix in self.barycentre().items()
        }

    def of_model(self, moves: Mapping[Place, NDArray[Any]], number: int) -> dict[Chain, NDArray[Any]]:
        """The entries of one model."""
        return {chain: move for (model, chain), move in moves.items() if model == number}

    def value(self, moves: Mapping[Place, NDArray[Any]]) -> float:
        """Half of |sum of the moved models|^2 less their squares, in float64."""
        total = 0.0
        for _, moved in self._moved(moves):
            whole = sum(moved[1:], start=moved[0].astype(np.float64))
            total += float(np.vdot(whole, whole))
            total -= sum(float(np.vdot(wide := one.astype(np.float64), wide)) for one in moved)
        return total / 2

    def gradient(self, soft: Mapping[Place, NDArray[Any]]) -> Soft[Place]:
        """The similarity of every model's units to those of all others together."""
        total = {place: np.zeros_like(matrix) for place, matrix in soft.items()}
        for (layout, arrays), moved in self._moved(soft):
            whole = sum(moved[1:], start=moved[0])
            for number in self._moving:
                moves, own = self.of_model(soft, number), self.of_model(total, number)
                for axis in layout.axes:
                    array = self.moved(arrays[number], layout, moves, but=axis)
                    self.add_similarity(own, axis, whole - moved[number], array, moves)
        return total

    def _moved(
        self, moves: Mapping[Place, NDArray[Any]]
    ) -> Iterator[tuple[tuple[SoftLayout, list[NDArray[Any]]], list[NDArray[Any]]]]:
        """Every tensor, and the arrays of all models moved."""
        of_models = [self.of_model(moves, number) for number in self._moving]
        for layout, arrays in self.tensors:
            pairs = zip(arrays[1:], of_models, strict=True)
            yield (layout, arrays), [arrays[0], *(self.moved(array, layout, own) for array, own in pairs)]


def _free_permutations(
    spec: PermutationSpec, matched: Sequence[str], sizes: Mapping[str, int]
) -> frozenset[str]:
    """Those that never stand in one chain with another."""
    chains = [
        chain
        for entries in spec.axes_to_perm.values()
        for entry, _ in merge_joined(entries)
        for chain in chains_of(entry)
    ]
    nested = {name for chain in chains if len(chain) > 1 for name in chain}
    seen = {
        name
        for parameter in matched
        for name, places in spec.perm_to_axes.items()
        if parameter in dict(places)
    }
    return frozenset(name for name in sizes if name not in nested and name in seen)
