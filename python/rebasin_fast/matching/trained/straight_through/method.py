"""Straight-through estimator: the permutation trained on data, algorithm 2 of Git Re-Basin."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, overload

from rebasin_fast import _arguments
from rebasin_fast._models.functional import Batches, FunctionalModel
from rebasin_fast._models.inference import import_torch
from rebasin_fast._terminal.progress import listener
from rebasin_fast.files.mapping.unchanged import refuses_changed_files
from rebasin_fast.matching.objective import objective_of
from rebasin_fast.matching.pair import check_pair, start_of
from rebasin_fast.matching.result import Matching, Progress, ProgressCallback
from rebasin_fast.matching.runs import is_default_seed
from rebasin_fast.matching.trained.options import takes_options
from rebasin_fast.matching.trained.straight_through.options import (
    StraightThroughKeywords,
    StraightThroughOptions,
)
from rebasin_fast.matching.trained.straight_through.result import (
    StraightThroughMatching,
    SymmetricStraightThroughMatching,
)
from rebasin_fast.matching.trained.straight_through.run import StraightThroughRun
from rebasin_fast.matching.trained.straight_through.symmetric import refine
from rebasin_fast.permutation.transform import Transform

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Params, Permutation, Rng


@overload
def straight_through_matching(
    spec: PermutationSpec,
    model: Any,
    params_a: Params,
    params_b: Params,
    batches: Batches,
    loss: Callable[[Any, Any], Any],
    *,
    symmetries: Literal["all"],
    move_both: bool = ...,
    gradient: Literal["straight-through", "group"] = ...,
    init: Permutation | Matching | Transform | None = ...,
    **keywords: Unpack[StraightThroughKeywords],
) -> SymmetricStraightThroughMatching: ...
@overload
def straight_through_matching(
    spec: PermutationSpec,
    model: Any,
    params_a: Params,
    params_b: Params,
    batches: Batches,
    loss: Callable[[Any, Any], Any],
    *,
    symmetries: Literal["permutations"] = ...,
    momentum: float | None = ...,
    init: Permutation | Matching | None = ...,
    **keywords: Unpack[StraightThroughKeywords],
) -> StraightThroughMatching: ...
@takes_options(StraightThroughOptions)
@_arguments.checked(epochs=1, evaluate_every=1, kept_batches=1, patience=1, threads=1, checkpoint_every=1)
@refuses_changed_files
def straight_through_matching(
    spec: PermutationSpec,
    model: Any,
    params_a: Params,
    params_b: Params,
    batches: Batches,
    loss: Callable[[Any, Any], Any],
    *,
    symmetries: Literal["permutations", "all"] = "permutations",
    move_both: bool = False,
    gradient: Literal["straight-through", "group"] = "straight-through",
    rng: Rng = 0,
    epochs: int = 1,
    learning_rate: float | None = None,
    momentum: float | None = None,
    optimizer: Callable[[list[Any]], Any] | None = None,
    schedule: Callable[[Any], Any] | None = None,
    max_iter: int | None = None,
    init: Permutation | Matching | Transform | None = None,
    evaluate: Callable[[Params], float | Mapping[str, float]] | None = None,
    evaluate_every: int = 50,
    kept_batches: int = 4,
    patience: int | None = None,
    stop: Callable[[Progress], bool] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: int | None = None,
    strict: bool = True,
    threads: int | None = None,
    progress: ProgressCallback | bool | None = None,
    options: StraightThroughOptions | None = None,
) -> StraightThroughMatching:
    """Train the permutation of B's units that lowers the loss halfway between A and B.

    Parameters
    ----------
    spec : PermutationSpec
        Which permutation moves which axis.
    model : torch.nn.Module
        Gives the function, the device and the dtypes; its parameters are neither read nor changed.
    params_a, params_b : Mapping[str, array]
        Under the names of ``model.state_dict()``. Copied to the model's device.
    batches : iterable of (inputs, targets), or a callable that gives one
        One epoch. ``inputs`` is a tensor, a tuple of arguments or a mapping of keyword arguments.
    loss : callable
        ``loss(outputs, targets)``, a scalar tensor.
    symmetries : {"permutations", "all"}
        "all": signs, scales and matrices of units beside their order, as for :func:`weight_matching`, from whose result
        the run starts. Both models are brought to normal form (:func:`rebasin_fast.normalise`); merge on the line
        between the ``endpoints`` of the result.
    move_both : bool
        With "all": train a copy of each end, and move A's normal form too.
    gradient : {"straight-through", "group"}
        With "all", where the gradient goes: "straight-through" to a copy, which B follows by matchings; "group" to the
        matrices and scales of B's units themselves, from where the run starts, while orders and signs stay as they are
        there. Matrices of linear groups are any invertible ones then. No matching follows a step.
    rng : int, numpy.random.Generator or None
        Seeds the first matching, as in :func:`weight_matching`. Same inputs, batches and seed: same permutation.
    epochs : int
        How often to go through ``batches``.
    learning_rate, momentum : float, optional
        Of the default optimizer, SGD: 0.1 and 0.9. With ``symmetries="all"`` it is Adam, at 0.01, without momentum; on
        groups less for units above a hundred or two, as a step turns n of them by up to n times the rate.
    optimizer : callable, optional
        Gives a ``torch.optim.Optimizer`` for a list of tensors.
    schedule : callable, optional
        Gives a scheduler for the optimizer; stepped after every minibatch.
    max_iter : int, optional
        Most sweeps of the matching in a step: 100; 1 with ``symmetries="all"``.
    init : Mapping[str, array of int64], optional
        Where the first matching starts; the identity by default. With ``symmetries="all"`` a :class:`Transform` or a
        matching too, from which training starts as it is, in place of weight matching's result.
    evaluate : callable, optional
        ``evaluate(params)`` gives the loss, or a mapping with "loss", of the midpoint; decides which permutation
        is best. By default that is the mean loss on the first ``kept_batches`` batches.
    evaluate_every : int
        Steps between comparisons; one more at every epoch's end. An unchanged permutation is not compared again.
    kept_batches : int
        Batches kept in memory for comparisons.
    patience : int, optional
        End after this many comparisons in a row without a lower loss.
    stop : callable, optional
        Called after every step with its :class:`Progress`; True ends the run.
    checkpoint : path, optional
        A ``.safetensors`` or ``.npz`` file, written whole or not at all at every epoch's end and every
        ``checkpoint_every`` steps. When it exists the run continues from it.
    checkpoint_every : int, optional
        Continuing within an epoch skips the batches already used: ``batches`` must give them in the same order.
    strict : bool
        As for :func:`weight_matching`.
    threads : int, optional
        Threads of the matching's products; needs threadpoolctl.
    progress : callable or bool, optional
        True shows a bar on standard error, plain lines in a log; a callable is called with
        a :class:`Progress` after every step: ``sweep`` is the epoch, ``visit`` the step within it,
        ``permutation`` is ``""`` and ``objective`` the loss of the minibatch at the midpoint.
    options : StraightThroughOptions, optional
        Values for the keywords of the same names; a keyword that is given wins.

    Returns
    -------
    StraightThroughMatching
        With ``symmetries="all"`` a :class:`SymmetricStraightThroughMatching`.
        The permutation of the lowest loss, kept by value. Its loss is never above that of weight matching's result,
        from which the run starts; its weights' objective may be below.

    Raises
    ------
    SpecError, ParamsError, PermutationError
        The spec, the model, the parameters, ``init`` or a checkpoint do not fit together.
    ValueError
        An option is out of range or does not apply, ``batches`` gave none, or the loss became NaN or infinite.
    MissingDependencyError
        Without PyTorch.

    Notes
    -----
    Algorithm 2 of Ainsworth, Hayase & Srinivasa, *Git Re-Basin*, 2022: a copy of A is trained; in every step B is
    matched to it by weight matching, from the last permutation, the loss is taken at the midpoint of A and the
    permuted B, and its gradient passes straight through to the copy. The original program keeps its best
    permutation by reference, so that its best is always its latest; here it is copied.

    A step is one forward and backward pass and a matching, which is one product a parameter when nothing moves.
    Dropout is off; BatchNorm layers normalise with the statistics of each batch, and no buffer is written back:
    measure the statistics of the result by :func:`reset_batch_norm`. On a GPU the weights of the trained copy go
    to the host once a step, where matching runs.

    With ``symmetries="all"`` a step projects the copy on the orbit of B: one sweep of the ascent of
    ``weight_matching(…, symmetries="all")``, from the last isometry, which never lowers vec(copy) . vec(moved B). With
    ``move_both`` a copy of the aligned B is trained beside that of A, and A projected on it.

    With ``gradient="group"`` the optimizer holds coordinates X about where B stands: exp(X) multiplies each matrix of
    units (X skew for rotations), exp(x) each scale. After its step B moves by them, and they are 0 again, so that B
    computes its own function at every step.

    Examples
    --------
    >>> import numpy as np, rebasin_fast as rf
    >>> import torch
    >>> from torch import nn
    >>> _ = torch.manual_seed(0)
    >>> net = lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> spec, model = rf.specs.mlp(["0", "2"]), net()
    >>> inputs = torch.randn(64, 4)
    >>> batches = [(inputs, (inputs[:, 0] > 0).long())] * 10
    >>> a, b = net().state_dict(), net().state_dict()
    >>> found = rf.straight_through_matching(spec, model, a, b, batches, nn.functional.cross_entropy)
    >>> found.steps, found.loss <= found.first_loss
    (10, True)
    """
    assert options is not None  # it holds the keywords above
    options = options.resolved()
    _arguments.function("loss", loss)
    _arguments.stream("batches", batches, "batches of (inputs, targets)")
    import_torch("straight_through_matching")
    function = FunctionalModel(model, "straight_through_matching")
    if options.symmetries == "all":
        return refine(
            spec, function, params_a, params_b, batches, loss, options,
            rng=rng, init=init, evaluate=evaluate, stop=stop, progress=progress,
        )  # fmt: skip
    if isinstance(init, Transform):
        raise TypeError("init is a permutation with symmetries='permutations'; a Transform is for 'all'")
    pair = check_pair(spec, params_a, params_b, strict=strict)
    start = start_of(spec, pair.sizes, init.permutation if isinstance(init, Matching) else init)
    seed = 0 if is_default_seed(rng) else int(_arguments.generator("rng", rng).integers(1, 2**62))
    run = StraightThroughRun(spec, function, params_a, params_b, loss, options, start, evaluate, seed)
    with listener(progress) as notify:
        converged = run.train(batches, stop, notify)
    state = run.state
    return StraightThroughMatching(
        permutation=state.best,
        objective=objective_of(spec, params_a, params_b, state.best, strict=strict),
        first_objective=objective_of(spec, params_a, params_b, start, strict=strict),
        history=state.history,
        sweeps=state.epoch,
        converged=converged,
        stats=run.work,
        report=pair.left_in_place,
        **state.losses_of_result(),
    )
