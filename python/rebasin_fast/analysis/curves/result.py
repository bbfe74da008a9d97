"""The result of :func:`rebasin_fast.analysis.connect`: a curve in the space of parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, get_args

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _arguments
from rebasin_fast._drawing import STYLES, axes_of, label_axes
from rebasin_fast._untrusted.schema import REAL, ArrayOf, Kind, MapOf, Text
from rebasin_fast.analysis.curves.shapes import CurveKind, check_kind, weights_at
from rebasin_fast.evaluation.result import Result
from rebasin_fast.merging.blending import blended_params
from rebasin_fast.merging.same_names import check_same_names
from rebasin_fast.typing import Array, Params

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class ModeCurve(Result):
    """A Bézier curve or a polygonal chain from model A (t = 0) to model B (t = 1).

    A path for :func:`rebasin_fast.loss_curve`. It needs no model: :meth:`save` writes the control points, and
    :meth:`load` reads them as NumPy arrays.

    Attributes
    ----------
    kind : {"bezier", "polygonal"}
    points : sequence of Mapping[str, array]
        The control points: A, the bends, B. Not copied.
    losses : (steps,) float64 array
        The training loss of each step, each at another t.

    Raises
    ------
    ValueError
        Another kind, or fewer than two points.
    ParamsError
        The points differ in names or shapes.

    Examples
    --------
    >>> import numpy as np
    >>> from rebasin_fast.analysis import ModeCurve
    >>> a, bend, b = ({"w": np.array(point)} for point in ([-1.0, 0.0], [0.0, 2.0], [1.0, 0.0]))
    >>> ModeCurve("bezier", [a, bend, b]).at(0.5)
    {'w': array([0., 1.])}
    >>> ModeCurve("polygonal", [a, bend, b]).at(0.25)
    {'w': array([-0.5,  1. ])}
    """

    kind: CurveKind
    points: Sequence[Params] = field(repr=False)
    losses: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0), repr=False)
    _title: ClassVar[str] = "curve between two models"
    _schema: ClassVar[Mapping[str, Kind]] = {
        "kind": Text(get_args(CurveKind)),
        "points": MapOf(ArrayOf()),
        "losses": ArrayOf(REAL, ("steps",), finite=True),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        check_kind(self.kind)
        if len(self.points) < 2:
            raise ValueError(f"a curve has two points or more, its ends; got {len(self.points)}")
        for point in self.points[1:]:
            check_same_names(self.points[0], point)

    @property
    def bends(self) -> int:
        """Number of control points between the ends."""
        return len(self.points) - 2

    def at(self, t: float) -> dict[str, Array]:
        """The parameters at ``t``.

        Parameters
        ----------
        t : float
            From 0 (A) to 1 (B).

        Returns
        -------
        dict[str, array]
            New arrays in the dtypes and on the devices of A, computed in float32 or wider. Integer and boolean
            parameters are A's own objects. At the ends the numbers are those of A and B. Running statistics of
            BatchNorm layers lie on the straight line and fit no point of it: measure them again
            (``Evaluator(batch_norm_batches=…)``).

        Raises
        ------
        ValueError
            ``t`` is outside [0, 1].
        ParamsError
            As :func:`rebasin_fast.interpolate`.
        """
        t = _arguments.number("t", t, least=0.0, most=1.0, of="a number from 0 (A) to 1 (B)")
        weights = weights_at(self.kind, len(self.points), t)
        labels = ["model A", *(f"bend {i + 1}" for i in range(self.bends)), "model B"]
        return dict(blended_params(self.points, weights, labels, allow_nonfinite=False))

    @_arguments.checked(window=1)
    def plot(self, ax: Axes | None = None, *, window: int | None = None) -> Axes:
        """Draw the training loss, as the mean over ``window`` steps, by default a twentieth of them."""
        axes, style = axes_of(ax), STYLES[1]
        steps, losses = self.losses.size, self.losses
        window = max(1, steps // 20) if window is None else window
        if 1 < window <= steps:
            losses = np.convolve(losses, np.full(window, 1.0 / window), "valid")
        axes.plot(np.arange(steps - len(losses), steps) + 1, losses, color=style.colour, linewidth=2.2)
        return label_axes(axes, x="step", y="training loss on the curve")

    def _columns(self) -> Mapping[str, Any]:
        return {"step": np.arange(1, self.losses.size + 1), "loss": self.losses}

    def _stored(self) -> dict[str, Any]:
        entries = {
            f"{number}/{name}": array
            for number, point in enumerate(self.points)
            for name, array in point.items()
        }
        return super()._stored() | {"points": entries}

    @classmethod
    def _restored(cls, values: dict[str, Any]) -> dict[str, Any]:
        points: dict[int, dict[str, Array]] = {}
        for key, array in values["points"].items():
            number, _, name = key.partition("/")
            points.setdefault(int(number), {})[name] = array
        if sorted(points) != list(range(len(points))):
            raise ValueError(f"its points are numbered {sorted(points)}")
        return values | {"points": [points[number] for number in range(len(points))]}
