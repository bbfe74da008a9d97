"""Sinkhorn re-basin: permutations trained by gradient descent through doubly stochastic matrices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rebasin_fast import _arguments
from rebasin_fast._models.functional import Batches, FunctionalModel
from rebasin_fast._models.inference import import_torch
from rebasin_fast._terminal.progress import listener
from rebasin_fast.errors import ParamsError
from rebasin_fast.files.mapping.unchanged import refuses_changed_files
from rebasin_fast.matching.objective import objective_of
from rebasin_fast.matching.pair import check_pair, start_of
from rebasin_fast.matching.result import Matching, MatchingStats, Progress, ProgressCallback
from rebasin_fast.matching.trained.options import takes_options
from rebasin_fast.matching.trained.result import TrainedMatching
from rebasin_fast.matching.trained.sinkhorn.run import Direction, Objective, SinkhornOptions, SinkhornRun
from rebasin_fast.permutation import invert_permutation

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Params, Permutation, Rng


@dataclass(frozen=True, repr=False)
class SinkhornMatching(TrainedMatching):
    """The result of :func:`sinkhorn_matching`: a :class:`Matching`, and how the loss fell.

    ``loss`` and ``first_loss`` are the squared distance of the weights, or the loss at the midpoint on the kept
    batches; ``losses`` those of the soft permutations. ``objective`` is that of the weights; it decides with the L2
    objective, and may be below ``first_objective`` with the others. ``history`` holds it at each comparison.
    ``converged`` means that patience ended the run.
    """


@takes_options(SinkhornOptions)
@_arguments.checked(steps=1, epochs=1, iterations=1, evaluate_every=1, kept_batches=1, patience=1)
@refuses_changed_files
def sinkhorn_matching(
    spec: PermutationSpec,
    model: Any,
    params_a: Params,
    params_b: Params,
    batches: Batches | None = None,
    loss: Callable[[Any, Any], Any] | None = None,
    *,
    objective: Objective | None = None,
    rng: Rng = 0,
    steps: int | None = None,
    epochs: int = 1,
    tau: float = 1.0,
    iterations: int = 20,
    learning_rate: float = 0.1,
    optimizer: Callable[[list[Any]], Any] | None = None,
    schedule: Callable[[Any], Any] | None = None,
    noise: float = 0.1,
    init: Permutation | Matching | None = None,
    direction: Direction = "b_to_a",
    evaluate_every: int = 10,
    kept_batches: int = 4,
    patience: int | None = None,
    stop: Callable[[Progress], bool] | None = None,
    strict: bool = True,
    progress: ProgressCallback | bool | None = None,
    options: SinkhornOptions | None = None,
) -> SinkhornMatching:
    """Train the permutation by gradient descent, each permutation relaxed to a doubly stochastic matrix.

    Parameters
    ----------
    spec : PermutationSpec
        Which permutation moves which axis; every kind of entry.
    model : torch.nn.Module or None
        Gives the function, the device and the dtypes; not changed. The L2 objective needs none: it then runs on the
        CPU, in float32 (float64 if a parameter of A is).
    params_a, params_b : Mapping[str, array]
        Of equal shapes; with a model under the names of ``model.state_dict()``.
    batches : iterable of (inputs, targets), or a callable that gives one, optional
        One epoch; for the midpoint and random objectives.
    loss : callable, optional
        ``loss(outputs, targets)``, a scalar tensor; goes with ``batches``.
    objective : {"l2", "midpoint", "random"}, optional
        The squared distance of the weights; the loss halfway between the models; the loss at a random point of the
        line, drawn each step. Default: "midpoint" with ``batches``, else "l2".
    rng : int, numpy.random.Generator or None
        Seeds the noise of the start and the random points. Same inputs, batches and seed: same permutation.
    steps : int, optional
        Most steps; 300 for "l2". Default with batches: ``epochs`` times all of them.
    epochs : int
        How often to go through ``batches``.
    tau : float
        Temperature of the soft permutations.
    iterations : int
        Scalings of Sinkhorn a step.
    learning_rate : float
        Of the default optimizer, AdamW.
    optimizer, schedule : callable, optional
        As for :func:`straight_through_matching`.
    noise : float
        Standard deviation of the noise on the first scores, which are 1 where ``init`` (the identity) stands.
    init : Mapping[str, array of int64], optional
        Where the scores start, as a permutation of B.
    direction : {"b_to_a", "a_to_b"}
        Which model is moved softly. The result is always the permutation of B onto A: that of A is inverted.
    evaluate_every : int
        Steps between comparisons: the scores are rounded by an exact assignment, and a permutation that is new is
        measured with hard weights; the best is kept, the start included.
    kept_batches : int
        Batches kept in memory for comparisons.
    patience : int, optional
        End after this many comparisons in a row without a lower loss.
    stop : callable, optional
        Called after every step with its :class:`Progress`; True ends the run.
    strict : bool
        As for :func:`weight_matching`.
    progress : callable or bool, optional
        True shows a bar on standard error, plain lines in a log; a callable is called with
        a :class:`Progress` after every step: ``sweep`` is the epoch, ``visit`` the step within it,
        ``permutation`` is ``""`` and ``objective`` the soft loss.
    options : SinkhornOptions, optional
        Values for the keywords of the same names; a keyword that is given wins.

    Returns
    -------
    SinkhornMatching
        Its loss is never above the start's.

    Raises
    ------
    SpecError, ParamsError, PermutationError
        The spec, the model and the parameters do not fit together.
    ValueError
        An option is out of range, or the loss became NaN or infinite.
    MissingDependencyError
        Without PyTorch.

    Notes
    -----
    Peña et al., *Re-basin via implicit Sinkhorn differentiation*, CVPR 2023; scores start at the identity and
    noise of 0.1, twenty scalings, implicit differentiation. Permutations of one size are scaled as one batch. The
    backward pass of Sinkhorn is O(n²) an iteration
    (see :mod:`rebasin_fast.matching.trained.sinkhorn.gradient`); the rest
    is the products with the weights: two and their gradients, O(n³), for each weight between hidden layers.
    Dropout is off and BatchNorm layers use the statistics of each batch, as in
    :func:`straight_through_matching`; their statistics move with the units when the result is applied.

    Examples
    --------
    >>> import numpy as np, rebasin_fast as rf
    >>> rng = np.random.default_rng(0)
    >>> spec = rf.specs.mlp(["fc1", "fc2"], bias=False)
    >>> a = {"fc1.weight": rng.standard_normal((10, 4)), "fc2.weight": rng.standard_normal((4, 10))}
    >>> b = rf.apply_permutation(spec, {"P0": rng.permutation(10)}, a)
    >>> found = rf.sinkhorn_matching(spec, None, a, b)
    >>> found.loss, found.first_loss > 1.0
    (0.0, True)
    """
    assert options is not None  # it holds the keywords above
    options = replace(options, objective=options.objective or ("l2" if batches is None else "midpoint"))
    options.check(batches, loss)
    if batches is not None:
        _arguments.stream("batches", batches, "batches of (inputs, targets)")
        _arguments.function("loss", loss)
    import_torch("sinkhorn_matching")
    generator = _arguments.generator("rng", rng)
    pair = check_pair(spec, params_a, params_b, strict=strict)
    begin = start_of(spec, pair.sizes, init.permutation if isinstance(init, Matching) else init)
    # Refuses parameters that cannot be matched, by name.
    first_objective = objective_of(spec, params_a, params_b, begin, strict=strict)
    function = FunctionalModel(model, "sinkhorn_matching") if model is not None else None
    if function is None and options.objective != "l2":
        raise ParamsError(f"the {options.objective} objective needs the model")
    forward = options.direction == "b_to_a"
    still, moving = (params_a, params_b) if forward else (params_b, params_a)
    start = begin if forward else invert_permutation(begin, spec)
    run = SinkhornRun(spec, function, still, moving, loss, options, start, generator)
    with listener(progress) as notify:
        converged = run.train(batches, stop, notify)
    state = run.state
    permutation = begin | (state.best if forward else invert_permutation(state.best, spec))
    return SinkhornMatching(
        permutation=permutation,
        objective=objective_of(spec, params_a, params_b, permutation, strict=strict),
        first_objective=first_objective,
        history=state.history,
        sweeps=state.epoch + (state.seen_in_epoch > 0),
        converged=converged,
        stats=MatchingStats(assignments=run.assignments),
        report=pair.left_in_place,
        **state.losses_of_result(),
    )
