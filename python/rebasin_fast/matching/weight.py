"""Weight matching: permutation coordinate descent, algorithm 1 of Git Re-Basin."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from rebasin_fast.blas import blas_threads
from rebasin_fast.compilation import CompiledProblem, compile_problem, refuse_all_nonfinite
from rebasin_fast.errors import ParamsError
from rebasin_fast.matching.checkpoint import Checkpoint, key_of, open_checkpoint
from rebasin_fast.matching.descent import (
    TOLERANCE,
    Index,
    Order,
    Steps,
    Way,
    descend,
    most_sweeps,
    orders_of,
    visit_listener,
)
from rebasin_fast.matching.on_device import check_device, device_for, match_on_device
from rebasin_fast.matching.pair import CheckedPair, check_pair
from rebasin_fast.matching.result import Matching, ProgressCallback
from rebasin_fast.permutation import check_permutation, identity_permutation

if TYPE_CHECKING:
    from rebasin_fast.spec import PermutationSpec
    from rebasin_fast.typing import Params, Permutation, Rng

# Most bytes of similarities by default, the one at work and those kept between visits: ResNet-50 needs 32 MB, VGG-16
# with a classifier of 4096 units 141 MB; of a perceptron of 16 layers of 8192 units three are kept beside the fourth.
_SIMILARITIES_BY_DEFAULT = 1 << 30


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
    checkpoint: str | os.PathLike[str] | None = None,
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
        Seeds random orders of visits. Same inputs and seed: same permutation. None draws a fresh seed.
    max_iter : int
        Most sweeps, of as many visits as there are permutations.
    init : Mapping[str, array of int64], optional
        The permutation to start from; the identity by default.
    order : sequence of names, or of sequences of names, optional
        The visits of every sweep, or of each sweep in turn, to replay another program's order. A list of
        sweeps ends the descent when it is used up.
    visiting : {"auto", "random"}
        "random" is the published loop, a fresh random order every sweep, visits that cannot change anything
        skipped. "auto" draws nothing: a first pass matches every permutation once on what is settled before it,
        then a queue visits whatever has most to catch up with. With ``init`` it is the queue alone.
    restarts : int
        Number of runs; the best objective wins. With "auto" the runs after the first visit in random orders.
    strict : bool
        Refuse parameters that the spec or one of the models lacks. False leaves them in place and lists them
        in ``report``.
    threads : int, optional
        Threads of the matrix products; needs threadpoolctl. None leaves BLAS as it is.
    memory_limit : int, optional
        Bytes of workspace; a problem that needs more raises MemoryError before it starts. What is left keeps
        similarities between visits, by default as far as 1 GiB holds them and the largest, so that a visit costs only
        what has moved.
    device : {None, "cpu", "cuda", "cuda:0", …}
        Where the matching runs. None: on the GPU for torch or CuPy arrays that lie on one, else on the CPU.
        "cuda" keeps parameters and similarities on the GPU; parameters in host memory go there by torch.
    checkpoint : path, optional
        A .safetensors or .npz file that keeps the steps so far, written every half minute, at the end, and when the
        matching is interrupted. If it exists the matching continues from it to the result it would have had: steps
        already taken cost neither products nor assignments. For one model B, and an integer ``rng``.
    progress : callable, optional
        Called with a :class:`Progress` after every visit. What it raises ends the matching.

    Returns
    -------
    Matching
        ``objective`` never falls from one sweep to the next, and never below where it started: a step is accepted
        when the float64 objective rises by more than 1e-9 of its magnitude, and a first pass that ends below the
        start is given up.

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

    All similarities once cost sum_p n_p x (entries moved by p) multiply-adds, and one assignment of O(n_p^3) at
    worst a permutation: the least that "auto" can do, and what a sweep of "random" begins with.
    Products are float32 (float64 if a parameter is), accumulated by SciPy's BLAS.
    A similarity that is kept changes through the columns of the neighbours that moved: a visit after the first
    costs their share of the product, and its assignment starts from the last duals.

    The first pass of "auto" takes unrelated models in the order of the highest expected objective, and models whose
    first assignment stands out from a random one in the order of the settled share of evidence.

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
    if checkpoint is not None and (not isinstance(rng, int) or not isinstance(params_b, Mapping)):
        raise ValueError(
            "checkpoint needs one model B and an integer rng, so that the same matching can go on"
        )
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
        if checkpoint is not None:
            raise ValueError(
                f"a matching on {device!r} keeps no checkpoint; run it on the CPU (device='cpu')"
            )
        return match_on_device(
            spec, params_a, params_b, pair, start, order=order, max_iter=max_iter, restarts=restarts,
            generator=generator, device=device, memory_limit=memory_limit, tolerance=TOLERANCE, progress=progress,
        )  # fmt: skip
    problem = compile_problem(spec, params_a, params_b, pair.sizes, check_finite=False)
    bytes_to_keep = _bytes_to_keep(problem, memory_limit)
    options = {"rng": rng, "max_iter": max_iter, "order": order, "visiting": visiting, "restarts": restarts}
    kept = _open_checkpoint(checkpoint, spec, params_a, params_b, start, options)
    runs: list[Matching] = []
    with blas_threads(threads), _overflow_explained(spec, params_a, params_b), _saved(kept):
        for run in range(1, restarts + 1):
            own_way = order is None and visiting == "auto" and run == 1
            way = Way(
                None if own_way else orders_of(order, problem.permutations, max_iter, generator),
                max_iter,
                first_pass=init is None,
            )
            on_visit = visit_listener(progress, problem, most_sweeps(order, max_iter), run, restarts)
            runs.append(descend(problem, start, way, bytes_to_keep, pair, on_visit, Steps(kept, run)))
    return _best(runs)


def _open_checkpoint(
    path: str | os.PathLike[str] | None,
    spec: PermutationSpec,
    params_a: Params,
    params_b: Params,
    start: Mapping[str, Index],
    options: Mapping[str, Any],
) -> Checkpoint | None:
    if path is None:
        return None
    started = {name: index.tolist() for name, index in start.items()}
    return open_checkpoint(path, key_of(spec, params_a, params_b, {**options, "start": started}))


@contextmanager
def _saved(checkpoint: Checkpoint | None) -> Iterator[None]:
    """Saves the steps however the block ends."""
    try:
        yield
    finally:
        if checkpoint is not None:
            checkpoint.save()


@contextmanager
def _overflow_explained(spec: PermutationSpec, params_a: Params, params_b: Params) -> Iterator[None]:
    """The core tells an objective that is not finite; which entry spoils it, or that none does, is told here."""
    try:
        yield
    except OverflowError as error:
        refuse_all_nonfinite(spec, params_a, params_b)
        raise ParamsError(str(error)) from None


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
    largest = max(problem.sizes.values(), default=0)
    itemsize = 8 if problem.double_products else 4
    if memory_limit is None:
        return float(max(0, _SIMILARITIES_BY_DEFAULT - largest * largest * itemsize))
    needed = largest * largest * itemsize + 4 * max(1 << 20, 256 * largest) * itemsize
    if needed > memory_limit:
        raise MemoryError(
            f"the largest permutation has {largest} units and needs {needed:,} bytes of workspace; "
            f"memory_limit is {memory_limit:,}"
        )
    return float(memory_limit - needed)
