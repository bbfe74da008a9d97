"""Weight matching: permutation coordinate descent, algorithm 1 of Git Re-Basin."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, overload

from rebasin_fast import _arguments
from rebasin_fast._terminal.progress import listener
from rebasin_fast.files.mapping.unchanged import unchanged
from rebasin_fast.files.mapping.unpacked import bytes_to_unpack, check_unpacked
from rebasin_fast.matching.orders import Order
from rebasin_fast.matching.result import Matching, ProgressCallback
from rebasin_fast.matching.runs import generators
from rebasin_fast.matching.symmetric.method import match_symmetric
from rebasin_fast.matching.weight.options import Effort, Options, SymmetricOptions, WeightOptions
from rebasin_fast.matching.weight.runs import match_list, match_pair

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from rebasin_fast.matching.symmetric.result import SymmetricMatching
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Params, Permutation, Rng


@overload
def weight_matching(
    spec: PermutationSpec,
    params_a: Params,
    params_b: Params,
    *,
    symmetries: Literal["all"],
    **options: Unpack[SymmetricOptions],
) -> SymmetricMatching: ...
@overload
def weight_matching(
    spec: PermutationSpec,
    params_a: Params,
    params_b: Sequence[Params],
    *,
    symmetries: Literal["all"],
    **options: Unpack[SymmetricOptions],
) -> list[SymmetricMatching]: ...
@overload
def weight_matching(
    spec: PermutationSpec, params_a: Params, params_b: Params, **options: Unpack[WeightOptions]
) -> Matching: ...
@overload
def weight_matching(
    spec: PermutationSpec, params_a: Params, params_b: Sequence[Params], **options: Unpack[WeightOptions]
) -> list[Matching]: ...
def weight_matching(
    spec: PermutationSpec,
    params_a: Params,
    params_b: Params | Sequence[Params],
    *,
    symmetries: Literal["permutations", "all"] = "permutations",
    rng: Rng = 0,
    max_iter: int = 100,
    init: Permutation | Matching | None = None,
    order: Order | None = None,
    visiting: Literal["auto", "random"] = "auto",
    effort: Effort = "normal",
    restarts: int = 1,
    strict: bool = True,
    threads: int | None = None,
    memory_limit: int | None = None,
    device: str | None = None,
    products: Literal["float32", "tf32", "bfloat16"] = "float32",
    checkpoint: str | os.PathLike[str] | None = None,
    progress: ProgressCallback | bool | None = None,
) -> Matching | list[Matching] | list[SymmetricMatching]:
    """Find the permutation of B's units that brings its weights closest to A's.

    Parameters
    ----------
    spec : PermutationSpec
        Which permutation moves which axis.
    params_a, params_b : Mapping[str, array]
        NumPy, torch, JAX or CuPy arrays of equal shapes; float16 and bfloat16 are widened as they are read,
        arrays in host memory are never copied whole. A list of models in place of B gives a list of results.
    symmetries : {"permutations", "all"}
        "all": signs, scales and matrices of units beside their order, as far as ``spec.symmetries`` has them
        (:func:`rebasin_fast.trace_spec` derives them). Both models are brought to normal form
        (:func:`rebasin_fast.normalise`), and B's is moved onto A's; merge on the line between the ``endpoints`` of
        the result. On the CPU, with copies of both models; takes ``rng``, ``max_iter``, ``init``, ``order``,
        ``visiting``, ``restarts``, ``strict``, ``threads`` and ``progress``.
    rng : int, numpy.random.Generator or None
        Same inputs and seed: same permutation. With "auto" 0 is the plan as it is, and every other seed another run,
        as good on average: once, after the first pass, the matches of one unit in ten, drawn by the seed, are
        forbidden. With "random" the seed draws the orders of visits. None draws a fresh seed.
    max_iter : int
        Most sweeps, of as many visits as there are permutations; ten times as many with ``effort="high"``.
    init : Mapping[str, array of int64] or Matching, optional
        The permutation to start from; the identity by default. With ``symmetries="all"`` a `SymmetricMatching` of
        the same models, as from ``activation_matching(symmetries="all")``.
    order : sequence of names, or of sequences of names, optional
        The visits of every sweep, or of each sweep in turn, to replay another program's order. A list of
        sweeps ends the descent when it is used up.
    visiting : {"auto", "random"}
        "random" is the published loop, a fresh random order every sweep, visits that cannot change anything
        skipped. "auto": a first pass matches every permutation once, on axes that are fixed or matched before it;
        then a queue visits the permutation of the largest pending change. With ``init`` the queue alone.
    effort : {"low", "normal", "high"}
        Perturbations once no single permutation can be improved, with "auto". "low": none. "normal": one, where the
        first pass underperformed, that is where the queue added more than 2 % of the gain. It forbids the matches of
        one unit in ten, the queue continues from there, and the better result is kept. "high": ten in any case. For the
        same models the objective never falls with more effort.
    restarts : int
        Number of runs, each with a seed drawn from ``rng``; the best objective wins.
    strict : bool
        Refuse parameters that the spec or one of the models lacks. False leaves them in place and lists them
        in ``report``.
    threads : int, optional
        Threads of the matrix products; needs threadpoolctl. None leaves BLAS as it is. Several runs (``restarts``, a
        list of models) go on so many threads at once, with one BLAS thread each, to the same results; they share the
        memory for similarities, and ``progress`` is called by one at a time. Runs with a ``checkpoint`` take turns.
        On a GPU runs take turns, and these are the threads of assignments on the host; None: as many as the machine
        has, at most 8.
    memory_limit : int, optional
        Bytes of workspace, with those of parameters that are compressed in their file; a problem that needs more
        raises MemoryError before it starts. The rest keeps
        similarities between visits, so that a visit costs only the columns that have moved. By default 1 GiB (4 GiB
        of a GPU's memory) for these and the largest.
    device : {None, "cpu", "cuda", "cuda:0", …}
        Where the matching runs. None: on the GPU for torch or CuPy arrays that lie on one, else on the CPU.
        "cuda" keeps parameters and similarities on the GPU; parameters in host memory go there by torch. All other
        options mean the same there, and the result is the CPU's up to ties and rounding.
    products : {"float32", "tf32", "bfloat16"}
        How a GPU multiplies float32 and narrower parameters held by torch; objectives are float64 in any case.
    checkpoint : path, optional
        A .safetensors or .npz file that keeps the steps so far, written every half minute, at the end, and when the
        matching is interrupted. If it exists the matching continues from it to the result it would have had: steps
        already taken cost neither products nor assignments. For one model B, and an integer ``rng``.
    progress : callable or bool, optional
        True shows a bar on standard error, plain lines in a log; a callable is called with a :class:`Progress` after
        every visit. An exception of it ends the matching.

    Returns
    -------
    Matching
        With ``symmetries="all"`` a :class:`SymmetricMatching`.
        ``objective`` never falls from one sweep to the next, and never below where it started: a step is accepted
        when the float64 objective rises by more than 1e-9 of its magnitude (of what permutations can change, if that
        is less), and a first pass that ends below the start is discarded.

    Raises
    ------
    SpecError, ParamsError, PermutationError
        The spec, the models or ``init`` do not fit together, a weight that is matched is NaN or infinite (named),
        nothing that moves is of floating point, or products of weights overflow.
    KeyboardInterrupt
        Ctrl-C ends the matching within a second.

    Notes
    -----
    The floating-point and complex parameters that some permutation moves and that are not in ``spec.unmatched`` are
    matched; all others are constants and may hold anything. Complex ones count by Re <a, b>.

    Maximises sum_l <A_l, P_l B_l P_(l-1)^T> one permutation at a time, by a linear assignment each: algorithm 1
    of Ainsworth, Hayase & Srinivasa, *Git Re-Basin*, 2022 (eq. 3). A permutation on two axes of one array makes
    its step quadratic: it is linearised where the descent stands, and taken if the objective rises.

    All similarities once cost sum_p n_p x (entries moved by p) multiply-adds, and one assignment of O(n_p^3) at
    worst a permutation: the least work of "auto", and the first sweep of "random".
    Products are float32 (float64 if a parameter is), accumulated by SciPy's BLAS.
    A similarity that is kept changes through the columns of the neighbours that moved: a visit after the first
    costs their share of the product, and its assignment starts from the last duals.

    The first pass of "auto" takes unrelated models in the order of the highest expected objective, and models whose
    first assignment stands out from a random one in the order of the largest share of similarity variance on fixed
    axes.

    With ``symmetries="all"`` orders and signs of a permutation come from an assignment on |S|, orthogonal matrices from
    the polar factor of the similarity S (Procrustes; under LayerNorms beside the vector of ones), and units that hold
    matrices, as heads do, are paired by the nuclear norms of the similarities within. A first pass goes from the
    permutations that fixed axes determine (a residual stream by its embeddings) to the others; then sweeps in that
    order, or, for another seed or with "random", in drawn orders. A step counts when it raises the objective by more
    than 1e-8 (float64: 1e-13) of its bound. A sweep costs about two of permutations alone.

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
    start = init.permutation if isinstance(init, Matching) else init
    options = Options(
        rng=rng, max_iter=max_iter, init=start, order=order, visiting=visiting, effort=effort, restarts=restarts,
        strict=strict, threads=threads, memory_limit=memory_limit, device=device, products=products,
    )  # fmt: skip
    options.check()
    generator = _arguments.generator("rng", rng)
    if checkpoint is not None:
        _arguments.path("checkpoint", checkpoint)
    if checkpoint is not None and (not isinstance(rng, int) or not isinstance(params_b, Mapping)):
        raise ValueError(
            "checkpoint needs one model B and an integer rng, so that the same matching can go on"
        )
    check_unpacked(bytes_to_unpack(params_a, params_b), memory_limit, "the parameters")
    _arguments.choice("symmetries", symmetries, ("permutations", "all"))
    if symmetries == "all":
        of_ascent = options.for_all_symmetries(checkpoint, init)
        with unchanged(params_a, params_b), listener(progress) as notify:
            if isinstance(params_b, Mapping):
                return match_symmetric(spec, params_a, params_b, of_ascent, generator, notify)
            return [
                match_symmetric(spec, params_a, params, of_ascent, draws, notify)
                for params, draws in zip(params_b, generators(generator, len(params_b)), strict=True)
            ]
    with unchanged(params_a, params_b), listener(progress) as notify:
        if isinstance(params_b, Sequence) and not isinstance(params_b, str | bytes | Mapping):
            return match_list(spec, params_a, params_b, options, generator, notify)
        return match_pair(spec, params_a, params_b, options, generator, notify, checkpoint)
