"""The result of matching many models at once, and its file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rebasin_fast import _arguments
from rebasin_fast._untrusted.schema import (
    WHOLE,
    ArrayOf,
    Count,
    Fields,
    Flag,
    ListOf,
    MapOf,
    Number,
    Optional,
    Schema,
    Text,
    nested,
)
from rebasin_fast.matching.result import moved_units
from rebasin_fast.matching.state_file import StateFile
from rebasin_fast.merging.averaging import average, averaged_where_shared
from rebasin_fast.permutation import (
    check_permutation,
    compose_permutations,
    invert_permutation,
    permuted_params,
)
from rebasin_fast.specs.spec import PermutationSpec

if TYPE_CHECKING:
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

    @_arguments.checked()
    def between(self, onto: int, moved: int) -> dict[str, Index]:
        """The permutation that moves model ``moved`` onto model ``onto``.

        It goes through the common order, so that permutations around any cycle of models compose to the identity.

        Parameters
        ----------
        onto, moved : int
            Numbers of two models.

        Returns
        -------
        dict[str, (n,) int64 array]
            For :func:`rebasin_fast.apply_permutation` on the parameters of model ``moved``.

        Examples
        --------
        >>> import numpy as np, rebasin_fast as rf
        >>> spec = rf.specs.mlp(["fc1", "fc2"], bias=False)
        >>> models = [{"fc1.weight": np.eye(3)[order], "fc2.weight": np.eye(3)[:, order]}
        ...           for order in ([0, 1, 2], [2, 0, 1])]
        >>> rf.merge_many(spec, models).between(1, 0)
        {'P0': array([2, 0, 1])}
        """
        back = invert_permutation(self.permutations[onto], self.spec)
        return compose_permutations(self.permutations[moved], back, self.spec)

    @_arguments.checked()
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
        write_many(path, self, overwrite=overwrite)

    @classmethod
    @_arguments.checked()
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

        Returns
        -------
        ManyMatching
            Its example is that of :meth:`save`.

        Raises
        ------
        FileFormatError
            It is no such file, or damaged.
        SpecError, PermutationError
            The models do not fit.
        ValueError
            There are more or fewer models than permutations.
        """
        if models is None and weights is not None:
            raise ValueError("weights are the shares of models in their average: pass models= too")
        found, _ = FILE.read(path, parsed)
        if models is None:
            return found
        if len(models) != len(found.permutations):
            raise ValueError(f"the file is of {len(found.permutations)} models; got {len(models)}")
        return replace(found, merged=average_of(found, models, weights, strict=not found.report))

    def to_dict(self) -> dict[str, Any]:
        """Everything but arrays, as JSON values."""
        return {
            "models": len(self.permutations),
            "objective": self.objective,
            "first_objective": self.first_objective,
            "history": list(self.history),
            "sweeps": self.sweeps,
            "converged": self.converged,
            "report": dict(self.report),
            "moved_units": [moved_units(permutation) for permutation in self.permutations],
        }

    def __repr__(self) -> str:
        return (
            f"ManyMatching({len(self.permutations)} models, objective {self.first_objective:.6g} -> "
            f"{self.objective:.6g}, {self.sweeps} sweeps, {'converged' if self.converged else 'not converged'})"
        )


def average_of(
    many: ManyMatching,
    models: Sequence[Params],
    weights: Sequence[float] | None,
    *,
    strict: bool,
    allow_nonfinite: bool = False,
) -> dict[str, Array]:
    """The average of the permuted models; without ``strict`` of parameters that only some of them have, too."""
    pairs = zip(many.permutations, models, strict=True)
    moved = [permuted_params(many.spec, permutation, model) for permutation, model in pairs]
    if strict:
        return average(moved, weights, allow_nonfinite=allow_nonfinite)
    return dict(averaged_where_shared(moved, weights, allow_nonfinite=allow_nonfinite))


_WORD = Count(most=2**128 - 1)
# The state of the generator that an integer seeds; None in the file of a result.
_GENERATOR = Fields(
    {
        "bit_generator": Text(("PCG64",)),
        "state": Fields({"state": _WORD, "inc": _WORD}),
        "has_uint32": Count(most=1),
        "uinteger": Count(most=2**32 - 1),
    }
)
FILE = StateFile(
    "rebasin_fast.many_matching",
    "file of ManyMatching.save",
    Schema(
        Fields(
            {
                "spec": Text(),
                "models": Count(least=2, most=100_000),
                "objective": Number(),
                "first_objective": Number(),
                "history": ListOf(Number()),
                "converged": Flag(),
                "report": MapOf(Text()),
                "rng": Optional(_GENERATOR),
            }
        ),
        MapOf(MapOf(ArrayOf(WHOLE))),
    ),
)


def write_many(
    path: str | os.PathLike[str],
    many: ManyMatching,
    *,
    key: str | None = None,
    rng: Mapping[str, Any] | None = None,
    overwrite: bool = True,
) -> None:
    """Write ``many`` without ``merged``; with ``key`` and the state ``rng`` of a generator a run can continue."""
    arrays = {
        f"{number}/{name}": index
        for number, permutation in enumerate(many.permutations)
        for name, index in permutation.items()
    }
    account = {
        "spec": many.spec.to_json(),
        "models": len(many.permutations),
        "report": dict(many.report),
        "rng": rng,
        **{name: getattr(many, name) for name in ("objective", "first_objective", "history", "converged")},
    }
    FILE.write(path, arrays, account, key=key, overwrite=overwrite)


def parsed(arrays: Mapping[str, Array], account: Mapping[str, Any]) -> tuple[ManyMatching, Any]:
    """The matching that :func:`write_many` wrote, and the state of the generator."""
    spec = PermutationSpec.from_json(account["spec"])
    of_model, count = nested(arrays), account["models"]
    if of_model and set(of_model) != {str(number) for number in range(count)}:
        raise ValueError(f"it holds permutations of {len(of_model)} models; models is {count}")
    permutations = [_checked(of_model.get(str(number), {}), spec) for number in range(count)]
    first = shapes_of(permutations[0])
    number = next((number for number, each in enumerate(permutations) if shapes_of(each) != first), None)
    if number is not None:
        raise ValueError(
            f"the permutations of model {number} have other names or shapes than those of model 0"
        )
    history = [float(value) for value in account["history"]]
    if history and history[-1] != account["objective"]:
        raise ValueError(f"objective is {account['objective']}, and its history ends with {history[-1]}")
    many = ManyMatching(
        permutations, {}, float(account["objective"]), float(account["first_objective"]), history, len(history),
        account["converged"], spec, dict(account["report"]),
    )  # fmt: skip
    return many, account["rng"]


def shapes_of(permutation: Mapping[str, Index]) -> dict[str, tuple[int, ...]]:
    """The shape of each index array."""
    return {name: index.shape for name, index in permutation.items()}


def _checked(found: Mapping[str, Array], spec: PermutationSpec) -> dict[str, Index]:
    sizes = {name: index.shape[-1] if index.shape else 0 for name, index in found.items()}
    return check_permutation(spec, {name: np.array(index) for name, index in found.items()}, sizes)
