"""Best moves of one permutation's units, with all others held: assignments, signs, polar factors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.assignment import solve_assignment
from rebasin_fast.matching.symmetric.polar import centred_polar_factor, polar_factor
from rebasin_fast.matching.symmetric.rotations import Numbers, directions

if TYPE_CHECKING:
    from rebasin_fast.matching.symmetric.problem import Family, SymmetricProblem
    from rebasin_fast.matching.symmetric.similarity import Similarities
    from rebasin_fast.typing import Floats, Index


@dataclass(frozen=True, eq=False)
class Move:
    """A move of units from where B stands: reordered, then multiplied by signs, then mixed.

    Attributes
    ----------
    gain : float
        By how much it raises the objective, to first order where the permutation stands on two axes of an array.
    order : (copies, n) int64 array or None
    signs : (copies, n) float64 array or None
    matrices : dict[str, (copies, m, m) float64 array]
        Of the permutation itself, or of those within its units, by name; for units in their new slots.
    rotations : (copies, n, rotations) complex128 array or None
        Of length 1, for units in their new slots.
    """

    gain: float
    order: Index | None = None
    signs: Floats | None = None
    matrices: dict[str, Floats] = field(default_factory=dict)
    rotations: Numbers | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it moves nothing."""
        return self.order is None and self.signs is None and self.rotations is None and not self.matrices


def best_move(problem: SymmetricProblem, family: Family, similarities: Similarities) -> Move:
    """The move of the highest similarity."""
    if family.mixes:
        return _mixing(family, similarities)
    compared = similarities.of_places(family, family.compared)
    if family.isometry == "signs":
        return _signed(similarities.of_places(family, family.acted), compared)
    if family.inner or family.turned:
        pairs = {name: similarities.of_pairs(family, problem.families[name]) for name in family.inner}
        turned = similarities.of_rotations(family) if family.turned else None
        return _nested(problem, pairs, turned, compared)
    order = _assigned(compared)
    return Move(float(_chosen(compared, order).sum() - _trace(compared)), order)


def _mixing(family: Family, similarities: Similarities) -> Move:
    found = similarities.of_places(family, family.acted)
    matrices = _factor_for(family)(found)
    gain = float(np.vdot(found, matrices) - _trace(found))
    return Move(gain, matrices={family.name: matrices})


def _signed(acted: Floats, compared: Floats) -> Move:
    """Assignment on |S1| + S0; a unit without similarity under signs keeps its own."""
    scores = np.abs(acted) + compared
    order = _assigned(scores)
    signs = np.where(_chosen(acted, order) < 0.0, -1.0, 1.0)
    gain = float(_chosen(scores, order).sum() - _trace(acted) - _trace(compared))
    return Move(gain, order, signs)


def _nested(
    problem: SymmetricProblem, pairs: dict[str, Floats], turned: Numbers | None, compared: Floats
) -> Move:
    """Pairs of units by the nuclear norms of the similarities within, then the polar factors of those chosen.

    Of a rotated pair the nuclear norm among rotations is the length of its complex similarity.
    """
    scores = compared + sum(np.linalg.svd(inner, compute_uv=False).sum(axis=-1) for inner in pairs.values())
    if turned is not None:
        scores = scores + np.abs(turned).sum(axis=-1)
    order = _assigned(scores)
    gain = _chosen(compared, order).sum() - _trace(compared)
    matrices = {}
    for name, inner in pairs.items():
        chosen = _chosen(inner, order)
        factors = _factor_for(problem.families[name])(chosen)
        gain += np.vdot(chosen, factors) - np.trace(_diagonal(inner), axis1=-2, axis2=-1).sum()
        matrices[name] = factors.reshape(-1, *factors.shape[-2:])
    rotations = None
    if turned is not None:
        chosen_pairs = _chosen(turned, order)
        rotations = directions(chosen_pairs)
        gain += np.abs(chosen_pairs).sum() - _diagonal(turned).real.sum()
    return Move(float(gain), order, matrices=matrices, rotations=rotations)


def _factor_for(family: Family) -> Callable[[Floats], Floats]:
    return centred_polar_factor if family.isometry == "centred" else polar_factor


def _assigned(scores: Floats) -> Index:
    """The best order of each copy."""
    return np.stack([solve_assignment(copy, maximize=True).columns for copy in scores])


def _chosen(scores: NDArray[Any], order: Index) -> NDArray[Any]:
    """``scores[g, i, order[g, i]]``."""
    copies, units = order.shape
    return scores[np.arange(copies)[:, None], np.arange(units), order]


def _diagonal(pairs: NDArray[Any]) -> NDArray[Any]:
    return _chosen(pairs, np.tile(np.arange(pairs.shape[1]), (len(pairs), 1)))


def _trace(scores: Floats) -> float:
    return float(np.trace(scores, axis1=-2, axis2=-1).sum())
