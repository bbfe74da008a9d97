"""What matching many models at once returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.permutation import compose_permutations, invert_permutation

if TYPE_CHECKING:
    from rebasin_fast.spec import PermutationSpec
    from rebasin_fast.typing import Array

Index = NDArray[np.int64]


@dataclass(frozen=True)
class ManyMatching:
    """Permutations that bring many models into one order of units, and their average there.

    Attributes
    ----------
    permutations : list[dict[str, (n,) int64 array]]
        One a model, into the order of model 0, whose own is the identity; for
        :func:`rebasin_fast.apply_permutation`.
    merged : dict[str, array]
        The average of the permuted models, in the order of units, dtypes and devices of model 0.
    objective : float
        The sum over pairs of models of vec(A) . vec(B), both permuted, over the matched parameters of the spec,
        float64. It rises exactly as the sum of squared L2 distances between the permuted models falls.
    first_objective : float
        The same for the models as they are.
    history : list[float]
        The objective after each sweep over the models.
    sweeps : int
    converged : bool
        Whether a whole sweep brought no model closer to the mean of the others.
    report : dict[str, str]
        Parameters that were left in place, and why.
    """

    permutations: list[dict[str, Index]]
    merged: dict[str, Array]
    objective: float
    first_objective: float
    history: list[float]
    sweeps: int
    converged: bool
    spec: PermutationSpec = field(repr=False)
    report: Mapping[str, str] = field(default_factory=dict)

    def between(self, onto: int, moved: int) -> dict[str, Index]:
        """The permutation that moves model ``moved`` onto model ``onto``.

        It goes through the common order, so that permutations around any cycle of models compose to the identity.
        """
        back = invert_permutation(self.permutations[onto], self.spec)
        return compose_permutations(self.permutations[moved], back, self.spec)

    def to_dict(self) -> dict[str, Any]:
        """Everything but arrays, as JSON values."""
        moved = [
            {name: int((index != np.arange(index.shape[-1])).sum()) for name, index in permutation.items()}
            for permutation in self.permutations
        ]
        return {
            "models": len(self.permutations),
            "objective": self.objective,
            "first_objective": self.first_objective,
            "history": list(self.history),
            "sweeps": self.sweeps,
            "converged": self.converged,
            "report": dict(self.report),
            "moved_units": moved,
        }

    def __repr__(self) -> str:
        return (
            f"ManyMatching({len(self.permutations)} models, objective {self.first_objective:.6g} -> "
            f"{self.objective:.6g}, {self.sweeps} sweeps, {'converged' if self.converged else 'not converged'})"
        )
