"""Weight matching: permutation coordinate descent, algorithm 1 of Git Re-Basin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _core
from rebasin_fast.blas import blas_threads, gemm_address
from rebasin_fast.compilation import CompiledProblem, compile_problem
from rebasin_fast.errors import ParamsError, SpecError
from rebasin_fast.matching.on_device import check_device, device_for, match_on_device
from rebasin_fast.matching.pair import CheckedPair, check_pair
from rebasin_fast.matching.result import Matching, MatchingStats, Progress, ProgressCallback
from rebasin_fast.permutation import check_permutation, identity_permutation

if TYPE_CHECKING:
    from rebasin_fast.spec import PermutationSpec
    from rebasin_fast.typing import Params, Permutation, Rng

Order = Sequence[str] | Sequence[Sequence[str]]
Index = NDArray[np.int64]

# A step counts when it raises the float64 objective by more than this share of its magnitude.
_TOLERANCE = 1e-9

# Similarities kept between visits: 32 MB for ResNet-50, 141 MB for VGG-16 with a classifier of 4096 units.
_KEPT_BY_DEFAULT = float(1 << 30)


@overload
def weight_matching(
    spec: PermutationSpec, params_a: Params, params_b: Params, **options: Any
) -> Matching: ...
@overload
def weight_matching(
    spec: PermutationSpec, params_a: Params, params_b: Sequence[Params], **options: Any
) -> list[Matching]: ...
def weight_matching(  # type: ignore[misc]  # the overloads speak of the positional arguments alone
    spec: PermutationSpec,
    params_a: Params,
    params_b: Params | Sequence[Params],
    *,
    rng: Rng = 0,
    max_iter: int = 100,
    init: Permutation | None = None,
    order: Order | None = None,
    visiting: Literal["auto", "random"] = "auto",
    restarts: int = 1,
    strict: bool = True,
    threads: int | None = None,
    memory_limit: int | None = None,
    device: str | None = None,
    progress: ProgressCallback | None = None,
) -> Matching | list[Matching]:
    """Find the permutation of B's units that brings its weights closest to A's.

    Parameters
    ----------
    spec : PermutationSpec
        Which permutation moves which axis.
    params_a, params_b : Mapping[str, array]
        NumPy, torch, JAX or CuPy arrays of equal shapes; float16 and bfloat16 are widened as they are read,
        arrays in host memory are never copied whole. A list of models in place of B gives a list of results.
    rng : int, numpy.random.Generator or None
        Seeds the order of visits. Same inputs and seed: same permutation. None draws a fresh seed.
    max_iter : int
        Most sweeps over all permutations.
    init : Mapping[str, array of int64], optional
        The permutation to start from; the identity by default.
    order : sequence of names, or of sequences of names, optional
        The visits of every sweep, or of each sweep in turn, to replay another program's order. A list of
        sweeps ends the descent when it is used up.
    visiting : {"auto", "random"}
        "random" is the published loop, a fresh random order every sweep; "auto" is the best strategy known
        to this version, which is the same order. Both skip visits that cannot change anything.
    restarts : int
        Number of runs with different orders; the best objective wins.
    strict : bool
        Refuse parameters that the spec or one of the models lacks. False leaves them in place and lists them
        in ``report``.
    threads : int, optional
        Threads of the matrix products; needs threadpoolctl. None leaves BLAS as it is.
    memory_limit : int, optional
        Bytes of workspace; a problem that needs more raises MemoryError before it starts. What is left keeps
        similarities between visits, up to 1 GiB by default, so that a visit costs only what has moved.
    device : {None, "cpu", "cuda", "cuda:0", …}
        Where the matching runs. None: on the GPU for torch or CuPy arrays that lie on one, else on the CPU.
        "cuda" keeps parameters and similarities on the GPU; parameters in host memory go there by torch.
    progress : callable, optional
        Called with a :class:`Progress` after every visit. What it raises ends the matching.

    Returns
    -------
    Matching
        ``objective`` never falls from one sweep to the next: a step is accepted when the float64 objective
        rises by more than 1e-9 of its magnitude.

    Raises
    ------
    SpecError, ParamsError, PermutationError
        The spec, the models or ``init`` do not fit together, a weight is NaN or infinite (named), or products of
        weights overflow.
    KeyboardInterrupt
        Ctrl-C is heard within a second.

    Notes
    -----
    Maximises sum_l <A_l, P_l B_l P_(l-1)^T> one permutation at a time, by a linear assignment each: algorithm 1
    of Ainsworth, Hayase & Srinivasa, *Git Re-Basin*, 2022 (eq. 3). A permutation on two axes of one array makes
    its step quadratic: it is linearised where the descent stands, and taken if the objective rises.

    A sweep costs sum_p n_p x (entries moved by p) multiply-adds, and one assignment of O(n_p^3) at worst a
    permutation. Products are float32 (float64 if a parameter is), accumulated by SciPy's BLAS.
    A similarity that is kept changes through the columns of the neighbours that moved: a visit after the first
    costs their share of the product, and its assignment starts from the last duals.

    Examples
    --------
    >>> import numpy as np, rebasin_fast as rf
    >>> rng = np.random.default_rng(0)
    >>> spec = rf.specs.mlp(["fc1", "fc2", "fc3"])
    >>> shapes = {"fc1.weight": (32, 8), "fc1.bias": (32,), "fc2.weight": (32, 32), "fc2.bias": (32,),
    ...           "fc3.weight": (4, 32), "fc3.bias": (4,)}
    >>> a = {name: rng.standard_normal(shape).astype("float32") for name, shape in shapes.items()}
    >>> hidden = {"P0": rng.permutation(32), "P1": rng.permutation(32)}
    >>> b = rf.apply_permutation(spec, hidden, a)
    >>> matching = rf.weight_matching(spec, a, b)
    >>> aligned = rf.apply_permutation(spec, matching.permutation, b)
    >>> all(np.array_equal(a[name], aligned[name]) for name in a)
    True
    """
    _check_options(max_iter, visiting, restarts, threads, device)
    generator = np.random.default_rng(rng)
    if not isinstance(params_b, Mapping) and isinstance(params_b, Sequence):
        return [
            weight_matching(
                spec, params_a, one, rng=generator, max_iter=max_iter, init=init, order=order, visiting=visiting,
                restarts=restarts, strict=strict, threads=threads, memory_limit=memory_limit, device=device,
                progress=progress,
            )
            for one in params_b
        ]  # fmt: skip
    pair = check_pair(spec, params_a, params_b, strict=strict)
    start = _start(spec, pair, init)
    device = device_for(device, params_a)
    if device is not None:
        return match_on_device(
            spec, params_a, params_b, pair, start, order=order, max_iter=max_iter, restarts=restarts,
            generator=generator, device=device, memory_limit=memory_limit, tolerance=_TOLERANCE, progress=progress,
        )  # fmt: skip
    problem = compile_problem(spec, params_a, params_b, pair.sizes)
    bytes_to_keep = _bytes_to_keep(problem, memory_limit)
    orders = [_orders(order, problem.permutations, max_iter, generator) for _ in range(restarts)]
    with blas_threads(threads):
        runs = [
            _descend(
                problem,
                start,
                visits,
                bytes_to_keep,
                pair,
                _listener(progress, problem, visits, run, restarts),
            )
            for run, visits in enumerate(orders, 1)
        ]
    return _best(runs)


def _descend(
    problem: CompiledProblem,
    start: dict[str, Index],
    orders: list[list[int]],
    bytes_to_keep: float,
    pair: CheckedPair,
    on_visit: Any,
) -> Matching:
    try:
        found = _core.coordinate_descent(
            problem.native,
            double_products=problem.double_products,
            gemm=gemm_address("dgemm" if problem.double_products else "sgemm"),
            start=[start[name] for name in problem.permutations],
            orders=orders,
            tolerance=_TOLERANCE,
            overwrite=False,
            bytes_to_keep=bytes_to_keep,
            on_visit=on_visit,
        )
    except OverflowError as error:
        raise ParamsError(str(error)) from None
    return Matching(
        permutation=start
        | {
            name: units.reshape(start[name].shape)
            for name, units in zip(problem.permutations, found["permutations"], strict=True)
        },
        objective=found["objective"],
        first_objective=found["first_objective"],
        history=found["history"],
        sweeps=len(found["history"]),
        converged=found["converged"],
        stats=MatchingStats(**found["stats"]),
        report=pair.left_in_place,
    )


def _best(runs: list[Matching]) -> Matching:
    best = max(runs, key=lambda run: run.objective)
    if len(runs) == 1:
        return best
    fields = {name: getattr(best, name) for name in best.__dataclass_fields__}
    return Matching(**{**fields, "restarts": tuple(runs)})


def _check_options(
    max_iter: int, visiting: str, restarts: int, threads: int | None, device: str | None
) -> None:
    if max_iter < 0:
        raise ValueError(f"max_iter is a number of sweeps, 0 or more; got {max_iter}")
    if visiting not in ("auto", "random"):
        raise ValueError(f"visiting is 'auto' or 'random'; got {visiting!r}")
    if restarts < 1:
        raise ValueError(f"restarts is a number of runs, 1 or more; got {restarts}")
    if threads is not None and threads < 1:
        raise ValueError(f"threads is a number of threads, 1 or more, or None; got {threads}")
    check_device(device)


def _start(spec: PermutationSpec, pair: CheckedPair, init: Permutation | None) -> dict[str, Index]:
    """A permutation for every name whose size is known, the names outside the shared part included."""
    if init is None:
        return identity_permutation(spec, pair.sizes)
    return check_permutation(spec, getattr(init, "permutation", init), pair.sizes)


def _bytes_to_keep(problem: CompiledProblem, memory_limit: int | None) -> float:
    """What ``memory_limit`` leaves for similarities between visits; MemoryError if not even the rest fits."""
    if memory_limit is None:
        return _KEPT_BY_DEFAULT
    largest = max(problem.sizes.values(), default=0)
    itemsize = 8 if problem.double_products else 4
    needed = largest * largest * itemsize + 4 * max(1 << 20, 256 * largest) * itemsize
    if needed > memory_limit:
        raise MemoryError(
            f"the largest permutation has {largest} units and needs {needed:,} bytes of workspace; "
            f"memory_limit is {memory_limit:,}"
        )
    return float(memory_limit - needed)


def _orders(
    order: Order | None, permutations: tuple[str, ...], max_iter: int, rng: np.random.Generator
) -> list[list[int]]:
    if order is None:
        return [rng.permutation(len(permutations)).tolist() for _ in range(max_iter)]
    numbers = {name: number for number, name in enumerate(permutations)}
    sweeps = list(order)
    if sweeps and all(isinstance(name, str) for name in sweeps):
        sweeps = [sweeps] * max_iter  # type: ignore[list-item]
    try:
        return [[numbers[name] for name in sweep] for sweep in sweeps[:max_iter]]
    except KeyError as error:
        raise SpecError(
            f"order names permutation {error}, which the spec lacks; it has {permutations}"
        ) from None


def _listener(
    progress: ProgressCallback | None,
    problem: CompiledProblem,
    orders: list[list[int]],
    run: int,
    restarts: int,
) -> Any:
    if progress is None:
        return None

    def on_visit(sweep: int, visit: int, visits: int, permutation: int, objective: float) -> None:
        name = problem.permutations[permutation]
        progress(Progress(sweep + 1, len(orders), visit, visits, name, objective, run, restarts))

    return on_visit
