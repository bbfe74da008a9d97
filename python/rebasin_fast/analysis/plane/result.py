"""The result of :func:`rebasin_fast.analysis.loss_plane`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _arguments
from rebasin_fast._untrusted.schema import REAL, ArrayOf, Kind, MapOf
from rebasin_fast.analysis.plane.coordinates import PlaneCoordinates
from rebasin_fast.analysis.plane.drawing import draw_path, draw_plane
from rebasin_fast.evaluation.path import ParamsPath
from rebasin_fast.evaluation.result import Result
from rebasin_fast.typing import Params

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class LossPlane(Result):
    """Metrics on a grid in the plane through three models.

    Attributes
    ----------
    x, y : (columns,), (rows,) float64 arrays
        Coordinates of the grid, in the distance between parameters: A lies at (0, 0), B at (its distance, 0), C above.
    values : dict[str, (rows, columns) float64 array]
        One array a metric; a plain number from ``evaluate`` is called ``loss``.
    positions : (3, 2) float64 array
        Coordinates of A, B and C.
    coordinates : PlaneCoordinates or None
        Holds the three models, for :meth:`project`; not saved: None after :meth:`load`.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    values: dict[str, NDArray[np.float64]]
    positions: NDArray[np.float64]
    coordinates: PlaneCoordinates | None = field(default=None, repr=False, compare=False)
    _title: ClassVar[str] = "loss plane"
    _schema: ClassVar[Mapping[str, Kind]] = {
        "x": ArrayOf(REAL, ("columns",), finite=True),
        "y": ArrayOf(REAL, ("rows",), finite=True),
        "values": MapOf(ArrayOf(REAL, ("rows", "columns"))),
        "positions": ArrayOf(REAL, (3, 2), finite=True),
    }

    @_arguments.checked()
    def project(self, params: Params) -> NDArray[np.float64]:
        """The coordinates of the plane's point that is nearest to ``params``.

        Parameters
        ----------
        params : Mapping[str, array]
            Names and shapes of the three models. Running statistics of BatchNorm layers do not count.

        Returns
        -------
        (2,) float64 array
            x and y.

        Raises
        ------
        ValueError
            The plane comes from a file, which does not hold the models.
        ParamsError
            Names or shapes differ.
        """
        if self.coordinates is None:
            raise ValueError(
                "a plane that was loaded from a file has no models to project on; draw coordinates that were projected "
                "before it was saved, or measure it again"
            )
        return self.coordinates.project(params)

    @_arguments.checked(ts=2)
    def along(self, path: ParamsPath, ts: int = 61) -> NDArray[np.float64]:
        """A path projected on the plane: (ts, 2) float64 coordinates at evenly spaced t; as :meth:`project`."""
        return np.array([self.project(path.at(float(t))) for t in np.linspace(0.0, 1.0, ts)])

    @_arguments.checked(levels=1)
    def plot(
        self,
        ax: Axes | None = None,
        *,
        metric: str | None = None,
        labels: Sequence[str] = ("A", "B", "C"),
        lines: Sequence[tuple[int, int]] = ((0, 1), (0, 2)),
        paths: Mapping[str, ParamsPath | NDArray[np.float64]] | None = None,
        top: float | None = None,
        levels: int = 10,
    ) -> Axes:
        """Draw contours of one metric, the first by default, with the three models; returns the axes.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; by default the axes of a new figure.
        metric : str, optional
        labels : sequence of three str
            The names of A, B and C in the picture.
        lines : sequence of pairs
            Pairs of models, by number, that a dashed straight line connects.
        paths : Mapping[str, path or (k, 2) array], optional
            Label -> a path, which is projected on the plane, or its coordinates.
        top : float, optional
            The value from which everything has the last colour; by default the highest between the three models.
        levels : int
            Number of contours. They are spaced evenly in the logarithm of the height above the minimum, as in
            Garipov et al. 2018, figure 1, and evenly for metrics that should be high.

        Raises
        ------
        MissingDependencyError
            matplotlib is not installed.
        KeyError
            The plane has no such metric.
        """
        shown = next(iter(self.values)) if metric is None else metric
        if shown not in self.values:
            raise KeyError(f"the plane has no metric {shown!r}; it has {list(self.values)}")
        if len(labels) != 3:
            raise ValueError(f"labels are the names of A, B and C; got {len(labels)}")
        axes = draw_plane(
            ax,
            self.x,
            self.y,
            self.values[shown],
            self.positions,
            shown,
            labels,
            lines,
            top=top,
            levels=levels,
        )
        for number, (label, path) in enumerate((paths or {}).items()):
            draw_path(axes, path if isinstance(path, np.ndarray) else self.along(path), label, number)
        return axes

    def _columns(self) -> Mapping[str, Any]:
        x, y = np.meshgrid(self.x, self.y)
        return {"x": x.ravel(), "y": y.ravel()} | {name: value.ravel() for name, value in self.values.items()}

    def _stored(self) -> dict[str, Any]:
        return {name: value for name, value in super()._stored().items() if name != "coordinates"}
