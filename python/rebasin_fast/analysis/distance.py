"""By how much a permutation brings two networks closer (Ito, Yamada and Kumagai, 2025)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _arguments
from rebasin_fast._arrays import find_ties
from rebasin_fast._arrays.derived import described_by
from rebasin_fast._drawing import STYLES, axes_of, label_axes
from rebasin_fast._untrusted.schema import REAL, ArrayOf, Kind, Names, Number
from rebasin_fast.evaluation.result import Result
from rebasin_fast.files.mapping.unchanged import refuses_changed_files
from rebasin_fast.matching.pair import check_pair
from rebasin_fast.merging.distance import l2_distance
from rebasin_fast.merging.same_names import check_same_names, is_interpolated
from rebasin_fast.permutation.apply import permuted_params

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Params, Permutation


@dataclass(frozen=True)
class DistanceReduction(Result):
    """L2 distances between two networks before and after a permutation.

    Attributes
    ----------
    layers : list of str
        Names of the layers: those of their parameters without the last part.
    before, after : (layers,) float64 arrays
        ‖a − b‖ and ‖a − π(b)‖ over the parameters of each layer.
    total_before, total_after : float
        The same over all parameters.
    """

    layers: list[str]
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    total_before: float
    total_after: float
    _title: ClassVar[str] = "distance reduction"
    _schema: ClassVar[Mapping[str, Kind]] = {
        "layers": Names("layers"),
        "before": ArrayOf(REAL, ("layers",)),
        "after": ArrayOf(REAL, ("layers",)),
        "total_before": Number(least=0.0, infinite=True, nan=True),
        "total_after": Number(least=0.0, infinite=True, nan=True),
    }

    @property
    def reduction(self) -> float:
        """(‖a − b‖ − ‖a − π(b)‖) / ‖a − b‖; NaN for equal networks."""
        return float(_reductions(np.array([self.total_before]), np.array([self.total_after]))[0])

    @property
    def reductions(self) -> NDArray[np.float64]:
        """The same of each layer."""
        return _reductions(self.before, self.after)

    @_arguments.checked()
    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the distances of every layer before and after; returns the axes.

        Raises
        ------
        MissingDependencyError
            matplotlib is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> from rebasin_fast.analysis import DistanceReduction
        >>> DistanceReduction(["0"], np.array([2.0]), np.array([1.0]), 2.0, 1.0).plot().get_ylabel()
        'L2 distance'
        """
        axes = axes_of(ax)
        places = np.arange(len(self.layers))
        for number, (name, distances) in enumerate({"before": self.before, "after": self.after}.items()):
            axes.bar(places + 0.4 * number - 0.2, distances, 0.36, color=STYLES[number].colour, label=name)
        axes.legend(frameon=False)
        step = max(1, len(self.layers) // 12)
        axes.set_xticks(places[::step], labels=self.layers[::step], rotation=45, ha="right")
        return label_axes(axes, y="L2 distance")

    def _columns(self) -> Mapping[str, Any]:
        return {
            "layer": self.layers,
            "before": self.before,
            "after": self.after,
            "reduction": self.reductions,
        }


@_arguments.checked()
@refuses_changed_files
def distance_reduction(
    spec: PermutationSpec, params_a: Params, params_b: Params, permutation: Permutation
) -> DistanceReduction:
    """Measure the L2 distance from A to B, and to permuted B, per layer and in all.

    Parameters
    ----------
    spec : PermutationSpec
    params_a, params_b : Mapping[str, array]
        Equal names and shapes; NumPy, torch, JAX or CuPy arrays. Not changed.
    permutation : Mapping[str, array of int64]
        Applied to B, as by :func:`rebasin_fast.apply_permutation`.

    Returns
    -------
    DistanceReduction

    Raises
    ------
    ParamsError
        Names or shapes differ.
    SpecError, PermutationError
        The spec does not fit the models, or ``permutation`` is none of the spec.

    Notes
    -----
    All floating-point parameters count, those that nothing moves (the last bias) included; ``spec.unmatched``, the
    running statistics of BatchNorm, are no weights and do not. Tied parameters count once. Accumulated in float64.
    O(size of the parameters), memory of one permuted array at a time.

    Ito, Yamada & Kumagai, *Analysis of Linear Mode Connectivity via Permutation-Based Weight Matching*, ICLR 2025
    (arXiv 2402.04051), table 1.

    Examples
    --------
    >>> import numpy as np, rebasin_fast as rf
    >>> from rebasin_fast.analysis import distance_reduction
    >>> spec = rf.PermutationSpec({"fc.weight": ("P", None)})
    >>> a, b = {"fc.weight": np.array([[3.0], [0.0]])}, {"fc.weight": np.array([[0.0], [3.0]])}
    >>> distance_reduction(spec, a, b, {"P": [1, 0]}).reduction
    1.0
    """
    check_pair(spec, params_a, params_b, strict=False)
    check_same_names(params_a, params_b)
    moved = permuted_params(spec, permutation, params_b)
    layers = _layers(spec, params_a)
    before, after = (
        np.array([_distance(params_a, other, names) for names in layers.values()])
        for other in (params_b, moved)
    )
    return DistanceReduction(
        list(layers), before, after, float(np.linalg.norm(before)), float(np.linalg.norm(after))
    )


def _layers(spec: PermutationSpec, params: Params) -> dict[str, list[str]]:
    """Layer -> its floating-point parameters, without statistics and second names of tied ones."""
    described = described_by(params)
    weights = {
        name: array
        for name, array in described.items()
        if name not in spec.unmatched and is_interpolated(array)
    }
    ties = find_ties(weights)
    layers: dict[str, list[str]] = {}
    for name in weights:
        if name not in ties:
            layers.setdefault("".join(re.split(r"([./])", name)[:-2]) or name, []).append(name)
    return layers


def _distance(params_a: Params, params_b: Params, names: list[str]) -> float:
    return float(
        np.linalg.norm([l2_distance({name: params_a[name]}, {name: params_b[name]}) for name in names])
    )


def _reductions(before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
    reductions = np.full(len(before), np.nan)
    np.divide(before - after, before, out=reductions, where=before > 0)
    return reductions
