"""How far the singular vectors of two networks' weights agree (Ito, Yamada and Kumagai, 2025)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _arguments
from rebasin_fast._drawing import STYLES, axes_of, label_axes
from rebasin_fast._terminal.progress import listener
from rebasin_fast._untrusted.schema import REAL, WHOLE, ArrayOf, Kind, MapOf, Names, Number
from rebasin_fast.analysis.matrices import (
    Decomposition,
    as_matrix,
    decomposed,
    singular_values,
    weight_matrices,
)
from rebasin_fast.errors import SpecError
from rebasin_fast.evaluation.result import Result
from rebasin_fast.files.mapping.unchanged import refuses_changed_files
from rebasin_fast.matching.pair import check_pair
from rebasin_fast.permutation.apply import permuted_params

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Params, Permutation

# Singular values this close to the threshold, relatively, are at it: those of a permuted matrix differ by rounding.
_SLACK = 1e-9


@dataclass(frozen=True)
class SingularAlignment(Result):
    """R of two networks: per layer, and in all.

    Attributes
    ----------
    layers : list of str
        Names of the weights.
    ratios : (layers,) float64 array
        R of each layer, in [-1, 1]; NaN where a matrix is zero.
    ratio : float
        R in all: the sums of all layers over their numbers of singular vectors.
    counts_a, counts_b : (layers,) int64 arrays
        Singular vectors at or above the threshold.
    threshold : float
        Least ratio of a singular value to the largest of its layer.
    values_a, values_b, values_average : dict[str, (k,) float64 array]
        Singular values by layer, largest first, of A, of B, and of the average of A and (permuted) B. k is the lesser
        of rows and columns; those of A and B that are zero to rounding are left out.
    sums : dict[str, (k_a + k_b,) float64 array]
        Sum over pairs i, j of (u_i . u'_j)(v_i . v'_j) among the first 1, 2, ... singular vectors of both
        matrices, ordered by their values relative to the largest of their matrix. :meth:`at` reads it.
    """

    layers: list[str]
    ratios: NDArray[np.float64]
    ratio: float
    counts_a: NDArray[np.int64]
    counts_b: NDArray[np.int64]
    threshold: float
    values_a: dict[str, NDArray[np.float64]]
    values_b: dict[str, NDArray[np.float64]]
    values_average: dict[str, NDArray[np.float64]]
    sums: dict[str, NDArray[np.float64]]
    _title: ClassVar[str] = "singular alignment"
    _schema: ClassVar[Mapping[str, Kind]] = {
        "layers": Names("layers"),
        "ratios": ArrayOf(REAL, ("layers",)),
        "ratio": Number(-1.0, 1.0, nan=True),
        "counts_a": ArrayOf(WHOLE, ("layers",), least=0),
        "counts_b": ArrayOf(WHOLE, ("layers",), least=0),
        "threshold": Number(0.0, 1.0),
        "values_a": MapOf(ArrayOf(REAL, (None,)), "layers"),
        "values_b": MapOf(ArrayOf(REAL, (None,)), "layers"),
        "values_average": MapOf(ArrayOf(REAL, (None,)), "layers"),
        "sums": MapOf(ArrayOf(REAL, (None,)), "layers"),
    }

    @classmethod
    def _restored(cls, values: dict[str, Any]) -> dict[str, Any]:
        for number, layer in enumerate(values["layers"]):
            sizes = [len(values[name][layer]) for name in ("values_a", "values_b")]
            counts = [values[name][number] for name in ("counts_a", "counts_b")]
            if len(values["sums"][layer]) != sum(sizes) or counts[0] > sizes[0] or counts[1] > sizes[1]:
                raise ValueError(f"{layer} has {sizes} singular values, which its counts or sums do not fit")
        return values

    @_arguments.checked()
    def at(self, threshold: float) -> SingularAlignment:
        """The same networks at another threshold, without another decomposition.

        Raises
        ------
        ValueError
            ``threshold`` is not in [0, 1].

        Notes
        -----
        O(log k) a layer.

        Examples
        --------
        >>> import numpy as np, rebasin_fast as rf
        >>> from rebasin_fast.analysis import singular_alignment
        >>> spec = rf.PermutationSpec({"w": ("P", None)})
        >>> found = singular_alignment(spec, {"w": np.diag([3.0, 1.0])}, {"w": np.diag([3.0, -1.0])})
        >>> found.at(0.0).ratio, found.at(0.5).ratio
        (0.0, 1.0)
        """
        _check_threshold(threshold)
        counts_a, counts_b = (
            np.array([_count(values[layer], threshold) for layer in self.layers], dtype=np.int64)
            for values in (self.values_a, self.values_b)
        )
        sums = np.array(
            [
                self.sums[layer][n_a + n_b - 1] if n_a and n_b else 0.0
                for layer, n_a, n_b in zip(self.layers, counts_a, counts_b, strict=True)
            ]
        )
        pairs = np.minimum(counts_a, counts_b)
        ratios = np.divide(sums, pairs, out=np.full(len(sums), np.nan), where=pairs > 0)
        ratio = float(sums.sum() / pairs.sum()) if pairs.any() else float("nan")
        return replace(
            self, ratios=ratios, ratio=ratio, counts_a=counts_a, counts_b=counts_b, threshold=float(threshold)
        )

    @_arguments.checked()
    def plot(
        self,
        ax: Axes | None = None,
        *,
        show: Literal["ratios", "values"] = "ratios",
        layer: str | None = None,
        label: str | None = None,
        style: int = 0,
    ) -> Axes:
        """Draw R of every layer, or the singular values of one; returns the axes.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; by default the axes of a new figure.
        show : {"ratios", "values"}
            R against the layers, or the singular values of A, B and the average in falling order.
        layer : str, optional
            The layer whose values are drawn; the first by default.
        label : str, optional
            Name of the line of ratios in a legend.
        style : int
            Number of the ratios' colour and marker.

        Raises
        ------
        MissingDependencyError
            matplotlib is not installed.
        KeyError
            There is no such layer.

        Examples
        --------
        >>> import numpy as np, rebasin_fast as rf
        >>> from rebasin_fast.analysis import singular_alignment
        >>> w = {"w": np.eye(3)}
        >>> found = singular_alignment(rf.PermutationSpec({"w": ("P", None)}), w, w)
        >>> found.plot().get_ylabel(), found.plot(show="values").get_ylabel()
        ('R', 'singular value')
        """
        if show not in ("ratios", "values"):
            raise ValueError(f"show is 'ratios' or 'values'; got {show!r}")
        axes = axes_of(ax)
        if show == "values":
            return self._plot_values(axes, self.layers[0] if layer is None else layer)
        colour, _, marker = STYLES[style % len(STYLES)]
        axes.plot(
            range(len(self.layers)), self.ratios, color=colour, marker=marker, label=label, linewidth=1.6
        )
        axes.axhline(0.0, color="#777777", linewidth=0.8)
        step = max(1, len(self.layers) // 12)
        axes.set_xticks(range(0, len(self.layers), step), labels=self.layers[::step], rotation=45, ha="right")
        return label_axes(axes, y="R")

    def _plot_values(self, axes: Axes, layer: str) -> Axes:
        if layer not in self.values_a:
            raise KeyError(f"there is no layer {layer!r}; there are {self.layers}")
        for number, (name, values) in enumerate(
            {"A": self.values_a, "B": self.values_b, "average": self.values_average}.items()
        ):
            colour, dashes, _ = STYLES[number]
            axes.plot(values[layer], color=colour, linestyle=dashes, linewidth=2.0, label=name)
        axes.legend(frameon=False)
        return label_axes(axes, title=layer, x="index", y="singular value")

    def _columns(self) -> Mapping[str, Any]:
        return {
            "layer": self.layers,
            "ratio": self.ratios,
            "count_a": self.counts_a,
            "count_b": self.counts_b,
        }


@_arguments.checked()
@refuses_changed_files
def singular_alignment(
    spec: PermutationSpec,
    params_a: Params,
    params_b: Params,
    permutation: Permutation | None = None,
    *,
    threshold: float = 0.3,
    progress: Callable[[int, int], object] | bool | None = None,
) -> SingularAlignment:
    """Measure how far the singular vectors of two networks' weights point the same way.

    For a layer with singular value decompositions W = Σ s_i u_i v_iᵀ of A and W' = Σ s'_j u'_j v'_jᵀ of B,

        R = Σ_ij (u_i · u'_j)(v_i · v'_j) / n,

    over singular vectors whose value is at least ``threshold`` times the layer's largest. In all, sums of all
    layers over all n.

    Parameters
    ----------
    spec : PermutationSpec
        Its parameters of two or more axes are the layers, each of tied ones once; biases, norms and
        ``spec.unmatched`` have no singular vectors.
    params_a, params_b : Mapping[str, array]
        NumPy, torch, JAX or CuPy arrays. Not changed.
    permutation : Mapping[str, array of int64], optional
        Applied to B first, as by :func:`rebasin_fast.apply_permutation`.
    threshold : float
        In [0, 1]; the paper reports 0, all singular vectors, and 0.3.
    progress : callable or bool, optional
        True shows a bar on standard error, plain lines in a log; a callable is called with (layers done, layers in
        all) after each layer.

    Returns
    -------
    SingularAlignment

    Raises
    ------
    ValueError
        ``threshold`` is not in [0, 1].
    SpecError
        The spec does not fit, or names no weight of two axes that both models have.
    ParamsError
        The models differ in shapes, or a weight is not finite.
    PermutationError
        ``permutation`` is none of the spec.

    Notes
    -----
    n is the lesser of the two numbers of singular vectors at or above the threshold. The sum is the inner product of
    the two partial isometries Σ u_i v_iᵀ and Σ u'_j v'_jᵀ, so that it is at most n (von Neumann's trace
    inequality), and R = 1 means that one isometry is a part of the other: for equal numbers, the two agree. It
    is independent of the signs of singular vectors and of the basis chosen for equal singular values. Singular values
    that are zero to rounding (below 2⁻⁵² of the largest, times the longer side) do not count.

    A permutation changes singular vectors and leaves singular values. Weight matching maximises the same sum
    weighted by s_i s'_j, so that pairs of large singular values decide it.

    A convolution is the matrix of outputs × (inputs · height · width of the kernel): the permutations act on its rows
    and on blocks of its columns, and it is the map from patches of the input to outputs, to which
    :func:`input_alignment` refers. The kernels of Flax and Keras, outputs last, are read as the same matrix. A matrix
    and its transpose have the same R.

    O(m n min(m, n)) for the decompositions of an (m, n) layer in float64, three a layer (A, B, and the values of the
    average), and O((m + n) k k') for the inner products; memory of one layer at a time.

    Ito, Yamada & Kumagai, *Analysis of Linear Mode Connectivity via Permutation-Based Weight Matching*, ICLR 2025
    (arXiv 2402.04051), R(θ_a, θ_b) of figure 2.

    Examples
    --------
    >>> import numpy as np, rebasin_fast as rf
    >>> from rebasin_fast.analysis import singular_alignment
    >>> rng = np.random.default_rng(0)
    >>> spec = rf.specs.mlp(["0", "2"], bias=False)
    >>> a = {"0.weight": rng.standard_normal((20, 9)), "2.weight": rng.standard_normal((4, 20))}
    >>> order = {"P0": rng.permutation(20)}
    >>> b = rf.apply_permutation(spec, order, a)
    >>> found = rf.weight_matching(spec, a, b).permutation
    >>> round(singular_alignment(spec, a, b, found).ratio, 12)
    1.0
    >>> singular_alignment(spec, a, b).ratio < 0.5
    True
    """
    _check_threshold(threshold)
    check_pair(spec, params_a, params_b, strict=False)
    moved = params_b if permutation is None else permuted_params(spec, permutation, params_b)
    layers = [name for name in weight_matrices(spec, params_a) if name in params_b]
    if not layers:
        raise SpecError(
            "the spec names no floating-point weight of two or more axes that both models have, so there are no "
            "singular vectors; does it name the parameters as the models do?"
        )
    found: dict[str, tuple[NDArray[np.float64], ...]] = {}
    with listener(progress, "layers") as notify:
        for layer in layers:
            found[layer] = _compared(
                as_matrix(layer, params_a[layer], "A"), as_matrix(layer, moved[layer], "B")
            )
            if notify is not None:
                notify(len(found), len(layers))
    values_a, values_b, average, sums = (
        {layer: one[part] for layer, one in found.items()} for part in range(4)
    )
    none, zero = np.zeros(len(layers)), np.zeros(len(layers), dtype=np.int64)
    return SingularAlignment(layers, none, 0.0, zero, zero, threshold, values_a, values_b, average, sums).at(
        threshold
    )


def _compared(a: NDArray[Any], b: NDArray[Any]) -> tuple[NDArray[np.float64], ...]:
    """Singular values of A, of B and of their average, and the sums of :class:`SingularAlignment`."""
    of_a, of_b = decomposed(a), decomposed(b)
    return of_a.values, of_b.values, singular_values((a + b) / 2), _sums(of_a, of_b)


def _sums(a: Decomposition, b: Decomposition) -> NDArray[np.float64]:
    """The sum over all pairs among the first 1, 2, … singular vectors of both, by their relative values."""
    products = (a.left.conj().T @ b.left) * (a.right @ b.right.conj().T).conj()
    corners = np.zeros((len(a.values) + 1, len(b.values) + 1))
    np.cumsum(np.cumsum(products.real, axis=0), axis=1, out=corners[1:, 1:])
    relative = np.concatenate([_relative(a.values), _relative(b.values)])
    of_a = np.argsort(-relative, kind="stable") < len(a.values)
    result: NDArray[np.float64] = corners[np.cumsum(of_a), np.cumsum(~of_a)]
    return result


def _count(values: NDArray[np.float64], threshold: float) -> int:
    return int(np.count_nonzero(_relative(values) >= threshold * (1 - _SLACK)))


def _relative(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values / values[0] if values.size else values


def _check_threshold(threshold: float) -> None:
    if not 0.0 <= threshold <= 1.0:
        raise ValueError(f"threshold is a share of the largest singular value, in [0, 1]; got {threshold!r}")
