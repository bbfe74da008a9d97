"""Loss along the line between two models, and the barriers that the papers define on it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _arguments
from rebasin_fast._drawing import STYLES, axes_of, label_axes
from rebasin_fast._terminal.progress import listener
from rebasin_fast._untrusted import brief
from rebasin_fast._untrusted.schema import REAL, ArrayOf, Kind, MapOf
from rebasin_fast.evaluation.calibration import Calibration, measure_of
from rebasin_fast.evaluation.metrics import is_high, metrics_at
from rebasin_fast.evaluation.path import ParamsPath, points_of
from rebasin_fast.evaluation.result import Result
from rebasin_fast.files.mapping.unchanged import refuses_changed_files
from rebasin_fast.typing import Array, Params

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Barrier = Literal["mean", "linear", "midpoint"]


@dataclass(frozen=True)
class LossCurve(Result):
    """Metrics at points on the line, or another path, from A (t = 0) to B (t = 1).

    Attributes
    ----------
    ts : (k,) float64 array
    values : dict[str, (k,) float64 array]
        One array a metric; a plain number from ``evaluate`` is called ``loss``.
    """

    ts: NDArray[np.float64]
    values: dict[str, NDArray[np.float64]]
    _title: ClassVar[str] = "loss curve"
    _schema: ClassVar[Mapping[str, Kind]] = {
        "ts": ArrayOf(REAL, ("points",), finite=True),
        "values": MapOf(ArrayOf(REAL, ("points",))),
    }

    def __post_init__(self) -> None:
        """Arrays of float64, of one length; TypeError or ValueError for others."""
        ts = _arguments.vector("ts", self.ts)
        if not isinstance(self.values, Mapping) or not self.values:
            raise TypeError(f"values maps names of metrics to arrays, one or more; got {brief(self.values)}")
        if not all(isinstance(name, str) for name in self.values):
            raise TypeError(
                f"values maps names of metrics, which are texts, to arrays; got {brief(self.values)}"
            )
        values = {name: _arguments.vector(f"values[{name!r}]", v) for name, v in self.values.items()}
        for name, array in values.items():
            if array.shape != ts.shape:
                raise ValueError(f"values[{name!r}] has {array.size} numbers for {ts.size} points in ts")
        if not np.isfinite(ts).all():
            raise ValueError(f"ts are places on the line, all finite; got {brief(ts.tolist())}")
        object.__setattr__(self, "ts", ts)
        object.__setattr__(self, "values", values)

    @_arguments.checked()
    def barrier(
        self, definition: Barrier = "mean", metric: str = "loss", *, higher_is_better: bool | None = None
    ) -> float:
        """The loss barrier, in the units of the metric.

        Parameters
        ----------
        definition : {"mean", "linear", "midpoint"}
            With L the metric, or its negative if higher is better:

            - mean: max L(t) - (L(0) + L(1)) / 2 (Git Re-Basin, Ainsworth et al. 2022, definition 2.2);
            - linear: max [L(t) - (1 - t) L(0) - t L(1)] (Frankle et al. 2020; Entezari et al. 2022);
            - midpoint: L(1/2) - (L(0) + L(1)) / 2 (Ito et al. 2024).
        metric : str
        higher_is_better : bool, optional
            By default from the last word of the metric's name, words being separated by ``/`` and ``_``:
            accuracy, acc, acc1, acc5, top1, top5, f1, auc, auroc, precision, recall, iou, miou, map, bleu and
            r2 are better when higher; every other name is taken for a loss.

        Raises
        ------
        KeyError
            The curve has no such metric.
        ValueError
            The curve lacks a point that the definition needs: 0, 1, or 1/2.

        Warns
        -----
        RuntimeWarning
            The barrier is NaN, because the metric is somewhere, or infinite at an end.

        Examples
        --------
        >>> import numpy as np, rebasin_fast as rf
        >>> curve = rf.LossCurve(np.array([0.0, 0.5, 1.0]), {"loss": np.array([1.0, 5.0, 3.0])})
        >>> curve.barrier("mean"), curve.barrier("linear"), curve.barrier("midpoint")
        (3.0, 3.0, 3.0)
        """
        if not isinstance(metric, str) or metric not in self.values:
            raise KeyError(f"the curve has no metric {brief(metric)}; it has {list(self.values)}")
        _arguments.choice("definition", definition, ("mean", "linear", "midpoint"))
        high = is_high(metric) if higher_is_better is None else higher_is_better
        loss = -self.values[metric] if high else self.values[metric]
        start, end = loss[self._at(0.0)], loss[self._at(1.0)]
        if definition == "mean":
            height = loss.max() - (start + end) / 2
        elif definition == "linear":
            height = (loss - (1 - self.ts) * start - self.ts * end).max()
        else:
            height = loss[self._at(0.5)] - (start + end) / 2
        if np.isnan(height):
            warnings.warn(f"the barrier is NaN: {self.nonfinite()}", RuntimeWarning, stacklevel=3)
        return float(height)

    def nonfinite(self) -> str:
        """Where the first values that are NaN or infinite stand, in words; empty where there is none."""
        for metric, values in self.values.items():
            for t, value in zip(self.ts, values, strict=True):
                if not np.isfinite(value):
                    return f"{metric} is {value} at t = {t:g}"
        return ""

    @_arguments.checked()
    def plot(
        self, ax: Axes | None = None, *, metric: str | None = None, label: str | None = None, style: int = 0
    ) -> Axes:
        """Draw one metric, the first by default, along the line; returns the axes.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; by default the axes of a new figure.
        metric, label : str, optional
            The metric, and the name of the line in a legend.
        style : int
            Number of the line's colour and dashes; :func:`rebasin_fast.plots.plot_loss_curves` draws several lines.

        Raises
        ------
        MissingDependencyError
            matplotlib is not installed.
        KeyError
            The curve has no such metric.

        Examples
        --------
        >>> import numpy as np, rebasin_fast as rf
        >>> curve = rf.LossCurve(np.array([0.0, 0.5, 1.0]), {"loss": np.array([1.0, 5.0, 3.0])})
        >>> curve.plot().get_ylabel()
        'loss'
        """
        shown = next(iter(self.values)) if metric is None else metric
        if shown not in self.values:
            raise KeyError(f"the curve has no metric {shown!r}; it has {list(self.values)}")
        axes, (colour, dashes, marker) = axes_of(ax), STYLES[style % len(STYLES)]
        axes.plot(
            self.ts, self.values[shown], color=colour, linestyle=dashes, marker=marker, markersize=5,
            markeredgecolor="white", linewidth=2.2, label=label,
        )  # fmt: skip
        return label_axes(axes, x="t", y=shown)

    def _columns(self) -> Mapping[str, Any]:
        return {"t": self.ts, **self.values}

    def to_dict(self) -> dict[str, Any]:
        """The points and values as JSON values; :meth:`from_dict` reads them back.

        Examples
        --------
        >>> import numpy as np, rebasin_fast as rf
        >>> curve = rf.LossCurve(np.array([0.0, 1.0]), {"loss": np.array([1.0, 3.0])})
        >>> rf.LossCurve.from_dict(curve.to_dict()).values["loss"]
        array([1., 3.])
        """
        return {"ts": self.ts.tolist(), "values": {name: v.tolist() for name, v in self.values.items()}}

    @classmethod
    @_arguments.checked()
    def from_dict(cls, fields: Mapping[str, Any]) -> LossCurve:
        """The curve of the fields of :meth:`to_dict`."""
        try:
            values = {name: np.asarray(v, dtype=np.float64) for name, v in fields["values"].items()}
            return cls(np.asarray(fields["ts"], dtype=np.float64), values)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"fields are those of to_dict, ts and values: {error!r}") from None

    def _at(self, t: float) -> int:
        places = np.flatnonzero(np.isclose(self.ts, t, rtol=0, atol=1e-12))
        if places.size == 0:
            raise ValueError(f"the barrier needs a point at t = {t:g}, and the curve has {self.ts.tolist()}")
        return int(places[0])


@_arguments.checked(ts=None)
@refuses_changed_files
def loss_curve(
    evaluate: Callable[[dict[str, Array]], float | Mapping[str, float]],
    params_a: Params | None = None,
    params_b: Params | None = None,
    ts: int | Sequence[float] = 25,
    *,
    path: ParamsPath | None = None,
    method: Literal["lerp", "slerp"] = "lerp",
    calibrate: Calibration | None = None,
    progress: Callable[[int, int], object] | bool | None = None,
    allow_nonfinite: bool = False,
) -> LossCurve:
    """Evaluate the models on the line between A and B, or along any path.

    Parameters
    ----------
    evaluate : callable
        Takes parameters, gives a loss or a mapping of metrics. Called once a point, A first.
    params_a, params_b : Mapping[str, array], optional
        The ends of the line; left out where ``path`` is given.
    ts : int or sequence of float
        Number of evenly spaced points with both ends (odd numbers hold the midpoint), or the points.
    path : object with ``at(t)``, optional
        Gives the parameters at t, from one model (t = 0) to another (t = 1), such as the result of
        :func:`rebasin_fast.analysis.connect`.
    method : {"lerp", "slerp"}
        The line or the arc between A and B; see :func:`rebasin_fast.interpolate`.
    calibrate : {"temperature"}, optional
        Measure by ``evaluate.calibrated``, which :class:`rebasin_fast.evaluation.Evaluator` has: at each point one
        softmax temperature, fitted on held-out data, gives ``calibrated_loss`` beside ``loss`` (Ito et al. 2026).
    progress : callable or bool, optional
        True shows a bar on standard error, plain lines in a log; a callable is called with
        (points done, points in all) after each point.
    allow_nonfinite : bool
        Evaluate parameters that are NaN or infinite too; see :func:`rebasin_fast.interpolate`.

    Returns
    -------
    LossCurve

    Raises
    ------
    ParamsError
        The models differ in names or shapes (raised before anything is evaluated), or a point is not finite.
    ValueError
        Fewer than two points, or metrics that change from point to point; or the evaluator cannot calibrate.
    TypeError
        Neither the models nor a path are given, or both; or ``calibrate`` is given, and ``evaluate`` has no method
        ``calibrated``.

    Examples
    --------
    >>> import numpy as np, rebasin_fast as rf
    >>> bump = lambda params: float(1 - (params["w"][0] - 1) ** 2)
    >>> curve = rf.loss_curve(bump, {"w": np.array([0.0])}, {"w": np.array([2.0])}, ts=5)
    >>> curve.values["loss"]
    array([0.  , 0.75, 1.  , 0.75, 0.  ])
    >>> curve.barrier()
    1.0
    """
    _arguments.function("evaluate", evaluate)
    at = points_of(params_a, params_b, path, method, allow_nonfinite=allow_nonfinite)
    points, measure = _points(ts), measure_of(evaluate, calibrate)
    along = ((f"t = {t:g}", at(float(t))) for t in points)
    with listener(progress, "points") as notify:
        return LossCurve(points, metrics_at(measure, along, len(points), notify))


def _points(ts: int | Sequence[float]) -> NDArray[np.float64]:
    wanted = "a number of points, 2 or more, or a sequence of places on the line"
    if isinstance(ts, int | np.integer):
        return np.linspace(0.0, 1.0, _arguments.count("ts", ts, least=2, of="a number of points"))
    found = _arguments.array("ts", ts, wanted)
    if found.dtype.kind not in "iuf" and found.size:
        raise TypeError(f"ts is {wanted}; got {brief(ts)}")
    points = found.astype(np.float64)
    if points.ndim != 1 or points.size < 2 or not np.isfinite(points).all():
        raise ValueError(f"ts is {wanted}, all finite; got {brief(ts)}")
    return points
