"""Whether two models have a common start: their units then stand in one order already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from rebasin_fast._arrays import library_of, of_one_library
from rebasin_fast._arrays.derived import described_by
from rebasin_fast.files.mapping.unchanged import refuses_changed_files
from rebasin_fast.matching.matched import matched_parameters
from rebasin_fast.permutation import permuted_params, random_permutation
from rebasin_fast.specs.axis import permutations_of
from rebasin_fast.specs.spec import PermutationSpec

if TYPE_CHECKING:
    from rebasin_fast.typing import Params, Permutation

# Standard deviations above random permutations that chance does not reach: a normal variable does in 1 of 1e23 pairs.
RELATED = 10.0
# Share of the matched product above which the identity counts as the expected permutation.
NEAR = 0.9
_DRAWS = 20
# Most entries that are compared: a large model needs no more for an estimate.
_MOST_ENTRIES = 1 << 22


@dataclass(frozen=True, slots=True)
class Kinship:
    """The order of two models' units before matching, compared with random orders and with the matched one.

    Attributes
    ----------
    deviations : float
        By how many standard deviations the product vec(A) . vec(B) exceeds its mean over random permutations of B.
        About 0 for models that started apart, of which the identity is one random permutation among others.
    kept : float
        That product as a share of the one that the matching reached.
    """

    deviations: float
    kept: float

    @property
    def common_start(self) -> bool:
        """Whether units stand in one order by more than chance: more than 10 standard deviations."""
        return self.deviations > RELATED

    @property
    def identity_expected(self) -> bool:
        """Whether they do, and the identity has more than 0.9 of the matched product."""
        return self.common_start and self.kept > NEAR

    def statement(self) -> str | None:
        """One line about models of a common start; None for others."""
        if not self.common_start:
            return None
        stands = (
            f"these seem to have a common ancestor (the identity stands {self.deviations:.0f} standard deviations "
            "above random permutations)"
        )
        if self.identity_expected:
            return f"{stands}: the identity is expected"
        return f"{stands}, but matching gains more than the identity: some units have been reordered or trained far"


@refuses_changed_files
def kinship(
    spec: PermutationSpec, params_a: Params, params_b: Params, permutation: Permutation, *, rng: int = 0
) -> Kinship | None:
    """Compare the order that units of A and B have with random orders, and with the one that a matching found.

    Parameters
    ----------
    spec : PermutationSpec
    params_a, params_b : Mapping[str, array]
        The models as they were before the matching. Not changed.
    permutation : Mapping[str, array of int64]
        Moves B onto A: ``Matching.permutation``.
    rng : int
        Seed of the random permutations.

    Returns
    -------
    Kinship or None
        None where nothing can be compared: no matched parameters of less than 2^22 entries, or products that no
        permutation changes.

    Raises
    ------
    SpecError, PermutationError
        The spec, the models and the permutation do not fit together.

    Notes
    -----
    An estimate from weights alone, and no proof of a common start: 20 random permutations of the matched
    parameters, of at most 2^22 entries together. O(20 times these entries).

    Examples
    --------
    >>> import numpy as np, rebasin_fast as rf
    >>> from rebasin_fast.matching.kinship import kinship
    >>> rng = np.random.default_rng(0)
    >>> spec = rf.specs.mlp(["fc1", "fc2"])
    >>> start = {"fc1.weight": rng.standard_normal((64, 16)), "fc1.bias": rng.standard_normal(64),
    ...          "fc2.weight": rng.standard_normal((8, 64)), "fc2.bias": rng.standard_normal(8)}
    >>> tuned = {name: array + 0.1 * rng.standard_normal(array.shape) for name, array in start.items()}
    >>> kinship(spec, start, tuned, rf.weight_matching(spec, start, tuned).permutation).identity_expected
    True
    """
    names = _compared(matched_parameters(spec, (params_a, params_b)), described_by(params_b))
    if not names:
        return None
    part = _part(spec, names, spec.sizes(described_by(params_b)))
    a, b = ({name: params[name] for name in names} for params in (params_a, params_b))
    sizes = part.sizes(b)
    found = {name: permutation[name] for name in sizes if name in permutation}
    generator = np.random.default_rng(rng)
    drawn = [
        _inner(a, permuted_params(part, random_permutation(part, sizes, generator), b)) for _ in range(_DRAWS)
    ]
    spread = float(np.std(drawn))
    identity, reached = _inner(a, b), _inner(a, permuted_params(part, found, b))
    # A difference by rounding alone is one of the order of summation.
    if not spread > 1e-12 * (abs(identity) + abs(reached)):
        return None
    return Kinship((identity - float(np.mean(drawn))) / spread, identity / reached if reached > 0.0 else 0.0)


def _part(spec: PermutationSpec, names: list[str], sizes: Mapping[str, int]) -> PermutationSpec:
    """The spec of some of its parameters."""
    axes = {name: spec.axes_to_perm[name] for name in names}
    standing = {p for entries in axes.values() for entry in entries for p in permutations_of(entry)}
    return PermutationSpec(axes, sizes={p: sizes[p] for p in spec.permutations if p in standing})


def _compared(names: list[str], params: Params) -> list[str]:
    """Whole parameters, small ones first, within the bound on entries."""
    kept: list[str] = []
    left = _MOST_ENTRIES
    for name in sorted(names, key=lambda name: prod(params[name].shape)):
        left -= prod(params[name].shape)
        if left < 0:
            break
        kept.append(name)
    return kept


def _inner(a: Params, b: Params) -> float:
    """vec(A) . vec(B) in float64."""
    total = 0.0
    for name in a:
        first, second = of_one_library([a[name], b[name]])
        total += library_of(first).dot(first, second)
    return total
