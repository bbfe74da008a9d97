"""Means and deviations of units: measured, brought from one to another, and folded into parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from rebasin_fast.errors import ParamsError
from rebasin_fast.evaluation.repair_layers import Point
from rebasin_fast.matching.activation.moments import UnitMoments

Moments = dict[Point, UnitMoments]
Goals = dict[Point, tuple[Any, Any]]  # mean and deviation
Watcher = Callable[[Point, Any], Any]


def moments_of(points: Sequence[Point]) -> Moments:
    """Moments of each point, of no outputs yet."""
    return {point: UnitMoments() for point in points}


def measure(into: Sequence[Moments], point: Point, output: Any) -> None:
    """Add the units of ``output`` to the moments of ``point``."""
    for moments in into:
        moments[point].add(point.rows(output))


def corrected(whole: Moments, goals: Goals, point: Point, output: Any) -> Any:
    """The output of a layer for this batch, corrected by the batch's own statistics."""
    own = moments_of([point])
    measure([whole, own], point, output)
    scale, shift = _correction(point, own[point], goals[point])
    return output * point.along(scale, output) + point.along(shift, output)


def goals_between(of_a: Moments, of_b: Moments, t: float) -> Goals:
    """The means and deviations at ``t`` between those of A and B.

    Raises ParamsError where a layer does not run in both.
    """
    goals: Goals = {}
    for point, a in of_a.items():
        b = of_b[point]
        if a.count == 0 or b.count == 0:
            raise ParamsError(f"layer {point.name!r} does not run in both ends of the line")
        ends = ((a.mean, b.mean), (a.deviation(), b.deviation()))
        mean, deviation = ((1.0 - t) * x + t * y.to(x.device) for x, y in ends)
        goals[point] = mean, deviation
    return goals


def _correction(point: Point, moments: UnitMoments, goal: tuple[Any, Any]) -> tuple[Any, Any]:
    """Scale and shift that take the measured mean and deviation to the goal's."""
    mean, deviation = (value.to(moments.mean.device) for value in goal)
    found = moments.deviation()
    alive = found > 0.0
    scale = (deviation / found.where(alive, found.new_ones(()))).where(alive, found.new_ones(()))
    if not point.has_bias:
        return scale, scale.new_zeros(scale.shape)
    return scale, mean - scale * moments.mean


def fold(model: Any, moments: Moments, goals: Goals) -> None:
    """Take the measured moments to the goals by the layers' own parameters.

    Raises ParamsError, before any is changed, where a correction is not finite.
    """
    import torch

    modules = dict(model.named_modules())
    corrections = {point: _correction(point, each, goals[point]) for point, each in moments.items()}
    for point, (scale, shift) in corrections.items():
        if not (torch.isfinite(scale).all() and torch.isfinite(shift).all()):
            raise ParamsError(
                f"the output of layer {point.name!r} holds NaN or infinite values; it cannot be corrected"
            )
    with torch.no_grad():
        for point, (scale, shift) in corrections.items():
            point.fold(modules[point.name], scale, shift)


@contextmanager
def watching(model: Any, points: list[Point], watch: Watcher) -> Iterator[None]:
    """``watch(point, output)`` at every run of a point; a result other than None takes the place of the output."""
    modules = dict(model.named_modules())
    missing = [point.name for point in points if point.name not in modules]
    if missing:
        raise ParamsError(f"the models differ: one of them has no layer {missing[0]!r}")

    def hook_of(point: Point) -> Any:
        return lambda _module, _args, output: watch(point, output)

    with ExitStack() as stack:
        for point in points:
            stack.callback(modules[point.name].register_forward_hook(hook_of(point)).remove)
        yield


@contextmanager
def restoring(model: Any) -> Iterator[None]:
    """After an exception all parameters and buffers are as before."""
    import torch

    saved = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    try:
        yield
    except BaseException:
        with torch.no_grad():
            for name, tensor in model.state_dict().items():
                tensor.copy_(saved[name])
        raise
