"""REPAIR: means and deviations of an averaged network's units set to those that its parents have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import chain
from typing import Any

from rebasin_fast._models.inference import call, check_model, count_of, device_of, evaluating, import_torch
from rebasin_fast.errors import DataError, ParamsError
from rebasin_fast.evaluation.batch_norm import measuring, tracking_layers
from rebasin_fast.evaluation.repair_layers import Point, find_points
from rebasin_fast.matching.activation.moments import UnitMoments

Moments = dict[Point, UnitMoments]
Goals = dict[Point, tuple[Any, Any]]  # mean and deviation
Watcher = Callable[[Point, Any], Any]


def repair(
    model: Any,
    model_a: Any,
    model_b: Any,
    batches: Iterable[Any],
    *,
    t: float = 0.5,
    layers: Sequence[str] | None = None,
    passes: int = 1,
    progress: Callable[[int, int | None], object] | None = None,
) -> list[str]:
    """Correct an interpolated model so that its units have the interpolated statistics of A and B, in place.

    Averaged weights shrink the variance of activations, layer by layer. REPAIR gives every hidden unit the mean
    (1 - t) mean_A + t mean_B and the deviation (1 - t) dev_A + t dev_B over the data, and folds the correction into
    the weight and bias of the layer, so that the result is a plain model of the same architecture.

    Parameters
    ----------
    model : torch.nn.Module
        The model at ``t`` on the line between A and B, matched onto A before; changed in place. Training flags
        are put back; after an exception so are all parameters and statistics.
    model_a, model_b : torch.nn.Module
        The ends of the line: B with its units where matching put them. Not changed.
    batches : iterable
        Training inputs, a few thousand samples in batches of a hundred or more. Each batch is a tensor, an
        (inputs, …) tuple or list, whose first element is used, or a mapping of keyword arguments.
    t : float
        Position of ``model`` on the line.
    layers : sequence of str, optional
        Names of the layers to correct. By default every Linear and convolution layer that runs, except the output
        layer (whose result the model returns, and the one that runs last); where BatchNorm reads what a layer
        gives, BatchNorm in its place. Layers whose weight is shared, or computed from others, are left alone.
    passes : int
        1 is the published method: every layer is corrected by each batch's own statistics while those after it
        are measured, which is exact for a single batch, and within a percent or so for batches of hundreds. Each
        further pass measures the corrected model and makes one more layer exact over all batches, in the order in
        which they run; ``batches`` must be something that can be gone through again.
    progress : callable, optional
        Called with (batches done, batches in all or None), counted over all passes.

    Returns
    -------
    list[str]
        The names of the corrected layers, in the order in which they run.

    Raises
    ------
    ValueError
        There are no batches, nothing to correct, ``layers`` names something else, ``model`` is one of the ends, or
        more than one pass is asked of an iterator.
    ParamsError
        The models differ, or an activation is NaN or infinite.

    Notes
    -----
    BatchNorm layers get new running statistics in the first pass as :func:`rebasin_fast.reset_batch_norm` gives them,
    whatever ``layers`` says, and then the interpolated means and deviations at their outputs. A layer without a
    bias, and without BatchNorm after it, gets the deviations only. A unit that never changes in ``model`` keeps its
    weights, and gets the mean.

    Three forward passes a batch in the first pass, one in each further; moments in float64, O(units) of memory.
    Jordan, Sedghi, Saukh, Entezari & Neyshabur, *REPAIR: REnormalizing Permuted Activations for Interpolation
    Repair*, 2022, section 4.

    Examples
    --------
    >>> import torch, rebasin_fast as rf
    >>> net = lambda: torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.ReLU(), torch.nn.Linear(32, 3))
    >>> a, b, middle = net(), net(), net()
    >>> _ = middle.load_state_dict(rf.interpolate(a.state_dict(), b.state_dict(), 0.5))
    >>> x = torch.randn(500, 8)
    >>> rf.repair(middle, a, b, [x])
    ['0']
    >>> goal = (a[0](x).std(0) + b[0](x).std(0)) / 2
    >>> torch.allclose(middle[0](x).std(0), goal, rtol=1e-4)
    True
    """
    import_torch("repair")
    for name, one in (("model", model), ("model_a", model_a), ("model_b", model_b)):
        check_model(one, name)
    if model is model_a or model is model_b:
        raise ValueError(
            "model is one of the ends of the line; give a third model that holds the interpolation"
        )
    if not 0.0 <= t <= 1.0:
        raise ValueError(f"t is a place on the line between A (0) and B (1), got {t}")
    _check_passes(passes, batches)
    stream = iter(batches)
    try:
        first = next(stream)
    except StopIteration:
        raise DataError("batches is empty: repair needs training inputs to measure activations on") from None
    points = find_points(model, first, layers)
    count = count_of(batches)
    passes = min(passes, 1 + len(points))
    report = _reporter(progress, None if count is None else count * passes)
    with _restoring(model):
        goals = _first_pass(model, model_a, model_b, chain([first], stream), points, t, report)
        for point in points[: passes - 1]:
            moments = _moments_of([point])
            with evaluating(model), _watching(model, [point], partial(_note, moments)):
                for batch in batches:
                    call(model, batch, device_of(model))
                    report()
            _fold(model, moments, goals)
    return [point.name for point in points]


def _check_passes(passes: int, batches: Iterable[Any]) -> None:
    if passes < 1:
        raise ValueError(f"passes is a number of passes over the batches, 1 or more; got {passes}")
    if isinstance(batches, Iterator) and passes > 1:
        raise ValueError(
            f"{passes} passes need batches that can be gone through again, such as a list or a DataLoader; "
            "got an iterator"
        )


def _first_pass(
    model: Any,
    model_a: Any,
    model_b: Any,
    batches: Iterable[Any],
    points: list[Point],
    t: float,
    report: Callable[[], None],
) -> Goals:
    """Measure the ends, and the model as each batch's own statistics correct it; fold; the goals over all batches."""
    of_a, of_b, of_model = _moments_of(points), _moments_of(points), _moments_of(points)
    with measuring(model, tracking_layers(model)), evaluating(model_a, model_b):
        for batch in batches:
            batch_a, batch_b = _moments_of(points), _moments_of(points)
            for end, whole, own in ((model_a, of_a, batch_a), (model_b, of_b, batch_b)):
                with _watching(end, points, partial(_note_both, whole, own)):
                    call(end, batch, device_of(end))
            correct = partial(_corrected, of_model, _goals(batch_a, batch_b, t))
            with _watching(model, points, correct):
                call(model, batch, device_of(model))
            report()
    goals = _goals(of_a, of_b, t)
    _fold(model, of_model, goals)
    return goals


