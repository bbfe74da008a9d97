"""Activation matching over all groups of a spec: the normal forms of both models run on the data."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any

from rebasin_fast._native.blas import blas_threads
from rebasin_fast.errors import ParamsError
from rebasin_fast.matching.activation.coverage import check_samples, without_change, without_tap
from rebasin_fast.matching.activation.measuring import moments_of_models
from rebasin_fast.matching.activation.similarities import checked_similarity
from rebasin_fast.matching.activation.stand_ins import stand_ins_of
from rebasin_fast.matching.activation.taps import taps_of
from rebasin_fast.matching.pair import CheckedPair, check_pair
from rebasin_fast.matching.result import MatchingStats
from rebasin_fast.matching.symmetric.ascent import Ascent
from rebasin_fast.matching.symmetric.normal_forms import NormalForms
from rebasin_fast.matching.symmetric.problem import SymmetricProblem
from rebasin_fast.matching.symmetric.result import SymmetricMatching
from rebasin_fast.permutation import identity_permutation
from rebasin_fast.permutation.transform import Transform
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.specs.symmetry import Role, Symmetry

if TYPE_CHECKING:
    from rebasin_fast.matching.activation.similarities import Moments, Similarity
    from rebasin_fast.matching.activation.taps import TapNames
    from rebasin_fast.typing import Floats, Params

_MOST_SWEEPS = 100


def match_isometries(
    spec: PermutationSpec,
    models: tuple[Any, Any],
    batches: Iterable[Any],
    similarity: Similarity,
    taps: TapNames | None,
    strict: bool,
    notify: Callable[[int, int | None], object] | None,
) -> SymmetricMatching:
    """The isometry between the normal forms under which activations are most similar; arguments are checked."""
    started = perf_counter()
    params_a, params_b = (model.state_dict() for model in models)
    pair = check_pair(spec, params_a, params_b, strict=strict)
    normal = NormalForms.of(spec, params_a, params_b)
    run = _with_params(models[0], normal.a.params), _with_params(models[1], normal.b.params)
    moments, seconds = moments_of_models(
        *run, taps_of(normal.spec, run[0], pair.sizes, taps), batches, notify
    )
    check_samples(moments, similarity)
    report = pair.left_in_place | without_tap(spec, moments, pair.sizes, strict=strict)
    if similarity == "correlation":
        report |= without_change(spec, moments, strict=strict)
    measured = perf_counter()
    problem = _stand_in_problem(normal, pair.sizes, moments, similarity)
    with blas_threads(1):
        ascent = Ascent(problem)
        order = ascent.settle()
        ascent.climb(lambda sweep: order if sweep < _MOST_SWEEPS else None)
    isometry = ascent.state.transform()
    isometry = Transform(
        {**identity_permutation(normal.spec, pair.sizes), **isometry.permutation},
        isometry.signs,
        matrices=isometry.matrices,
    )
    stats = MatchingStats(
        visits=len(pair.sizes),
        assignments=ascent.stats().assignments,
        accepted_steps=ascent.stats().accepted_steps,
        product_flop=sum(one.product_flop for each in moments.values() for one in each),
        product_seconds=seconds,
        assignment_seconds=perf_counter() - measured,
        model_seconds=measured - started - seconds,
    )
    return SymmetricMatching(
        permutation=dict(isometry.permutation),
        **ascent.course(),
        stats=stats,
        report=report,
        spec=normal.spec,
        isometry=isometry,
        normalisation=normal.b.transform,
        kept=normal.kept,
    )


def _with_params(model: Any, params: Params) -> Any:
    """A copy of a module with other parameters of the same names and shapes."""
    copied = copy.deepcopy(model)
    try:
        copied.load_state_dict(params, strict=False)
    except RuntimeError as error:
        raise ParamsError(f"the normal form does not load into the model: {error}") from error
    return copied


def _stand_in_problem(
    normal: NormalForms, sizes: Mapping[str, int], moments: Moments, similarity: Similarity
) -> SymmetricProblem:
    """The similarities at all taps, and the groups by which their units move.

    Units that a matrix mixes are compared by their mean products over the root mean squares of the tap, which a
    rotation leaves as they are; all others by ``similarity``. Queries and keys under a rotary embedding say nothing
    before their pairs are rotated: heads are matched by their values there.
    """
    isometries = [symmetry for symmetry in normal.symmetries if symmetry.group not in ("scales", "rotations")]
    mixed = {symmetry.permutation for symmetry in isometries if symmetry.group != "signs"}
    still = {
        (symmetry.permutation, role.parameter.rpartition(".")[0])
        for symmetry in isometries
        for role in symmetry.roles
        if not any(role.exponents)
    }
    acted = {symmetry.permutation for symmetry in isometries}
    rotated = {
        (symmetry.permutation, role.parameter.rpartition(".")[0])
        for symmetry in normal.symmetries
        if symmetry.group == "rotations"
        for role in symmetry.roles
    }
    summed: dict[tuple[tuple[str, ...], bool], Floats] = {}
    for tap, each in moments.items():
        for family, moment in zip(tap.families, each, strict=True):
            name = family.chain[-1]
            if (name, tap.module) in rotated:
                continue
            kind = "relative_product" if name in mixed and similarity == "correlation" else similarity
            moves = name in acted and (name, tap.module) not in still
            matrix = checked_similarity(tap, moment, kind)
            key = family.chain, moves
            summed[key] = summed[key] + matrix if key in summed else matrix
    axes, a, b = stand_ins_of(normal.spec, [(chain, matrix) for (chain, _), matrix in summed.items()], sizes)
    stand_in = PermutationSpec(axes, sizes={name: sizes[name] for chain, _ in summed for name in chain})
    roles: dict[str, list[Role]] = {}
    for name, (chain, moves) in zip(axes, summed, strict=False):
        roles.setdefault(chain[-1], []).append(Role(name, 0, (int(moves),)))
    groups = [
        Symmetry(symmetry.permutation, symmetry.group, tuple(roles[symmetry.permutation]), symmetry.norms)
        for symmetry in isometries
        if symmetry.permutation in roles
    ]
    own_sizes = {name: sizes[name] for name in stand_in.permutations}
    return SymmetricProblem(CheckedPair(stand_in, (a, b), own_sizes, {}), groups)
