"""Loss barriers between every two of several models."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _arguments
from rebasin_fast._drawing import INK, axes_of, label_axes
from rebasin_fast._terminal.progress import listener
from rebasin_fast._untrusted.schema import REAL, ArrayOf, Kind, MapOf, Names
from rebasin_fast.evaluation.curve import Barrier, LossCurve
from rebasin_fast.evaluation.metrics import metrics_at
from rebasin_fast.evaluation.result import Result
from rebasin_fast.files.mapping.unchanged import refuses_changed_files
from rebasin_fast.merging.interpolation import interpolate
from rebasin_fast.merging.same_names import check_same_names
from rebasin_fast.typing import Array, Params

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class MutualBarriers(Result):
    """Metrics on the line between every two of several models.

    Attributes
    ----------
    names : list of str
        Of the n models.
    ts : (k,) float64 array
        Points on each line, from 0 to 1.
    values : dict[str, (n (n - 1) / 2, k) float64 array]
        For each metric, one row a line: from the first model to the second, to the third, …, then from the second.
    """

    names: list[str]
    ts: NDArray[np.float64]
    values: dict[str, NDArray[np.float64]]
    _title: ClassVar[str] = "mutual barriers"
    _schema: ClassVar[Mapping[str, Kind]] = {
        "names": Names("models"),
        "ts": ArrayOf(REAL, ("points",), finite=True),
        "values": MapOf(ArrayOf(REAL, ("lines", "points"))),
    }

    @classmethod
    def _restored(cls, values: dict[str, Any]) -> dict[str, Any]:
        lines = len(values["names"]) * (len(values["names"]) - 1) // 2
        other = [metric for metric, found in values["values"].items() if len(found) != lines]
        if other:
            raise ValueError(f"{other[0]} is of {len(values['values'][other[0]])} lines, not {lines}")
        return values

    @_arguments.checked()
    def curve(self, first: str, second: str) -> LossCurve:
        """The line from one model to another.

        Raises
        ------
        KeyError
            There is no model of that name.
        ValueError
            Both are the same model.
        """
        for name in (first, second):
            if name not in self.names:
                raise KeyError(f"there is no model {name!r}; there are {self.names}")
        ends = self.names.index(first), self.names.index(second)
        if first == second:
            raise ValueError(f"a line has two ends; got {first!r} twice")
        row = list(itertools.combinations(range(len(self.names)), 2)).index((min(ends), max(ends)))
        values = {metric: lines[row] for metric, lines in self.values.items()}
        if ends[0] < ends[1]:
            return LossCurve(self.ts, values)
        return LossCurve(1.0 - self.ts[::-1], {metric: line[::-1] for metric, line in values.items()})

    @_arguments.checked()
    def barriers(
        self, definition: Barrier = "mean", metric: str = "loss", *, higher_is_better: bool | None = None
    ) -> NDArray[np.float64]:
        """The (n, n) symmetric matrix of barriers, zero on the diagonal; definitions as in :class:`LossCurve`.

        Raises
        ------
        KeyError, ValueError
            As in :meth:`LossCurve.barrier`.
        """
        matrix = np.zeros((len(self.names),) * 2)
        for i, j in itertools.combinations(range(len(self.names)), 2):
            curve = self.curve(self.names[i], self.names[j])
            matrix[i, j] = matrix[j, i] = curve.barrier(definition, metric, higher_is_better=higher_is_better)
        return matrix

    @_arguments.checked()
    def plot(
        self, ax: Axes | None = None, *, definition: Barrier = "mean", metric: str | None = None
    ) -> Axes:
        """Draw the matrix of barriers with its numbers; returns the axes.

        Raises
        ------
        MissingDependencyError
            matplotlib is not installed.
        KeyError, ValueError
            As in :meth:`LossCurve.barrier`.
        """
        shown = next(iter(self.values)) if metric is None else metric
        axes, matrix = axes_of(ax, size=(4.6, 4.2)), self.barriers(definition, shown)
        label_axes(axes, title=f"{shown} barrier ({definition})")
        axes.grid(visible=False)
        axes.imshow(matrix, cmap="Blues", vmin=0.0, vmax=max(float(np.nanmax(matrix)), 1e-12))
        middle = float(np.nanmax(matrix)) / 2
        for i, j in itertools.permutations(range(len(self.names)), 2):
            colour = "white" if matrix[i, j] > middle > 0 else INK
            axes.text(j, i, f"{matrix[i, j]:.3g}", ha="center", va="center", color=colour, fontsize=10.5)
        places = range(len(self.names))
        axes.set_xticks(places, self.names)
        axes.set_yticks(places, self.names)
        return axes

    def _columns(self) -> Mapping[str, Any]:
        pairs, points = list(itertools.combinations(self.names, 2)), len(self.ts)
        return {
            "first": [first for first, _ in pairs for _ in range(points)],
            "second": [second for _, second in pairs for _ in range(points)],
            "t": np.tile(self.ts, len(pairs)),
            **{metric: lines.ravel() for metric, lines in self.values.items()},
        }


@_arguments.checked()
@refuses_changed_files
def mutual_barriers(
    evaluate: Callable[[dict[str, Array]], float | Mapping[str, float]],
    models: Mapping[str, Params] | Sequence[Params],
    *,
    ts: int | Sequence[float] = 11,
    progress: Callable[[int, int], object] | bool | None = None,
) -> MutualBarriers:
    """Evaluate the lines between every two of several models.

    With A, π(B) and ρ(C), where B and C were both matched to A, the barrier between π(B) and ρ(C) tells whether the
    matching is transitive: nothing matched these two to each other.

    Parameters
    ----------
    evaluate : callable
        Takes parameters, gives a loss or a mapping of metrics.
    models : mapping of names to parameters, or sequence of parameters
        Two or more; those of a sequence are called "0", "1", ….
    ts : int or sequence of float
        Number of evenly spaced points on each line with both ends, or the points, from 0 to 1.
    progress : callable or bool, optional
        True shows a bar on standard error; a callable is called with (evaluations done, evaluations in all).

    Returns
    -------
    MutualBarriers

    Raises
    ------
    ParamsError
        Models differ in names or shapes (raised before anything is evaluated), or a point is not finite.
    ValueError
        Fewer than two models, points that do not go from 0 to 1, or metrics that change from point to point.

    Notes
    -----
    n + (k - 2) n (n - 1) / 2 evaluations for n models and k points. Source: Ito, Yamada and Kumagai (ICLR 2025),
    figure 6 and table 4, weight matching against the straight-through estimator.

    Examples
    --------
    >>> import numpy as np
    >>> from rebasin_fast.analysis import mutual_barriers
    >>> double_well = lambda params: float((params["w"][0] ** 2 - 1) ** 2)
    >>> wells = {name: {"w": np.array([w])} for name, w in (("left", -1.0), ("right", 1.0), ("too", 1.0))}
    >>> found = mutual_barriers(double_well, wells, ts=3)
    >>> found.barriers()
    array([[0., 1., 1.],
           [1., 0., 0.],
           [1., 0., 0.]])
    """
    named = dict(models) if isinstance(models, Mapping) else {str(i): each for i, each in enumerate(models)}
    if len(named) < 2:
        raise ValueError(f"models are two or more; got {len(named)}")
    names, points = list(named), _points(ts)
    for name in names[1:]:
        check_same_names(named[names[0]], named[name], (names[0], name))
    pairs = list(itertools.combinations(names, 2))
    ends = [(name, name, 0.0) for name in names]
    inner = [(first, second, float(t)) for first, second in pairs for t in points[1:-1]]

    def at(place: tuple[str, str, float]) -> tuple[str, dict[str, Array]]:
        first, second, t = place
        return f"t = {t:g} from {first!r} to {second!r}", interpolate(named[first], named[second], t)

    with listener(progress, "evaluations") as notify:
        measured = metrics_at(evaluate, map(at, ends + inner), len(ends) + len(inner), notify)
    values = {}
    for metric, found in measured.items():
        own = dict(zip(names, found, strict=False))
        lines = found[len(ends) :].reshape(len(pairs), -1)
        values[metric] = np.array(
            [[own[first], *line, own[second]] for (first, second), line in zip(pairs, lines, strict=True)]
        )
    return MutualBarriers(names, points, values)


def _points(ts: int | Sequence[float]) -> NDArray[np.float64]:
    points = np.linspace(0.0, 1.0, max(ts, 0)) if isinstance(ts, int) else np.asarray(ts, dtype=np.float64)
    ends = points.ndim == 1 and points.size >= 2 and points[0] == 0 and points[-1] == 1
    if not ends or not (np.diff(points) > 0).all():
        raise ValueError(f"ts is a number of points, 2 or more, or rising points from 0 to 1; got {ts!r}")
    return points