def _moments_of(points: list[Point]) -> Moments:
    return {point: UnitMoments() for point in points}


def _note(moments: Moments, point: Point, output: Any) -> None:
    moments[point].add(point.rows(output))


def _note_both(whole: Moments, own: Moments, point: Point, output: Any) -> None:
    _note(whole, point, output)
    _note(own, point, output)


def _corrected(whole: Moments, goals: Goals, point: Point, output: Any) -> Any:
    """What the layer is to give for this batch, by the batch's own statistics."""
    own = UnitMoments()
    own.add(point.rows(output))
    _note(whole, point, output)
    scale, shift = _correction(point, own, goals[point])
    return output * point.along(scale, output) + point.along(shift, output)


def _goals(of_a: Moments, of_b: Moments, t: float) -> Goals:
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


def _fold(model: Any, moments: Moments, goals: Goals) -> None:
    import torch

    modules = dict(model.named_modules())
    corrections = {point: _correction(point, each, goals[point]) for point, each in moments.items()}
    for point, (scale, shift) in corrections.items():
        if not (torch.isfinite(scale).all() and torch.isfinite(shift).all()):
            raise ParamsError(
                f"what layer {point.name!r} gives holds NaN or infinite values; it cannot be corrected"
            )
    with torch.no_grad():
        for point, (scale, shift) in corrections.items():
            point.fold(modules[point.name], scale, shift)


@contextmanager
def _watching(model: Any, points: list[Point], watch: Watcher) -> Iterator[None]:
    """``watch(point, output)`` at every run of a point; what it returns takes the place of the output."""
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
def _restoring(model: Any) -> Iterator[None]:
    """After an exception all parameters and buffers are what they were."""
    import torch

    saved = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    try:
        yield
    except BaseException:
        with torch.no_grad():
            for name, tensor in model.state_dict().items():
                tensor.copy_(saved[name])
        raise


def _reporter(progress: Callable[[int, int | None], object] | None, total: int | None) -> Callable[[], None]:
    done = 0

    def report() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    return report
