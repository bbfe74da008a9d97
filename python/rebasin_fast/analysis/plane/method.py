"""Losses in the plane through three models (Garipov et al. 2018, figure 1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from rebasin_fast import _arguments
from rebasin_fast._terminal.progress import listener
from rebasin_fast.analysis.plane.coordinates import PlaneCoordinates
from rebasin_fast.analysis.plane.result import LossPlane
from rebasin_fast.evaluation.metrics import metrics_at
from rebasin_fast.files.mapping.unchanged import refuses_changed_files
from rebasin_fast.merging.same_names import check_same_names
from rebasin_fast.typing import Array, Params


@_arguments.checked()
@refuses_changed_files
def loss_plane(
    evaluate: Callable[[dict[str, Array]], float | Mapping[str, float]],
    params_a: Params,
    params_b: Params,
    params_c: Params,
    *,
    points: int | tuple[int, int] = 21,
    margin: float = 0.2,
    allow_nonfinite: bool = False,
    progress: Callable[[int, int], object] | bool | None = None,
) -> LossPlane:
    """Evaluate models on a grid in the plane through three of them, such as A, B and the matched B.

    Parameters
    ----------
    evaluate : callable
        Takes parameters, gives a loss or a mapping of metrics, as for :func:`rebasin_fast.loss_curve`. Called once a
        point, row by row.
    params_a, params_b, params_c : Mapping[str, array]
        Equal names and shapes. Not changed; the result keeps references to them.
    points : int or (int, int)
        Points along x and y, 2 or more each.
    margin : float
        Room around the box of the three models, as a share of its sides.
    allow_nonfinite : bool
        Evaluate parameters that are NaN or infinite too; see :func:`rebasin_fast.interpolate`.
    progress : callable or bool, optional
        True shows a bar on standard error, plain lines in a log; a callable is called with
        (points done, points in all) after each point.

    Returns
    -------
    LossPlane
        Losses on the grid, and the places of the three models. Axes are in the Euclidean distance between parameters,
        running statistics of BatchNorm layers left out; measure these again at every point
        (``Evaluator(batch_norm_batches=…)``).

    Raises
    ------
    ParamsError
        The models differ in names or shapes, or lie on one line.
    ValueError
        Fewer than two points, a negative margin, or metrics that change from point to point.

    Notes
    -----
    Garipov et al., *Loss Surfaces, Mode Connectivity, and Fast Ensembling of DNNs*, 2018, footnote 1: with
    u = B - A and v = (C - A) - <C - A, u> u / |u|^2, the point (x, y) is A + x u / |u| + y v / |v|. It is the
    combination of A, B and C with weights that sum to 1: the points of the plane are affine combinations of the models.
    Time: three distances, and a blend and an evaluation at every point.

    Examples
    --------
    >>> import numpy as np
    >>> from rebasin_fast.analysis import loss_plane
    >>> a, b, c = ({"w": np.array(w)} for w in ([0.0, 0.0, 1.0], [4.0, 0.0, 1.0], [2.0, 3.0, 1.0]))
    >>> plane = loss_plane(lambda params: float((params["w"] ** 2).sum()), a, b, c, points=3, margin=0.0)
    >>> plane.positions.round(6).tolist()
    [[0.0, 0.0], [4.0, 0.0], [2.0, 3.0]]
    >>> plane.values["loss"][2].round(6)
    array([10., 14., 26.])
    """
    columns, rows = points if isinstance(points, tuple) else (points, points)
    if min(columns, rows) < 2:
        raise ValueError(f"points is a number of points along each axis, 2 or more; got {points!r}")
    if not margin >= 0.0:
        raise ValueError(f"margin is a share of the sides, 0 or more; got {margin!r}")
    check_same_names(params_a, params_b)
    check_same_names(params_a, params_c, ("A", "C"))
    plane = PlaneCoordinates.through((params_a, params_b, params_c))
    low, high = plane.positions.min(0), plane.positions.max(0)
    low, high = low - margin * (high - low), high + margin * (high - low)
    x, y = np.linspace(low[0], high[0], columns), np.linspace(low[1], high[1], rows)

    def at(place: tuple[float, float]) -> tuple[str, dict[str, Any]]:
        return f"({place[0]:g}, {place[1]:g})", plane.at(*place, allow_nonfinite=allow_nonfinite)

    places = ((float(column), float(row)) for row in y for column in x)
    with listener(progress, "points") as notify:
        values = metrics_at(evaluate, map(at, places), rows * columns, notify)
    grid = {name: value.reshape(rows, columns) for name, value in values.items()}
    return LossPlane(x, y, grid, plane.positions, plane)
