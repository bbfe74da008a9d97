"""The share of units that two permutations place alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _arguments
from rebasin_fast._arrays.index_arrays import as_index
from rebasin_fast._drawing import FAINT, STYLES, axes_of, label_axes
from rebasin_fast._untrusted.schema import REAL, ArrayOf, Count, Kind, MapOf, Number
from rebasin_fast.errors import PermutationError
from rebasin_fast.evaluation.result import Result
from rebasin_fast.matching.result import Matching
from rebasin_fast.typing import Index, Permutation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from rebasin_fast.specs.spec import PermutationSpec

Found: TypeAlias = Matching | Permutation


@dataclass(frozen=True)
class Agreement(Result):
    """The shares of units that two permutations place alike, from 0 to 1.

    Attributes
    ----------
    shares : dict[str, (s,) float64 array]
        For each permutation, the share in each of s pairs (seeds).
    total : (s,) float64 array
        The share among the units of all permutations together.
    chance : dict[str, float]
        The share to be expected of a permutation drawn at random: 1 / n for n units.
    units : dict[str, int]
        The number of units of each permutation; those of all copies for one that stands within others.
    """

    shares: dict[str, NDArray[np.float64]]
    total: NDArray[np.float64]
    chance: dict[str, float]
    units: dict[str, int]
    _title: ClassVar[str] = "agreement of permutations"
    _schema: ClassVar[Mapping[str, Kind]] = {
        "shares": MapOf(ArrayOf(REAL, ("pairs",), least=0, finite=True), "permutations"),
        "total": ArrayOf(REAL, ("pairs",), least=0, finite=True),
        "chance": MapOf(Number(0.0, 1.0), "permutations"),
        "units": MapOf(Count(), "permutations"),
    }

    @property
    def mean(self) -> dict[str, float]:
        """For each permutation, the mean over seeds."""
        return {name: float(shares.mean()) for name, shares in self.shares.items()}

    @property
    def deviation(self) -> dict[str, float]:
        """For each permutation, the standard deviation over seeds (of a sample); NaN for one seed."""
        return {name: _deviation(shares) for name, shares in self.shares.items()}

    @property
    def total_chance(self) -> float:
        """The share among all units to be expected by chance."""
        expected = sum(chance * self.units[name] for name, chance in self.chance.items())
        return expected / max(sum(self.units.values()), 1)

    @_arguments.checked()
    def plot(self, ax: Axes | None = None, *, label: str | None = None, style: int = 0) -> Axes:
        """Draw the mean share of each permutation, bars for the deviation, and a mark for chance; returns the axes.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
        label : str, optional
            The name of the pair in a legend.
        style : int
            Number of the colour and marker, for several pairs in one picture, side by side.

        Raises
        ------
        MissingDependencyError
            matplotlib is not installed.
        """
        axes, look = axes_of(ax, size=(6.8, 4.2)), STYLES[style % len(STYLES)]
        places, means = np.arange(len(self.shares)), np.array(list(self.mean.values()))
        errors = np.nan_to_num(list(self.deviation.values()))
        top = axes.get_ylim()[1] if axes.has_data() else 0.0
        axes.errorbar(
            places + 0.12 * style, means, yerr=errors, color=look.colour, marker=look.marker, markersize=6,
            markeredgecolor="white", linestyle="none", elinewidth=1.6, capsize=3, label=label,
        )  # fmt: skip
        axes.plot(places, list(self.chance.values()), color=FAINT, marker="_", markersize=9, linestyle="none")
        axes.set_xticks(places, list(self.shares), rotation=90 if len(places) > 6 else 0)
        axes.set_ylim(0.0, max(top, 1.08 * float((means + errors).max()), 1e-3))
        return label_axes(axes, x="permutation", y="share of units placed alike")

    def _columns(self) -> Mapping[str, Any]:
        return {
            "permutation": list(self.shares), "units": list(self.units.values()), "mean": list(self.mean.values()),
            "deviation": list(self.deviation.values()), "chance": list(self.chance.values()),
        }  # fmt: skip


@_arguments.checked()
def permutation_agreement(
    first: Found | Sequence[Found], second: Found | Sequence[Found], spec: PermutationSpec | None = None
) -> Agreement:
    """The share of units that two permutations place alike; of several pairs, one a seed, in turn.

    Parameters
    ----------
    first, second : Matching or Mapping[str, array of int64], or a sequence of them
        Of the same names and shapes. Two sequences have equal lengths: first[i] is compared with second[i].
    spec : PermutationSpec, optional
        For permutations that stand within others, index arrays (k, n): with it a unit is placed alike only if the
        unit around it is, too (the same dimension of another head is another unit). Without it, slots are compared
        as they are.

    Returns
    -------
    Agreement

    Raises
    ------
    PermutationError
        Names or shapes differ, an index array is no permutation, or the spec lacks one.
    ValueError
        Sequences of different lengths, or of none.

    Notes
    -----
    Used by Ito, Yamada and Kumagai (ICLR 2025) to compare weight matching, activation matching and the
    straight-through estimator. Time: O(units).

    Examples
    --------
    >>> from rebasin_fast.analysis import permutation_agreement
    >>> found = permutation_agreement({"P": [0, 1, 2, 3]}, {"P": [0, 1, 3, 2]})
    >>> found.mean, found.chance
    ({'P': 0.5}, {'P': 0.25})
    """
    firsts, seconds = _several(first), _several(second)
    if len(firsts) != len(seconds) or not firsts:
        raise ValueError(
            f"first and second are two permutations, or as many of the one as of the other; "
            f"got {len(firsts)} and {len(seconds)}"
        )
    _check_same_layout([*firsts, *seconds])
    alike = [_alike(one, other, spec) for one, other in zip(firsts, seconds, strict=True)]
    units = {name: index.size for name, index in firsts[0].items()}
    shares = {name: np.array([same[name].mean() for same in alike]) for name in units}
    total = np.array(
        [sum(int(s.sum()) for s in same.values()) / max(sum(units.values()), 1) for same in alike]
    )
    chance = {name: _chance(name, firsts[0], spec) for name in units}
    return Agreement(shares, total, chance, units)


def _several(found: Found | Sequence[Found]) -> list[dict[str, Index]]:
    several = [found] if isinstance(found, Matching | Mapping) else list(found)
    permutations = [one.permutation if isinstance(one, Matching) else one for one in several]
    return [{name: as_index(name, index) for name, index in one.items()} for one in permutations]


def _check_same_layout(permutations: Sequence[Mapping[str, Index]]) -> None:
    """PermutationError unless all have the names and shapes of the first."""
    expected = permutations[0]
    for other in permutations[1:]:
        if set(other) != set(expected):
            raise PermutationError(
                f"the permutations name {sorted(expected)} and {sorted(other)}; names must agree"
            )
        for name, index in expected.items():
            if other[name].shape != index.shape:
                raise PermutationError(
                    f"permutation {name!r} has shapes {index.shape} and {other[name].shape}; shapes must agree"
                )


def _alike(
    first: Mapping[str, Index], second: Mapping[str, Index], spec: PermutationSpec | None
) -> dict[str, NDArray[np.bool_]]:
    """For each slot of each permutation, whether both have the same unit there."""
    own = {name: index == second[name] for name, index in first.items()}
    if spec is None:
        return own
    alike = {}
    for name, same in own.items():
        parents = _parents(name, first, spec)
        for axis, parent in enumerate(parents):
            # The parent stands within some of the axes before its own.
            outer = [parents.index(other) for other in spec.parents[parent]]
            shape = [1] * same.ndim
            for place in (*outer, axis):
                shape[place] = same.shape[place]
            same = same & own[parent].reshape(shape)
        alike[name] = same
    return alike


def _chance(name: str, permutation: Mapping[str, Index], spec: PermutationSpec | None) -> float:
    """The expected share of a random permutation: its own units, and those around each of them."""
    parents = () if spec is None else _parents(name, permutation, spec)
    return float(1.0 / np.prod([permutation[each].shape[-1] for each in (*parents, name)], dtype=float))


def _parents(name: str, permutation: Mapping[str, Index], spec: PermutationSpec) -> tuple[str, ...]:
    if name not in spec.parents:
        raise PermutationError(f"permutation {name!r} is unknown to the spec, which has {spec.permutations}")
    parents = spec.parents[name]
    sizes = tuple(permutation[parent].shape[-1] for parent in parents if parent in permutation)
    if sizes != permutation[name].shape[:-1]:
        raise PermutationError(
            f"permutation {name!r} has shape {permutation[name].shape}; by the spec it stands within {list(parents)}, "
            f"which have {list(sizes)} units"
        )
    return parents


def _deviation(shares: NDArray[np.float64]) -> float:
    return float(shares.std(ddof=1)) if shares.size > 1 else float("nan")
