"""Frank-Wolfe matching: all permutations at once, relaxed to averages of permutations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rebasin_fast import _arguments
from rebasin_fast._native.blas import blas_threads
from rebasin_fast._terminal.progress import listener
from rebasin_fast.files.mapping.unchanged import refuses_changed_files
from rebasin_fast.matching.compilation import compile_problem
from rebasin_fast.matching.objective import objective_of
from rebasin_fast.matching.pair import check_pair, start_of
from rebasin_fast.matching.relaxed.problem import RelaxedProblem
from rebasin_fast.matching.relaxed.run import AscentRun
from rebasin_fast.matching.result import Matching, ProgressCallback
from rebasin_fast.matching.runs import best_of, is_default_seed
from rebasin_fast.matching.weight.method import weight_matching
from rebasin_fast.permutation import apply_permutation, compose_permutations, identity_permutation

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Index, Params, Permutation, Rng

Start = Literal["identity", "barycentre", "random"]
_STARTS = ("identity", "barycentre", "random")


@dataclass(frozen=True, repr=False)
class FrankWolfeMatching(Matching):
    """The result of :func:`frank_wolfe_matching`: a :class:`Matching`, and the steps to it.

    ``history``, ``sweeps`` and ``converged`` are those of the polishing; ``first_objective`` is the objective of
    ``init``. With several starts ``restarts`` holds one such object a start.

    Attributes
    ----------
    start : str
        The start from which the result was reached.
    relaxed_history : list[float]
        The relaxed objective at the start and after each step, over the parameters that the relaxation moves.
    step_sizes : list[float]
        How far each step went, from 0 to 1.
    rounded_objective : float
        The objective of the rounded permutation, before polishing.
    """

    start: str = ""
    relaxed_history: list[float] = field(default_factory=list)
    step_sizes: list[float] = field(default_factory=list)
    rounded_objective: float = float("nan")

    def to_dict(self) -> dict[str, Any]:
        """Everything but the index arrays, as JSON values."""
        return {
            **super().to_dict(),
            "start": self.start,
            "relaxed_history": list(self.relaxed_history),
            "step_sizes": list(self.step_sizes),
            "rounded_objective": self.rounded_objective,
        }


@_arguments.checked(threads=1)
@refuses_changed_files
def frank_wolfe_matching(
    spec: PermutationSpec,
    params_a: Params,
    params_b: Params,
    *,
    rng: Rng = 0,
    starts: Sequence[Start] = ("barycentre", "identity"),
    max_iter: int = 30,
    tolerance: float = 1e-4,
    init: Permutation | Matching | None = None,
    strict: bool = True,
    threads: int | None = None,
    progress: ProgressCallback | bool | None = None,
) -> FrankWolfeMatching:
    """Match B's units to A's with all permutations moving at once, each relaxed to an average of permutations.

    Parameters
    ----------
    spec : PermutationSpec
        Which permutation moves which axis.
    params_a, params_b : Mapping[str, array]
        NumPy, torch, JAX or CuPy arrays of equal shapes. Not changed; float16 and bfloat16 are widened to copies.
    rng : int, numpy.random.Generator or None
        Seeds random starts and the polishing. Same inputs and seed: same permutation.
    starts : sequence of {"identity", "barycentre", "random"}
        A run from each; the best polished objective wins. "barycentre" is the average of all permutations,
        "random" the mean of that and of a few random permutations; name it several times for several draws.
    max_iter : int
        Most steps a run; 0 leaves the rounding of the start, and polishing.
    tolerance : float
        A run ends when no step can gain more than this share of the relaxed objective to first order, or of its
        gain over the barycentre if this is less.
    init : Mapping[str, array of int64], optional
        A permutation to take in place of the identity: B is moved by it first, and every run starts there.
    strict : bool
        As for :func:`weight_matching`.
    threads : int, optional
        Threads of the matrix products; needs threadpoolctl. None leaves BLAS as it is.
    progress : callable or bool, optional
        True shows a bar on standard error, plain lines in a log; a callable is called with
        a :class:`Progress` after every step of a run (``permutation`` is then ``""``) and every visit
        of its polishing.

    Returns
    -------
    FrankWolfeMatching
        Never worse than ``init`` (the identity): where no run beats it, the descent from it is returned.

    Raises
    ------
    SpecError, ParamsError, PermutationError
        As :func:`weight_matching`.
    ValueError
        An option is out of its range.

    Notes
    -----
    The objective is multilinear in the matrices of all permutations. Its gradient is the similarity of each
    permutation with its neighbours soft; its linear minimizer is one assignment each (warm-started from step to step),
    nested ones included; along the line to it the objective is a polynomial, quadratic where at most two axes of a
    parameter move, whose maximum is found in closed form from its value, its slope and its value at the end, and
    one sample more for each further degree. A permutation within others is relaxed jointly with them. One that
    stands within two independent ones, or beside another within the same parent on one axis, is left to polishing.

    A step costs the products of two to three sweeps of :func:`weight_matching`; memory is two square matrices a
    permutation, and one copy of the largest parameter.

    Jaggi, *Revisiting Frank-Wolfe*, 2013; used for matching networks by Crisostomi et al., *C²M³: Cycle-Consistent
    Multi-Model Merging*, 2024 (section 3).

    Examples
    --------
    >>> import numpy as np, rebasin_fast as rf
    >>> rng = np.random.default_rng(0)
    >>> spec = rf.specs.mlp(["fc1", "fc2"], bias=False)
    >>> a = {"fc1.weight": rng.standard_normal((32, 8)), "fc2.weight": rng.standard_normal((4, 32))}
    >>> b = rf.apply_permutation(spec, {"P0": rng.permutation(32)}, a)
    >>> matching = rf.frank_wolfe_matching(spec, a, b)
    >>> aligned = rf.apply_permutation(spec, matching.permutation, b)
    >>> all(np.array_equal(a[name], aligned[name]) for name in a)
    True
    """
    _check_options(starts, max_iter, tolerance)
    _arguments.optional_count("threads", threads, of="a number of threads")
    generator = _arguments.generator("rng", rng)
    pair = check_pair(spec, params_a, params_b, strict=strict)
    compiled = compile_problem(pair)  # refuses parameters that cannot be matched
    begin = start_of(spec, pair.sizes, init.permutation if isinstance(init, Matching) else init)
    moved_b = params_b
    if init is not None:
        moved_b = apply_permutation(spec, _within(spec, begin, params_b), params_b)
    dtype = np.float64 if compiled.double_products else np.float32
    del compiled
    # Another seed polishes by other perturbations; random starts draw from the generator in any case.
    options: dict[str, Any] = {"strict": strict, "rng": rng if is_default_seed(rng) else generator}

    def polished(permutation: Permutation, progress: ProgressCallback | None) -> Matching:
        return weight_matching(spec, params_a, params_b, init=permutation, progress=progress, **options)

    runs = []
    with blas_threads(threads), listener(progress) as notify:
        problem = RelaxedProblem(spec, params_a, moved_b, pair.sizes, dtype)
        constant = problem.value(problem.barycentre())  # the part that is the same for all permutations
        for number, start in enumerate(starts, 1):
            of_run = _of_run(notify, number, len(starts))
            run = AscentRun(spec, problem, start, generator)
            run.climb(max_iter, tolerance, constant, of_run)
            rounded = identity_permutation(spec, pair.sizes) | run.rounded()
            if init is not None:
                rounded = compose_permutations(begin, rounded, spec)
            descent = polished(rounded, of_run)
            work = descent.stats
            stats = replace(
                work,
                product_flop=work.product_flop + run.product_flop,
                assignments=work.assignments + run.assignments,
            )
            runs.append(
                FrankWolfeMatching(
                    **vars(replace(descent, stats=stats)),
                    start=start,
                    relaxed_history=run.history,
                    step_sizes=run.steps,
                    rounded_objective=descent.first_objective,
                )
            )
        first = objective_of(spec, params_a, params_b, begin, strict=strict)
        if max(run.objective for run in runs) < first:
            descent = polished(begin, None)
            runs.append(FrankWolfeMatching(**vars(descent), start="init", rounded_objective=first))
    return replace(best_of(runs), first_objective=first)


def _within(spec: PermutationSpec, permutation: Permutation, params: Params) -> dict[str, Index]:
    """The permutations that move something in ``params``."""
    sizes = spec.sizes(params)
    return {name: index for name, index in permutation.items() if name in sizes}


def _of_run(progress: ProgressCallback | None, run: int, runs: int) -> ProgressCallback | None:
    """``progress`` for the events of one run among several."""
    if progress is None:
        return None
    return lambda event: progress(replace(event, restart=run, restarts=runs))


def _check_options(starts: Sequence[str], max_iter: int, tolerance: float) -> None:
    if isinstance(starts, str) or not starts or any(start not in _STARTS for start in starts):
        raise ValueError(f"starts is a sequence of one or more of {_STARTS}; got {starts!r}")
    _arguments.count("max_iter", max_iter, least=0, of="a number of steps")
    if not tolerance >= 0.0:
        raise ValueError(f"tolerance is a share of the objective, 0 or more; got {tolerance}")
