"""The loss barrier estimated by Taylor expansions at both models, beside the measured one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rebasin_fast import _arguments
from rebasin_fast._drawing import FAINT, STYLES, axes_of, label_axes
from rebasin_fast._models.functional import Batches, FunctionalModel, fresh
from rebasin_fast._models.inference import count_of
from rebasin_fast._terminal.progress import listener
from rebasin_fast._untrusted.schema import REAL, ArrayOf, Count, Kind, Number
from rebasin_fast.analysis._line import Line, differentiable
from rebasin_fast.errors import DataError
from rebasin_fast.evaluation.result import Result
from rebasin_fast.files.mapping.unchanged import refuses_changed_files
from rebasin_fast.typing import Params

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class TaylorBarrier(Result):
    """The loss L(t) along the line from A (t = 0) to B (t = 1): expanded at both ends, and measured.

    Attributes
    ----------
    t : float
        The point at which ``estimate`` and ``barrier`` are taken.
    order : int
        2 or 3.
    losses, first, second, third : (2,) float64 arrays
        L, L', L'' and L''' at A and at B. The derivatives are along B - A at both: with d = B - A, L'' is d·Hd, H the
        Hessian there. ``third`` is NaN where the order is 2.
    ts, measured : (k,) float64 arrays
        Points on the line, in rising order, with both ends and ``t``; the losses measured there.
    """

    t: float
    order: int
    losses: NDArray[np.float64]
    first: NDArray[np.float64]
    second: NDArray[np.float64]
    third: NDArray[np.float64]
    ts: NDArray[np.float64]
    measured: NDArray[np.float64]
    _title: ClassVar[str] = "Taylor estimate of a barrier"
    _schema: ClassVar[Mapping[str, Kind]] = {
        "t": Number(0.0, 1.0),
        "order": Count(least=2, most=3),
        "losses": ArrayOf(REAL, (2,)),
        "first": ArrayOf(REAL, (2,)),
        "second": ArrayOf(REAL, (2,)),
        "third": ArrayOf(REAL, (2,)),
        "ts": ArrayOf(REAL, ("points",), finite=True),
        "measured": ArrayOf(REAL, ("points",)),
    }

    @property
    def estimate(self) -> float:
        """The barrier at ``t`` by the expansions of the result's order."""
        return self.estimated_barrier()

    @property
    def barrier(self) -> float:
        """The measured barrier at ``t``: L(t) - (1 - t) L(0) - t L(1)."""
        at = float(self.measured[np.argmin(np.abs(self.ts - self.t))])
        return at - float(self._interpolated(self.t))

    @_arguments.checked()
    def estimated_barrier(self, t: float | None = None, order: int | None = None) -> float:
        """The estimated barrier at any point of the line, by the result's order or a lower one.

        Examples
        --------
        >>> import numpy as np
        >>> from rebasin_fast.analysis import TaylorBarrier
        >>> ends, none = np.zeros(2), np.full(2, np.nan)
        >>> found = TaylorBarrier(0.5, 2, ends, ends, np.full(2, 8.0), none, np.array([0, 0.5, 1]), np.zeros(3))
        >>> found.estimated_barrier(), found.estimated_barrier(order=1), found.barrier
        (1.0, 0.0, 0.0)
        """
        at = self.t if t is None else _arguments.number("t", t, of="a place on the line, 0 at A and 1 at B")
        return float(self.estimated_losses(at, order) - self._interpolated(at))

    @_arguments.checked()
    def estimated_losses(self, ts: ArrayLike, order: int | None = None) -> NDArray[np.float64]:
        """The two expansions combined: (1 - t) times that at A, and t times that at B."""
        points = np.asarray(ts, dtype=np.float64)
        at_a, at_b = self.expansions(points, order)
        return np.asarray((1 - points) * at_a + points * at_b)

    @_arguments.checked()
    def expansions(self, ts: ArrayLike, order: int | None = None) -> NDArray[np.float64]:
        """The expansion at A and that at B, at points of the line: an array (2, …).

        Raises
        ------
        ValueError
            ``order`` is above the result's, or below 0.
        """
        degree = self.order if order is None else order
        if not 0 <= degree <= self.order:
            raise ValueError(f"order is between 0 and {self.order}, that of the result; got {degree}")
        points = np.asarray(ts, dtype=np.float64)
        steps = np.stack([points, points - 1.0])
        terms = (self.losses, self.first, self.second / 2, self.third / 6)[: degree + 1]
        ends = (2,) + (1,) * points.ndim
        return np.asarray(sum(term.reshape(ends) * steps**power for power, term in enumerate(terms)))

    @_arguments.checked()
    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the measured losses, the expansion at each end, and the two combined; returns the axes.

        Expansions that leave the range of the other lines are cut off.

        Raises
        ------
        MissingDependencyError
            matplotlib is not installed.
        """
        axes, fine = axes_of(ax), np.linspace(0.0, 1.0, 101)
        combined = self.estimated_losses(fine)
        axes.plot(fine, self._interpolated(fine), color=FAINT, linewidth=1.0)
        for expansion, name, style in zip(self.expansions(fine), "AB", (STYLES[0], STYLES[4]), strict=True):
            axes.plot(
                fine, expansion, color=style.colour, linestyle=style.dashes, linewidth=1.6, label=f"at {name}"
            )
        axes.plot(fine, combined, color=STYLES[2].colour, linestyle="-", linewidth=2.0, label="combined")
        axes.plot(
            self.ts, self.measured, color=STYLES[1].colour, marker="o", markersize=5, markeredgecolor="white",
            linewidth=2.2, label="measured",
        )  # fmt: skip
        shown = np.concatenate([combined, self.measured])
        if np.isfinite(shown).all() and np.ptp(shown) > 0:
            margin = 0.08 * np.ptp(shown)
            axes.set_ylim(shown.min() - margin, shown.max() + margin)
        axes.legend(frameon=False, fontsize=9)
        return label_axes(axes, x="t", y="loss")

    def _interpolated(self, ts: ArrayLike) -> NDArray[np.float64]:
        """The line between the losses of the ends."""
        points = np.asarray(ts, dtype=np.float64)
        return np.asarray((1 - points) * self.losses[0] + points * self.losses[1])

    def _columns(self) -> Mapping[str, Any]:
        at_a, at_b = self.expansions(self.ts)
        return {
            "t": self.ts, "loss": self.measured, "estimate": self.estimated_losses(self.ts),
            "expansion_a": at_a, "expansion_b": at_b,
        }  # fmt: skip


@_arguments.checked()
@refuses_changed_files
def taylor_barrier(
    model: Any,
    params_a: Params,
    params_b: Params,
    batches: Batches,
    loss: Callable[[Any, Any], Any],
    *,
    order: Literal[2, 3] = 2,
    t: float = 0.5,
    ts: int | Sequence[float] = 5,
    batch_norm: Literal["running", "batch"] = "running",
    progress: Callable[[int, int | None], object] | bool | None = None,
) -> TaylorBarrier:
    """Estimate the loss barrier between A and B by Taylor expansions at both, and measure it.

    Parameters
    ----------
    model : torch.nn.Module
        Gives the function, the device and the dtypes; its parameters are neither read nor changed. Run in eval mode.
    params_a, params_b : Mapping[str, array]
        Under the names of ``model.state_dict()``. To ask about a matched pair, pass B after
        :func:`rebasin_fast.apply_permutation`.
    batches : iterable of (inputs, targets), or a callable that gives one
        Gone through once. ``inputs`` is a tensor, a tuple of arguments or a mapping of keyword arguments.
    loss : callable
        ``loss(outputs, targets)``, the mean over a batch, as a tensor.
    order : {2, 3}
        The highest derivative.
    t : float
        The point of the line, 0 < t < 1.
    ts : int or sequence of float
        Further points at which the loss is measured: a number of evenly spaced ones, or the points.
    batch_norm : {"running", "batch"}
        BatchNorm layers on their running statistics, which lie on the line between those of A and B, as in
        :func:`rebasin_fast.interpolate`; or on the statistics of each batch, which then should be large. The
        expansions are of the same function: statistics are differentiated too.
    progress : callable or bool, optional
        True shows a bar on standard error; a callable is called with (batches done, batches in all or None).

    Returns
    -------
    TaylorBarrier

    Raises
    ------
    DataError
        There are no batches, or one is no pair.
    ParamsError
        Parameters are not the model's.
    TypeError
        ``model`` is no torch.nn.Module, or the loss no single number.
    ValueError
        ``order``, ``t``, ``ts`` or ``batch_norm`` is out of its range.
    NotImplementedError
        torch has no forward derivative of an operation of the model.
    MissingDependencyError
        PyTorch is not installed.

    Notes
    -----
    With d = B - A, and gradient g and Hessian H of the loss at each end, the loss at t is expanded twice::

        T_A(t) = L(0) +      t  g_A·d +      t² / 2 d·H_A d
        T_B(t) = L(1) - (1 - t) g_B·d + (1 - t)² / 2 d·H_B d

    and the estimate is (1 - t) T_A(t) + t T_B(t), the weights that keep both losses at the ends; less the straight line
    between them it is the barrier t (1 - t) [(g_A - g_B)·d + (t d·H_A d + (1 - t) d·H_B d) / 2]. Exact where the loss
    is a polynomial of degree ``order`` in the parameters. Ito, Yamada and Kumagai (ICLR 2025, section 3.2 and table 1)
    compare an estimate of second order with the true barrier, to see whether a matched B is near A; the third term is
    the wish of a reviewer.

    Networks of ReLUs are smooth only piece by piece: derivatives are those of the piece on which a sample lies at the
    end, and know nothing of the kinks between the ends.

    Derivatives are nested Jacobian-vector products (``torch.func.jvp``) in the dtype of the model, summed over batches
    in float64. Time: about 3^order forward passes for each end, and one for each further point; memory: that of
    2^order forward passes of one batch.

    Examples
    --------
    >>> import torch
    >>> from rebasin_fast.analysis import taylor_barrier
    >>> model = torch.nn.Linear(1, 1, bias=False)
    >>> a, b = {"weight": torch.tensor([[0.0]])}, {"weight": torch.tensor([[2.0]])}
    >>> batches = [(torch.ones(4, 1), torch.ones(4, 1))]
    >>> found = taylor_barrier(model, a, b, batches, torch.nn.functional.mse_loss)
    >>> found.estimate, found.barrier
    (-1.0, -1.0)
    """
    points = _points(t, ts, order, batch_norm)
    function = FunctionalModel(model, "taylor_barrier")
    line = Line(function, function.tensors(params_a, "A"), function.tensors(params_b, "B"))
    inner = points[1:-1]
    sums, samples = np.zeros(2 * (order + 1) + len(inner)), 0
    with differentiable(function.model, batch_norm), listener(progress, "batches") as notify:
        for done, batch in enumerate(fresh(batches), start=1):
            found = [line.loss(float(point), batch, loss) for point in inner]
            for end in (0, 1):
                found += line.derivatives(end, order, batch, loss)
            sums += np.array(found) * len(batch[1])
            samples += len(batch[1])
            if notify is not None:
                notify(done, count_of(batches))
    if samples == 0:
        raise DataError("the data source gave no batches")
    means = sums / samples
    ends = means[len(inner) :].reshape(2, order + 1).T
    third = ends[3] if order == 3 else np.full(2, np.nan)
    measured = np.concatenate([ends[0][:1], means[: len(inner)], ends[0][1:]])
    return TaylorBarrier(float(t), order, ends[0], ends[1], ends[2], third, points, measured)


def _points(t: float, ts: int | Sequence[float], order: int, batch_norm: str) -> NDArray[np.float64]:
    """The points to be measured, in rising order, with both ends and t; ValueError where an option is wrong."""
    if order not in (2, 3):
        raise ValueError(f"order is 2 or 3; got {order!r}")
    if not 0.0 < t < 1.0:
        raise ValueError(f"t lies between the ends, 0 < t < 1; got {t!r}")
    if batch_norm not in ("running", "batch"):
        raise ValueError(f"batch_norm is 'running' or 'batch'; got {batch_norm!r}")
    further = np.linspace(0.0, 1.0, max(ts, 0)) if isinstance(ts, int) else np.asarray(ts, dtype=np.float64)
    if further.ndim != 1 or not ((further >= 0) & (further <= 1)).all():
        raise ValueError(f"ts is a number of points, or a sequence of points between 0 and 1; got {ts!r}")
    points = np.unique(np.concatenate([[0.0, float(t), 1.0], further]))
    near_t = np.abs(points - t) < 1e-12  # a point of linspace that is t but for rounding
    return np.asarray(points[~near_t | (points == t)])
