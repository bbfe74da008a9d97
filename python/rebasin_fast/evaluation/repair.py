"""REPAIR: means and deviations of an averaged network's units set to the averages of those of its ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any

from rebasin_fast import _arguments
from rebasin_fast._models.inference import (
    call,
    check_model,
    check_samples,
    count_of,
    device_of,
    evaluating,
    import_torch,
)
from rebasin_fast._terminal.progress import listener
from rebasin_fast.errors import DataError
from rebasin_fast.evaluation.batch_norm import check_statistics, measuring, tracking_layers
from rebasin_fast.evaluation.repair_layers import Point, find_points
from rebasin_fast.evaluation.repair_moments import (
    Goals,
    corrected,
    fold,
    goals_between,
    measure,
    moments_of,
    restoring,
    watching,
)
from rebasin_fast.files.mapping.unchanged import refuses_changed_files


@_arguments.checked(passes=1)
@refuses_changed_files
def repair(
    model: Any,
    model_a: Any,
    model_b: Any,
    batches: Iterable[Any],
    *,
    t: float = 0.5,
    layers: Sequence[str] | None = None,
    passes: int = 1,
    progress: Callable[[int, int | None], object] | bool | None = None,
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
        layer (whose result the model returns, and the one that runs last); where BatchNorm follows a layer,
        BatchNorm in its place. Layers whose weight is shared, or computed from others, are left alone.
    passes : int
        1 is the published method: every layer is corrected by each batch's own statistics while those after it
        are measured, which is exact for a single batch, and within a percent or so for batches of hundreds. Each
        further pass measures the corrected model and makes one more layer exact over all batches, in the order in
        which they run; ``batches`` must be something that can be gone through again.
    progress : callable or bool, optional
        True shows a bar on standard error, plain lines in a log; a callable is called with
        (batches done, batches in all or None), counted over all passes.

    Returns
    -------
    list[str]
        The names of the corrected layers, in the order in which they run.

    Raises
    ------
    ValueError
        There are no batches, nothing to correct, ``layers`` names something else, ``model`` is one of the ends, or
        more than one pass is requested with an iterator.
    DataError
        A ValueError; a batch has no samples, holds NaN or infinity, or does not fit the model: its number is named.
    ParamsError
        The models differ, or an activation is NaN or infinite.

    Notes
    -----
    BatchNorm layers get new running statistics in the first pass as :func:`rebasin_fast.reset_batch_norm` gives them,
    for any ``layers``, and then the interpolated means and deviations at their outputs. A layer without a
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
    _arguments.stream("batches", batches, "batches of inputs", functions=False)
    for name, one in (("model", model), ("model_a", model_a), ("model_b", model_b)):
        check_model(one, name)
    if model is model_a or model is model_b:
        raise ValueError(
            "model is one of the ends of the line; give a third model that holds the interpolation"
        )
    t = _arguments.number("t", t, least=0.0, most=1.0, of="a place on the line between A (0) and B (1)")
    _check_passes(passes, batches)
    stream = iter(batches)
    try:
        first = next(stream)
    except StopIteration:
        raise DataError("batches is empty: repair needs training inputs to measure activations on") from None
    check_samples(first, 0)
    points = find_points(model, first, layers)
    count = count_of(batches)
    passes = min(passes, 1 + len(points))
    with restoring(model), listener(progress, "batches") as notify:
        report = _reporter(notify, None if count is None else count * passes)
        goals = _first_pass(model, model_a, model_b, chain([first], stream), points, t, report)
        for point in points[: passes - 1]:
            moments = moments_of([point])
            with evaluating(model), watching(model, [point], partial(measure, [moments])):
                for number, batch in enumerate(batches):
                    check_samples(batch, number)
                    call(model, batch, device_of(model), number)
                    report()
            fold(model, moments, goals)
    return [point.name for point in points]


def _check_passes(passes: int, batches: Iterable[Any]) -> None:
    _arguments.count("passes", passes, of="a number of passes over the batches")
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
    of_a, of_b, of_model = moments_of(points), moments_of(points), moments_of(points)
    layers = tracking_layers(model)
    with measuring(model, layers), evaluating(model_a, model_b):
        for number, batch in enumerate(batches):
            check_samples(batch, number)
            batch_a, batch_b = moments_of(points), moments_of(points)
            for end, whole, own in ((model_a, of_a, batch_a), (model_b, of_b, batch_b)):
                with watching(end, points, partial(measure, [whole, own])):
                    call(end, batch, device_of(end), number)
            correct = partial(corrected, of_model, goals_between(batch_a, batch_b, t))
            with watching(model, points, correct):
                call(model, batch, device_of(model), number)
            check_statistics(model, layers, number)
            report()
    goals = goals_between(of_a, of_b, t)
    fold(model, of_model, goals)
    return goals


def _reporter(progress: Callable[[int, int | None], object] | None, total: int | None) -> Callable[[], None]:
    done = 0

    def report() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    return report
