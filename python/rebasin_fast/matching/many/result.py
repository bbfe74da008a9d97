"""What matching many models at once returns."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from rebasin_fast.matching.many.file import ManyState, read_state, write_state
from rebasin_fast.merging.averaging import average
from rebasin_fast.merging.partial_average import averaged_where_shared
from rebasin_fast.permutation import compose_permutations, invert_permutation, permuted_params

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Array, Index, Params


@dataclass(frozen=True)
class ManyMatching:
    """Permutations that bring many models into one order of units, and their average there.

    Attributes
    ----------
    permutations : list[dict[str, (n,) int64 array]]
        One a model, into the order of model 0, whose own is the identity; for
        :func:`rebasin_fast.apply_permutation`.
    merged : dict[str, array]
        The average of the permuted models, in the order of units, dtypes and devices of model 0. Empty in one that
        was loaded without its models.
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

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the permutations, their spec and the account to a file, whole or not at all.

        The models and ``merged`` are not in it; ``merged`` is a model like any other, for
        :func:`rebasin_fast.save_params`.

        Parameters
        ----------
        path : path
            Ends in .safetensors or .npz: plain integer arrays and JSON, no pickle.
        overwrite : bool
            Replace an existing file.

        Raises
        ------
        FileFormatError
            Another extension.
        OutputExistsError, UnwritableOutputError
            As in :func:`rebasin_fast.save_params`.

        Examples
        --------
        >>> import os, tempfile, numpy as np, rebasin_fast as rf
        >>> spec = rf.specs.mlp(["fc1", "fc2"], bias=False)
        >>> models = [{"fc1.weight": np.eye(3)[order], "fc2.weight": np.eye(3)[:, order]}
        ...           for order in ([0, 1, 2], [2, 0, 1])]
        >>> path = os.path.join(tempfile.mkdtemp(), "many.npz")
        >>> rf.merge_many(spec, models).save(path)
        >>> rf.ManyMatching.load(path, models).merged["fc1.weight"].tolist() == np.eye(3).tolist()
        True
        """
        state = ManyState(
            self.spec,
            self.permutations,
            self.objective,
            self.first_objective,
            self.history,
            self.converged,
            self.report,
        )
        write_state(path, state, overwrite=overwrite)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        models: Sequence[Params] | None = None,
        *,
        weights: Sequence[float] | None = None,
    ) -> ManyMatching:
        """Read what :meth:`save`, or ``merge_many(..., checkpoint=path)``, wrote.

        Parameters
        ----------
        path : path
        models : sequence of Mapping[str, array], optional
            The models, in the order in which they were matched; with them ``merged`` is computed anew.
        weights : sequence of float, optional
            Share of each model in ``merged``; equal by default.

        Raises
        ------
        FileFormatError
            It is no such file, or damaged.
        SpecError, PermutationError
            The models do not fit.
        ValueError
            There are more or fewer models than permutations.
        """
        state = read_state(path)
        merged: dict[str, Array] = {}
        if models is not None:
            pairs = zip(state.permutations, _as_many(models, state.permutations), strict=True)
            moved = [permuted_params(state.spec, index, model) for index, model in pairs]
            merged = dict(averaged_where_shared(moved, weights)) if state.report else average(moved, weights)
        return cls(
            state.permutations,
            merged,
            state.objective,
            state.first_objective,
            state.history,
            len(state.history),
            state.converged,
            state.spec,
            state.report,
        )

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


def _as_many(models: Sequence[Params], permutations: list[dict[str, Index]]) -> list[Params]:
    if len(models) != len(permutations):
        raise ValueError(f"the file is of {len(permutations)} models; got {len(models)}")
    return list(models)
