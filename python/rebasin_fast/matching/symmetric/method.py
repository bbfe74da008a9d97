"""Weight matching over all groups of a spec, once its options are checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from rebasin_fast._native.blas import blas_threads
from rebasin_fast.errors import SpecError
from rebasin_fast.matching.orders import orders_of
from rebasin_fast.matching.pair import check_pair
from rebasin_fast.matching.runs import best_of, generators
from rebasin_fast.matching.symmetric.ascent import Ascent
from rebasin_fast.matching.symmetric.evidence import visits_in_order
from rebasin_fast.matching.symmetric.normal_forms import NormalForms
from rebasin_fast.matching.symmetric.problem import SymmetricProblem
from rebasin_fast.matching.symmetric.result import SymmetricMatching
from rebasin_fast.matching.symmetric.state import State
from rebasin_fast.permutation.transform import Transform

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from rebasin_fast.matching.result import ProgressCallback
    from rebasin_fast.matching.symmetric.options import AscentOptions
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Params


def match_symmetric(
    spec: PermutationSpec,
    params_a: Params,
    params_b: Params,
    options: AscentOptions,
    generator: np.random.Generator,
    progress: ProgressCallback | None,
) -> SymmetricMatching:
    """The best of ``restarts`` ascents over the orders, signs and orthogonal matrices of ``spec``, in normal form."""
    given = check_pair(spec, params_a, params_b, strict=options.strict)
    with blas_threads(options.threads):
        normal = NormalForms.of(spec, params_a, params_b)
        pair = check_pair(normal.spec, normal.a.params, normal.b.params, strict=False)
        problem = SymmetricProblem(pair, normal.symmetries)
        if options.init is not None:
            _check_start(options.init, problem)
        left, balanced = given.left_in_place, normal.b.transform
        runs = _Runs(normal.spec, problem, balanced, normal.kept, left, options, progress)
        draws = generators(generator, options.restarts)
        return best_of([runs.run(number, draw) for number, draw in enumerate(draws, 1)])


@dataclass(frozen=True)
class _Runs:
    """The runs of one pair, counted from 1."""

    spec: PermutationSpec
    problem: SymmetricProblem
    normalisation: Transform
    kept: dict[str, str]
    left_in_place: dict[str, str]
    options: AscentOptions
    progress: ProgressCallback | None

    def run(self, number: int, draws: np.random.Generator) -> SymmetricMatching:
        """One ascent. Planned visits begin with a first pass, whose order the sweeps of the default seed keep."""
        options, names = self.options, tuple(self.problem.families)
        sweeps = options.most_sweeps
        start = None if options.init is None else State.moved_by(self.problem, options.init.isometry)
        ascent = Ascent(
            self.problem, self.progress, state=start, most_sweeps=sweeps, run=number, runs=options.restarts
        )
        settled = ascent.settle() if options.begins_with_a_pass else visits_in_order(self.problem)
        drawn = orders_of(options.order, names, options.max_iter, draws)

        def order_of(sweep: int) -> list[str] | None:
            if options.keeps_its_order(number):
                return settled if sweep < sweeps else None
            order = drawn(sweep)
            return None if order is None else [names[number] for number in order]

        ascent.climb(order_of)
        isometry = ascent.state.transform()
        return SymmetricMatching(
            permutation=dict(isometry.permutation),
            **ascent.course(),
            stats=ascent.stats(),
            report=self.left_in_place,
            visiting=options.visiting if options.order is None else "order",
            spec=self.spec,
            isometry=isometry,
            normalisation=self.normalisation,
            kept=self.kept,
        )


def _check_start(init: SymmetricMatching, problem: SymmetricProblem) -> None:
    """SpecError unless every part of the start moves the units of these models."""
    isometry = init.isometry
    moves: dict[str, Mapping[str, NDArray[Any]]] = {
        "signs": isometry.signs, "matrices": isometry.matrices, "rotations": isometry.rotations,
    }  # fmt: skip
    for name, family in problem.families.items():
        order = isometry.permutation.get(name)
        if order is None or order.shape != (*family.copies, family.size):
            raise SpecError(f"init is of another spec or of other sizes: permutation {name!r} differs")
    movable = {
        "signs": {name for name, family in problem.families.items() if family.isometry == "signs"},
        "matrices": {name for name, family in problem.families.items() if family.mixes},
        "rotations": {name for name, family in problem.families.items() if family.turned},
    }
    for group, parts in moves.items():
        for name in parts:
            if name not in movable[group]:
                raise SpecError(
                    f"init has {group} for permutation {name!r}, and these models have none there"
                )
