"""Losses over all convex combinations of three or more models: strong linear connectivity."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _arguments
from rebasin_fast._terminal.progress import listener
from rebasin_fast._untrusted.schema import REAL, ArrayOf, Kind, MapOf
from rebasin_fast.analysis.simplex_drawing import draw_barriers, draw_triangle
from rebasin_fast.evaluation.curve import LossCurve
from rebasin_fast.evaluation.metrics import is_high
from rebasin_fast.evaluation.result import Result
from rebasin_fast.files.mapping.unchanged import refuses_changed_files
from rebasin_fast.merging.averaging import average
from rebasin_fast.merging.same_names import check_same_names
from rebasin_fast.typing import Array, Params

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_POINTS = 5000


@dataclass(frozen=True)
class LossSimplex(Result):
    """Metrics at convex combinations of n models.

    Attributes
    ----------
    weights : (k, n) float64 array
        One row a point: the shares of the models, which add up to 1. The models themselves are among the points.
    values : dict[str, (k,) float64 array]
        One array a metric; a plain number from ``evaluate`` is called ``loss``.
    """

    weights: NDArray[np.float64]
    values: dict[str, NDArray[np.float64]]
    _title: ClassVar[str] = "loss simplex"
    _schema: ClassVar[Mapping[str, Kind]] = {
        "weights": ArrayOf(REAL, ("points", "models"), least=0, finite=True),
        "values": MapOf(ArrayOf(REAL, ("points",))),
    }

    @_arguments.checked()
    def excess(self, metric: str = "loss", *, higher_is_better: bool | None = None) -> NDArray[np.float64]:
        """The loss at each point above the mean of the models' own losses, weighted as the point is.

        Parameters
        ----------
        metric : str
        higher_is_better : bool, optional
            As in :meth:`rebasin_fast.LossCurve.barrier`: such a metric is negated.

        Returns
        -------
        (k,) float64 array
            0 at the models; on the line between two the excess over which the ``"linear"`` barrier is the maximum.

        Raises
        ------
        KeyError
            There is no such metric.
        """
        if metric not in self.values:
            raise KeyError(f"the simplex has no metric {metric!r}; it has {list(self.values)}")
        high = is_high(metric) if higher_is_better is None else higher_is_better
        loss = -self.values[metric] if high else self.values[metric]
        return loss - self.weights @ loss[self._vertices()]

    @_arguments.checked()
    def barrier(self, metric: str = "loss", *, higher_is_better: bool | None = None) -> float:
        """The barrier over the simplex: the largest excess, in the units of the metric.

        Zero or more, as the models themselves are points. Raises KeyError as :meth:`excess`; warns of a NaN.

        Examples
        --------
        >>> import numpy as np
        >>> from rebasin_fast.analysis import LossSimplex
        >>> weights = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1 / 3, 1 / 3, 1 / 3]])
        >>> LossSimplex(weights, {"loss": np.array([1.0, 2.0, 3.0, 7.0])}).barrier()
        5.0
        """
        height = float(self.excess(metric, higher_is_better=higher_is_better).max())
        if np.isnan(height):
            warnings.warn(
                f"the barrier is NaN: {metric} is not finite everywhere", RuntimeWarning, stacklevel=2
            )
        return height

    @_arguments.checked()
    def edge_barriers(
        self, metric: str = "loss", *, higher_is_better: bool | None = None
    ) -> NDArray[np.float64]:
        """The ``"linear"`` barrier between each two models, on the points of the simplex between them.

        Returns
        -------
        (n, n) float64 array
            Symmetric, zero on the diagonal.

        Examples
        --------
        >>> import numpy as np
        >>> from rebasin_fast.analysis import loss_simplex
        >>> bump = lambda params: float(1 - params["w"] @ params["w"])
        >>> simplex = loss_simplex(bump, [{"w": row} for row in np.eye(3)], points_per_edge=3)
        >>> simplex.edge_barriers().round(3)
        array([[0. , 0.5, 0.5],
               [0.5, 0. , 0.5],
               [0.5, 0.5, 0. ]])
        """
        excess = self.excess(metric, higher_is_better=higher_is_better)
        count = self.weights.shape[1]
        barriers = np.zeros((count, count))
        for first, second in combinations(range(count), 2):
            between = self.weights[:, first] + self.weights[:, second] > 1.0 - 1e-9
            barriers[first, second] = barriers[second, first] = excess[between].max()
        return barriers

    @_arguments.checked()
    def curve(self, first: int, second: int) -> LossCurve:
        """The points on the line from one model to another, as a loss curve.

        Examples
        --------
        >>> import numpy as np
        >>> from rebasin_fast.analysis import loss_simplex
        >>> models = [{"w": np.array([x])} for x in (0.0, 1.0, 4.0)]
        >>> loss_simplex(lambda params: params["w"][0], models, points_per_edge=3).curve(0, 2).values["loss"]
        array([0., 2., 4.])
        """
        between = np.flatnonzero(self.weights[:, first] + self.weights[:, second] > 1.0 - 1e-9)
        order = between[np.argsort(self.weights[between, second])]
        return LossCurve(self.weights[order, second], {name: v[order] for name, v in self.values.items()})

    @_arguments.checked()
    def plot(self, ax: Axes | None = None, *, metric: str | None = None) -> Axes:
        """Draw one metric, the first by default.

        Of three models the triangle, with contours of the metric and a cross at the largest excess; of more the barrier
        of each pair, of the mean of all models, and of the simplex, as bars.

        Raises
        ------
        MissingDependencyError
            matplotlib is not installed.
        KeyError
            There is no such metric.
        """
        shown = next(iter(self.values)) if metric is None else metric
        excess = self.excess(shown)
        if self.weights.shape[1] == 3:
            return draw_triangle(self.weights, self.values[shown], excess, shown, ax)
        pairs = self.edge_barriers(shown)
        bars = {f"{i}-{j}": float(pairs[i, j]) for i, j in combinations(range(len(pairs)), 2)}
        bars["mean\nof all"] = float(excess[np.argmax(self.weights.min(axis=1))])
        return draw_barriers({**bars, "whole\nsimplex": self.barrier(shown)}, shown, ax)

    def _columns(self) -> Mapping[str, Any]:
        return {**{f"weight_{i}": column for i, column in enumerate(self.weights.T)}, **self.values}

    def _vertices(self) -> NDArray[np.intp]:
        """The point that is each model."""
        vertices: NDArray[np.intp] = self.weights.argmax(axis=0)
        return vertices


@_arguments.checked()
@refuses_changed_files
def loss_simplex(
    evaluate: Callable[[dict[str, Array]], float | Mapping[str, float]],
    models: Sequence[Params],
    *,
    points_per_edge: int = 7,
    progress: Callable[[int, int], object] | bool | None = None,
    allow_nonfinite: bool = False,
) -> LossSimplex:
    """Evaluate convex combinations of three or more models, on a grid of barycentric coordinates.

    Sharma et al. (2024, arXiv 2404.06498) distinguish *weak linear connectivity* modulo permutation (for each pair of
    networks there is a permutation that connects them linearly) from *strong linear connectivity*: for each network
    there is one permutation that simultaneously connects it with all the others. After these permutations the loss
    would be convex on the simplex. This function measures models that are permuted already.

    Parameters
    ----------
    evaluate : callable
        Takes parameters, gives a loss or a mapping of metrics; called once a point.
    models : sequence of Mapping[str, array]
        Three or more, of equal names and shapes.
    points_per_edge : int
        Points on the line between two models, both included; at least 2. An odd number holds the midpoints. There are
        (points_per_edge + n - 2) over (n - 1) points in all, and the mean of all models where the grid lacks it.
    progress : callable or bool, optional
        True shows a bar on standard error, plain lines in a log; a callable is called with
        (points done, points in all) after each point.
    allow_nonfinite : bool
        See :func:`rebasin_fast.interpolate`.

    Returns
    -------
    LossSimplex

    Raises
    ------
    ParamsError
        The models differ in names or shapes (raised before anything is evaluated), or a point is not finite.
    ValueError
        Fewer than three models, fewer than two points an edge, more than 5000 points in all, or metrics that change
        from point to point.

    Notes
    -----
    A point costs one average of the models, O(n x size of the parameters), and one evaluation.

    Examples
    --------
    >>> import numpy as np
    >>> from rebasin_fast.analysis import loss_simplex
    >>> bump = lambda params: float(1 - params["w"] @ params["w"])
    >>> simplex = loss_simplex(bump, [{"w": row} for row in np.eye(3)])
    >>> simplex.weights.shape, round(simplex.barrier(), 3)
    ((28, 3), 0.667)
    """
    if len(models) < 3:
        raise ValueError(
            f"a simplex takes three models or more; got {len(models)}. For two there is rebasin_fast.loss_curve"
        )
    for number, model in enumerate(models[1:], 1):
        check_same_names(models[0], model, ("models[0]", f"models[{number}]"))
    weights = _grid(len(models), points_per_edge)
    rows: list[dict[str, float]] = []
    with listener(progress, "points") as notify:
        for shares in weights:
            found = evaluate(average(models, shares.tolist(), allow_nonfinite=allow_nonfinite))
            row = dict(found) if isinstance(found, Mapping) else {"loss": found}
            if rows and row.keys() != rows[0].keys():
                raise ValueError(f"evaluate gave {list(row)} at {shares.tolist()} and {list(rows[0])} before")
            rows.append({name: float(value) for name, value in row.items()})
            if notify is not None:
                notify(len(rows), len(weights))
    return LossSimplex(weights, {name: np.array([row[name] for row in rows]) for name in rows[0]})


def _grid(models: int, points_per_edge: int) -> NDArray[np.float64]:
    """Barycentric coordinates, one row a point."""
    if points_per_edge < 2:
        raise ValueError(f"points_per_edge is 2 or more, as both ends are points; got {points_per_edge}")
    steps = points_per_edge - 1
    count = comb(steps + models - 1, models - 1)
    if count > _MOST_POINTS:
        raise ValueError(
            f"{models} models with points_per_edge={points_per_edge} make {count} points; at most {_MOST_POINTS} are "
            "evaluated. Fewer points_per_edge make fewer"
        )
    points = [[part / steps for part in parts] for parts in _compositions(steps, models)]
    if steps % models:
        points.append([1.0 / models] * models)
    return np.array(points)


def _compositions(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    """All tuples of that many non-negative integers of this sum, those with a large first part first."""
    if parts == 1:
        yield (total,)
        return
    for first in range(total, -1, -1):
        for rest in _compositions(total - first, parts - 1):
            yield (first, *rest)
