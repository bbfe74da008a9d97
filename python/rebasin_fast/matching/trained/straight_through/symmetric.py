"""The straight-through estimator over all groups of a spec, once its options are checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from rebasin_fast._models.functional import Batches, FunctionalModel
from rebasin_fast._terminal.progress import listener
from rebasin_fast.matching.pair import check_pair
from rebasin_fast.matching.symmetric.normal_forms import NormalForms
from rebasin_fast.matching.trained.straight_through.group_run import GroupRun
from rebasin_fast.matching.trained.straight_through.isometries import element_of, isometry_of
from rebasin_fast.matching.trained.straight_through.result import SymmetricStraightThroughMatching
from rebasin_fast.matching.trained.straight_through.symmetric_run import NormalPair, SymmetricRun
from rebasin_fast.matching.weight.method import weight_matching

if TYPE_CHECKING:
    from rebasin_fast.matching.result import Matching, Progress, ProgressCallback
    from rebasin_fast.matching.trained.straight_through.options import StraightThroughOptions
    from rebasin_fast.permutation.transform import Transform
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Params, Permutation, Rng


def refine(
    spec: PermutationSpec,
    function: FunctionalModel,
    params_a: Params,
    params_b: Params,
    batches: Batches,
    loss: Callable[[Any, Any], Any],
    options: StraightThroughOptions,
    *,
    rng: Rng,
    init: Permutation | Matching | Transform | None,
    evaluate: Callable[[Params], float | Mapping[str, float]] | None,
    stop: Callable[[Progress], bool] | None,
    progress: ProgressCallback | bool | None,
) -> SymmetricStraightThroughMatching:
    """The transform of the lowest loss at the midpoint of the normal forms, from ``init`` or from weight matching."""
    left_in_place = check_pair(spec, params_a, params_b, strict=options.strict).left_in_place
    forms = NormalForms.of(spec, params_a, params_b)
    pair = NormalPair.of(forms, function)
    given = None
    by_group = options.gradient == "group"
    if init is not None:
        problem = pair.projection(strict=options.strict).problem
        given = element_of(problem, forms.symmetries, init) if by_group else isometry_of(problem, init)

    def start() -> Transform:
        if given is not None:
            return given
        return weight_matching(
            spec,
            params_a,
            params_b,
            symmetries="all",
            rng=rng,
            strict=options.strict,
            threads=options.threads,
        ).isometry

    run = (GroupRun if by_group else SymmetricRun)(pair, function, loss, options, start, evaluate)
    with listener(progress) as notify:
        converged = run.train(batches, stop, notify)
    state = run.state
    isometry_a, isometry = run.isometries(state.best)
    return SymmetricStraightThroughMatching(
        permutation=dict(isometry.permutation),
        objective=run.objective(isometry_a, isometry),
        first_objective=run.objective(pair.identity, pair.identity if given is None else given),
        history=state.history,
        sweeps=state.epoch,
        converged=converged,
        stats=run.work,
        report=left_in_place,
        spec=forms.spec,
        isometry=isometry,
        normalisation=forms.b.transform,
        isometry_a=isometry_a,
        normalisation_a=forms.a.transform,
        kept=forms.kept,
        **state.losses_of_result(),
    )
