"""From several models to one good one: candidates are matched, repaired and measured, and the best is returned."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from rebasin_fast import _arguments
from rebasin_fast._terminal.progress import listener
from rebasin_fast.errors import DataError
from rebasin_fast.evaluation.merge.data import divided
from rebasin_fast.evaluation.merge.matchings import (
    METHODS,
    NEED_DATA,
    Matcher,
    MatchingMethod,
    aligned_models,
    blend,
)
from rebasin_fast.evaluation.merge.measuring import Measuring
from rebasin_fast.evaluation.merge.models import Networks, check_names, params_of, spec_of
from rebasin_fast.evaluation.merge.repairs import (
    REPAIRS,
    repairs_of,
    stale_statistics,
)
from rebasin_fast.evaluation.merge.result import Candidate, Merged
from rebasin_fast.evaluation.merge.trial import check_finite, check_runs
from rebasin_fast.files.mapping.unchanged import refuses_changed_files

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Rng

# Places that t="auto" tries beside the middle.
_PLACES = (0.3, 0.4, 0.6, 0.7)


@_arguments.checked()
@refuses_changed_files
def merge(
    models: Sequence[Any],
    *,
    spec: PermutationSpec | None = None,
    model: Any = None,
    batches: Any = None,
    labels: Any = None,
    loss: Callable[[Any, Any], Any] | None = None,
    metric: str | None = None,
    method: Literal["auto", "identity", "weights", "activations", "both"] = "auto",
    t: float | Literal["auto"] = 0.5,
    weights: Sequence[float] | None = None,
    repair: Literal["auto", "none", "reset", "repair"] = "auto",
    rng: Rng = 0,
    strict: bool = True,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int | None], object] | bool | None = None,
) -> Merged:
    """Merge models of one architecture that were trained apart into one.

    With data several ways are tried and measured, and the best is returned: units matched by weights, by activations
    or by both, or left as they are; then BatchNorm statistics reset, REPAIR, or neither. Without data units are matched
    by weights, and the result names what could not be decided.

    Parameters
    ----------
    models : sequence of Mapping[str, array], path or torch.nn.Module
        Two or more; parameters, files of them, or networks. Not changed.
    spec : PermutationSpec, optional
        By default traced from the model, where there is data to run it on, else recognised from names and shapes.
    model : torch.nn.Module or callable, optional
        The network, or a function that makes it: needed with data, unless ``models`` are networks. Not changed.
    batches : iterable, or callable that gives one, optional
        Pairs of (inputs, targets): a list, a ``DataLoader``. All are kept in memory; a few thousand samples suffice.
        They are divided: every fifth batch measures the candidates, another fifth fits temperatures, from the rest
        statistics and activations are taken. Of fewer than five batches samples are divided so.
    labels : array, optional
        Targets, one a row of ``batches``, which is then one array of inputs.
    loss : callable, optional
        ``loss(outputs, targets)``, the mean over a batch; cross-entropy by default.
    metric : str, optional
        "accuracy", the default where targets are class numbers, or "loss": orders the candidates. Ties go to the
        lower loss.
    method : {"auto", "identity", "weights", "activations", "both"}
        One matching alone instead of all.
    t : float or "auto"
        Place between two models, the first at 0. "auto" also tries 0.3, 0.4, 0.6 and 0.7 on the best candidate.
    weights : sequence of float, optional
        Share of each model, divided by their sum, in place of ``t``.
    repair : {"auto", "none", "reset", "repair"}
        One repair alone; "reset" is of BatchNorm statistics, "repair" REPAIR, for two models.
    rng : int, numpy.random.Generator or None
        Seed of the matching by weights.
    strict : bool
        Refuse parameters that the spec or one of the models lacks, and units that data cannot compare.
    checkpoint : path, optional
        A file (.safetensors, .npz) of what was found; an interrupted call that is repeated goes on from it.
    progress : callable or bool, optional
        True shows a bar on standard error, plain lines in a log; a callable is called with (candidates done,
        candidates in all) after each.

    Returns
    -------
    Merged
        ``params`` is the model, ``table`` all candidates, best first, ``notes`` what was not decided.

    Raises
    ------
    SpecError, ParamsError
        The models do not fit together or the spec, or the network cannot be traced.
    DataError
        A method or repair needs data that is not given; batches are no pairs, empty, or do not fit the model.
    ValueError, TypeError
        Fewer than two models, or options that contradict one another.
    MissingDependencyError
        There is data, and torch is not installed.

    Notes
    -----
    One pass of all models over the statistics for the activations, three for each REPAIR, one for each reset, and one
    of each candidate over the samples that measure. Temperatures change no weights: they divide the logits of
    ``calibrated_loss``, and are in the table.

    Examples
    --------
    >>> import torch, rebasin_fast as rf
    >>> net = lambda: torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))
    >>> a, b = net(), net()
    >>> merged = rf.merge([a, b], batches=torch.randn(300, 4), labels=torch.randint(3, (300,)))
    >>> sorted({candidate.matching for candidate in merged.table})
    ['activations', 'both', 'identity', 'model 0', 'model 1', 'weights']
    >>> _ = net().load_state_dict(merged.params)
    """
    given = list(models)
    if len(given) < 2:
        raise ValueError(f"models are two or more to merge; got {len(given)}")
    _arguments.choice("method", method, ("auto", *METHODS))
    _arguments.choice("repair", repair, ("auto", *REPAIRS))
    shares, place = _shares(t, weights, len(given))
    params = [params_of(one, number) for number, one in enumerate(given)]
    source = model if model is not None else next((one for one in given if hasattr(one, "state_dict")), None)
    if batches is None:
        return _without_data(
            params, spec, source, method, repair, shares, place, rng, strict, checkpoint, labels
        )
    if source is None:
        raise DataError(
            "batches are given, and no network to run on them: pass model=, a torch.nn.Module or a function that makes "
            "one"
        )
    networks = Networks(source, params)
    data = divided(batches, labels).for_network(networks.base)
    check_names(networks, params)
    check_finite(params)
    check_runs(networks, data.inputs[0], loss)
    found = spec_of(spec, params, networks, data)
    matcher = Matcher(found, params, strict, networks.loaded, data.inputs)
    possible, notes = repairs_of(networks.base, len(params), data.inputs[0])
    if repair != "auto" and repair not in possible:
        raise DataError(
            f"repair={repair!r} cannot be used: "
            + (notes[0] if repair == "repair" else "the model has no BatchNorm layer with running statistics")
        )
    options = {"shares": shares, "rng": rng, "method": method, "repair": repair, "t": t, "strict": strict}
    measuring = Measuring(networks, matcher, data, loss, metric, checkpoint, options)
    methods = list(METHODS) if method == "auto" else [method]
    repairs = possible if repair == "auto" else [repair]
    along = _PLACES if t == "auto" and weights is None else ()
    total = len(params) + len(methods) * len(repairs) + len(along)
    with listener(progress, "candidates") as notify:
        report = _reporter(notify, total)
        for number in range(len(params)):
            measuring.end(number)
            report()
        for one in methods:
            for fix in repairs:
                measuring.candidate(one, fix, shares, place)
                report()
        for other in along:
            best = measuring.ordered()[0]
            measuring.candidate(best.matching, best.repair, [1.0 - other, other], other)
            report()
    table = measuring.ordered()
    best = table[0]
    chosen = shares if best.t is None else [1.0 - best.t, best.t]
    result = measuring.params(best.matching, best.repair, chosen, best.t)
    notes = [data.statement(), *notes, *measuring.notes]
    return Merged(
        result, [*table, *measuring.ends()], measuring.matching(best.matching), found, measuring.metric, notes
    )


def _without_data(
    params: list[Any], spec: PermutationSpec | None, source: Any, method: str, repair: str, shares: list[float],
    place: float | None, rng: Rng, strict: bool, checkpoint: Any, labels: Any,
) -> Merged:  # fmt: skip
    """The average by weights, or as the models are."""
    if labels is not None:
        raise DataError("labels are the targets of batches: pass batches=, the inputs, too")
    needed = method if method in NEED_DATA else repair if repair in ("reset", "repair") else None
    if needed is not None:
        raise DataError(f"{needed!r} runs the models on data: pass model= and batches=")
    chosen: MatchingMethod = "identity" if method == "identity" else "weights"
    found = spec_of(spec, params, None, None)
    matching = Matcher(found, params, strict, checkpoint=checkpoint)(chosen, rng)
    merged = blend(aligned_models(found, matching, params), shares)
    notes = [
        "nothing was measured, so matching by activations, REPAIR and the place between the models could not be "
        "compared: pass batches=, pairs (inputs, targets)" + ("" if source is not None else ", and model=")
    ]
    notes += [note for note in [stale_statistics(merged)] if note]
    return Merged(merged, [Candidate(chosen, "none", place)], matching, found, None, notes)


def _shares(t: Any, weights: Sequence[float] | None, count: int) -> tuple[list[float], float | None]:
    """The share of each model, of sum 1, and the place between two."""
    if weights is not None:
        given = [_arguments.number("weights", weight, least=0.0) for weight in weights]
        if len(given) != count or sum(given) == 0.0:
            raise ValueError(f"weights are {count} numbers, one a model, whose sum is above 0; got {given}")
        shares = [weight / sum(given) for weight in given]
        return shares, shares[1] if count == 2 else None
    if isinstance(t, str):
        _arguments.choice("t", t, ("auto",))
    place = (
        0.5
        if isinstance(t, str)
        else _arguments.number("t", t, least=0.0, most=1.0, of="a place from 0 to 1")
    )
    if count == 2:
        return [1.0 - place, place], place
    if place != 0.5 or isinstance(t, str):
        raise ValueError(f"t is a place between two models; {count} take weights=, one a model")
    return [1.0 / count] * count, None


def _reporter(notify: Callable[[int, int | None], object] | None, total: int) -> Callable[[], None]:
    done = 0

    def report() -> None:
        nonlocal done
        done += 1
        if notify is not None:
            notify(done, total)

    return report
