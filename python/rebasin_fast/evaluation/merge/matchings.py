"""The matchings that a merge compares, for two models and for more, and their form in files."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from rebasin_fast._untrusted.schema import Count, Fields, Flag, ListOf, MapOf, Number, Text
from rebasin_fast.matching import ManyMatching, Matching, MatchingStats, merge_many, weight_matching
from rebasin_fast.matching.activation.observed import Observed, observe
from rebasin_fast.merging.averaging import average
from rebasin_fast.merging.interpolation import interpolate
from rebasin_fast.permutation import check_permutation, identity_permutation, permuted_params

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Array, Index, Params

MatchingMethod: TypeAlias = Literal["identity", "weights", "activations", "both"]
AnyMatching: TypeAlias = "Matching | ManyMatching"

METHODS: tuple[MatchingMethod, ...] = ("identity", "weights", "activations", "both")
NEED_DATA: tuple[MatchingMethod, ...] = ("activations", "both")
# Of the similarity of "both", the share of the activations: docs/activation-matching.md.
_ACTIVATION_WEIGHT = 0.5
MATCHING = Fields(
    {
        "objective": Number(),
        "first_objective": Number(),
        "history": ListOf(Number()),
        "sweeps": Count(),
        "converged": Flag(),
        "report": MapOf(Text()),
    }
)


@dataclass
class Matcher:
    """Matches further models onto the first; activations are observed once for all methods."""

    spec: PermutationSpec
    models: Sequence[Params]
    strict: bool = True
    modules: Callable[[int], Any] | None = None
    inputs: Sequence[Any] = ()
    checkpoint: str | os.PathLike[str] | None = None
    _observed: list[Observed] = field(default_factory=list)

    def __call__(self, method: MatchingMethod, rng: Any = 0) -> AnyMatching:
        """The matching by one method."""
        if method == "weights":
            return self._by_weights(rng)
        if method == "identity":
            return self._at(None)
        if not self._observed:
            first = self.modules_of(0)
            for number in range(1, len(self.models)):
                second = self.modules_of(number)
                self._observed.append(observe(self.spec, first, second, self.inputs, strict=self.strict))
        share = 1.0 if method == "activations" else _ACTIVATION_WEIGHT
        found = [observed.matching(share) for observed in self._observed]
        return found[0] if len(found) == 1 else self._at([one.permutation for one in found])

    def modules_of(self, number: int) -> Any:
        """The torch model with the parameters of one of the models."""
        assert self.modules is not None
        return self.modules(number)

    def _by_weights(self, rng: Any) -> AnyMatching:
        options = {"rng": rng, "strict": self.strict, "checkpoint": self.checkpoint}
        if len(self.models) == 2:
            found: Matching = weight_matching(self.spec, *self.models, **options)
            return found
        return replace(merge_many(self.spec, self.models, **options), merged={})

    def _at(self, permutations: Sequence[Mapping[str, Index]] | None) -> AnyMatching:
        """The matching of given permutations, or of the identity, without a step."""
        sizes = self.spec.sizes(self.models[0])
        identity = identity_permutation(self.spec, sizes)
        if len(self.models) == 2:
            found = weight_matching(self.spec, *self.models, init=identity, max_iter=0, strict=self.strict)
            return replace(found, converged=True)
        start = [identity, *(permutations or [identity] * (len(self.models) - 1))]
        many = merge_many(self.spec, self.models, init=start, max_iter=0, strict=self.strict)
        return replace(many, merged={}, converged=True)


def aligned_models(spec: PermutationSpec, matching: AnyMatching, models: Sequence[Params]) -> list[Params]:
    """The models in the order of units of the first; each array is computed on access."""
    permutations = permutations_of(matching)
    return [
        model if permutation is None else permuted_params(spec, permutation, model)
        for permutation, model in zip(permutations, models, strict=True)
    ]


def blend(aligned: Sequence[Params], shares: Sequence[float]) -> dict[str, Array]:
    """The aligned models in their shares, which have the sum 1."""
    if len(aligned) == 2:
        return interpolate(aligned[0], aligned[1], shares[1])
    return average(aligned, shares)


def permutations_of(matching: AnyMatching) -> list[Mapping[str, Index] | None]:
    """One permutation a model; None for one that stays as it is."""
    return [*matching.permutations] if isinstance(matching, ManyMatching) else [None, matching.permutation]


def account_of(matching: AnyMatching) -> dict[str, Any]:
    """What a file holds beside the permutations, for MATCHING."""
    names = ("objective", "first_objective", "history", "sweeps", "converged")
    return {**{name: getattr(matching, name) for name in names}, "report": dict(matching.report)}


def arrays_of(matching: AnyMatching) -> dict[str, Index]:
    """The permutations by number of the model and name, for a file."""
    return {
        f"{number}/{name}": index
        for number, permutation in enumerate(permutations_of(matching))
        for name, index in (permutation or {}).items()
    }


def matching_from(
    spec: PermutationSpec, account: Mapping[str, Any], arrays: Mapping[str, Array], models: int
) -> AnyMatching:
    """The matching of :func:`account_of` and :func:`arrays_of`; ValueError where they do not fit the spec."""
    each: list[dict[str, Any]] = [{} for _ in range(models)]
    for place, index in arrays.items():
        number, _, name = place.partition("/")
        if not number.isdecimal() or int(number) >= models:
            raise ValueError(f"it holds a permutation of model {number}; there are {models} models")
        each[int(number)][name] = np.array(index)
    checked = [
        check_permutation(
            spec, one, {name: index.shape[-1] if index.shape else 0 for name, index in one.items()}
        )
        for one in each
    ]
    fields = dict(account)
    if models == 2:
        return Matching(permutation=checked[1], stats=MatchingStats(), **fields)
    return ManyMatching(permutations=checked, merged={}, spec=spec, **fields)
