"""The result of every matching method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _arguments
from rebasin_fast._arrays.index_arrays import as_index
from rebasin_fast._terminal.progress import Progress, ProgressCallback
from rebasin_fast.errors import PermutationError

__all__ = ["Matching", "MatchingStats", "Progress", "ProgressCallback"]


@dataclass(frozen=True, slots=True)
class MatchingStats:
    """Work that a matching did: counts, floating-point operations, seconds of wall time by stage.

    A visit is skipped when no neighbour of the permutation has moved since. ``product_columns`` counts the columns
    of unfolded arrays, or of differences of them, that were multiplied with all units of a permutation;
    ``packed_bytes`` those that were copied for it. ``packing_seconds`` are part of ``product_seconds``;
    ``model_seconds`` are those in the models themselves, for methods that run them. ``shakes`` counts the perturbations
    by which weight matching left a local optimum, ``shakes_kept`` those that led to a better one.
    """

    visits: int = 0
    skipped_visits: int = 0
    assignments: int = 0
    accepted_steps: int = 0
    product_flop: float = 0.0
    product_seconds: float = 0.0
    assignment_seconds: float = 0.0
    objective_seconds: float = 0.0
    product_columns: int = 0
    packed_bytes: float = 0.0
    planning_seconds: float = 0.0
    packing_seconds: float = 0.0
    model_seconds: float = 0.0
    shakes: int = 0
    shakes_kept: int = 0


def moved_units(permutation: Mapping[str, NDArray[np.int64]]) -> dict[str, int]:
    """For each permutation, how many slots are filled by another unit than their own."""
    return {name: int((index != np.arange(index.shape[-1])).sum()) for name, index in permutation.items()}


@dataclass(frozen=True)
class Matching:
    """The permutation that moves B's units onto A's, and how it was found.

    Attributes
    ----------
    permutation : dict[str, (n,) int64 array]
        Slot i of A is filled by unit ``permutation[p][i]`` of B; for :func:`rebasin_fast.apply_permutation`.
    objective : float
        The value that the method maximises, in float64. For weight matching vec(A) . vec(permuted B) over the
        floating-point parameters that some permutation moves, those in ``spec.unmatched`` excepted; other methods
        define their own.
    first_objective : float
        The same before the first step.
    history : list[float]
        The objective after each sweep.
    sweeps : int
        Number of sweeps, the last one without progress included.
    converged : bool
        Whether a whole sweep found nothing to improve; False when ``max_iter`` or ``order`` ended first.
    stats : MatchingStats
    report : dict[str, str]
        Parameters that were left in place, and why; empty when the spec covers both models.
    restarts : tuple[Matching, ...]
        The runs of ``restarts=k`` from which this one was chosen; empty for one run.
    visiting : str
        How weight matching visited permutations: "auto" (by plan), "random" or "order"; empty for methods that visit
        none.
    """

    permutation: dict[str, NDArray[np.int64]]
    objective: float
    first_objective: float
    history: list[float]
    sweeps: int
    converged: bool
    stats: MatchingStats
    report: Mapping[str, str] = field(default_factory=dict)
    restarts: tuple[Matching, ...] = field(default=(), repr=False)
    visiting: str = ""

    def moved_units(self) -> dict[str, int]:
        """For each permutation, how many slots are filled by another unit than their own."""
        return moved_units(self.permutation)

    @_arguments.checked()
    def agreement(self, other: Matching | Mapping[str, NDArray[np.int64]]) -> float:
        """The share of units, over all permutations, that ``other`` moves to the same slots.

        Parameters
        ----------
        other : Matching or Mapping[str, array of int64]
            Of the same names and shapes. Units of permutations within others are compared slot by slot.

        Returns
        -------
        float
            From 0 to 1; 1.0 for equal permutations.

        Raises
        ------
        PermutationError
            Names or shapes differ.

        Examples
        --------
        >>> import numpy as np, rebasin_fast as rf
        >>> model = {"fc1.weight": np.eye(4), "fc2.weight": np.eye(4)}
        >>> found = rf.weight_matching(rf.specs.mlp(["fc1", "fc2"], bias=False), model, model)
        >>> found.agreement({"P0": [0, 1, 3, 2]})
        0.5
        """
        theirs = other.permutation if isinstance(other, Matching) else other
        if set(theirs) != set(self.permutation):
            raise PermutationError(
                f"the permutations name {sorted(self.permutation)} and {sorted(theirs)}; names must agree"
            )
        same = units = 0
        for name, index in self.permutation.items():
            their_index = as_index(name, theirs[name])
            if their_index.shape != index.shape:
                raise PermutationError(
                    f"permutation {name!r} has shape {index.shape} here and {their_index.shape} there"
                )
            same += int((index == their_index).sum())
            units += index.size
        return same / units if units else 1.0

    def to_dict(self) -> dict[str, Any]:
        """Everything but the index arrays, as JSON values."""
        stats = {name: getattr(self.stats, name) for name in self.stats.__slots__}
        return {
            "objective": self.objective,
            "first_objective": self.first_objective,
            "history": list(self.history),
            "sweeps": self.sweeps,
            "converged": self.converged,
            "visiting": self.visiting,
            "stats": stats,
            "report": dict(self.report),
            "moved_units": self.moved_units(),
            "sizes": {p: int(index.shape[-1]) for p, index in self.permutation.items()},
        }

    def __repr__(self) -> str:
        units = sum(index.size for index in self.permutation.values())
        moved = sum(self.moved_units().values())
        return (
            f"{type(self).__name__}({len(self.permutation)} permutations, {moved} of {units} units "
            f"moved, objective {self.first_objective:.6g} -> {self.objective:.6g}, {self.sweeps} sweeps, "
            f"{'converged' if self.converged else 'not converged'})"
        )
