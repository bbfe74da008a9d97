"""Many models brought into one order of units: MergeMany, and cycle-consistent matching."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from rebasin_fast import _arguments
from rebasin_fast._terminal.progress import listener
from rebasin_fast.errors import ParamsError, PermutationError
from rebasin_fast.files.mapping.unchanged import refuses_changed_files
from rebasin_fast.files.mapping.unpacked import bytes_to_unpack, check_unpacked
from rebasin_fast.matching.many.checkpoint import ManyCheckpoint
from rebasin_fast.matching.many.common_order import ModelsInCommonOrder
from rebasin_fast.matching.many.cycle_consistent import relaxed_permutations
from rebasin_fast.matching.many.result import ManyMatching, average_of
from rebasin_fast.matching.pair import check_pair
from rebasin_fast.matching.result import Progress, ProgressCallback
from rebasin_fast.permutation import check_permutation
from rebasin_fast.specs.spec import PermutationSpec

if TYPE_CHECKING:
    from rebasin_fast.matching.weight.options import Effort
    from rebasin_fast.typing import Index, Params, Permutation, Rng

Method: TypeAlias = Literal["merge_many", "cycle_consistent"]
Start: TypeAlias = Literal["growing", "identity"]


@_arguments.checked(threads=1, memory_limit=1)
@refuses_changed_files
def merge_many(
    spec: PermutationSpec,
    models: Sequence[Params],
    *,
    method: Method = "merge_many",
    start: Start = "growing",
    weights: Sequence[float] | None = None,
    rng: Rng = 0,
    init: ManyMatching | Sequence[Permutation] | None = None,
    max_iter: int = 100,
    effort: Effort = "normal",
    strict: bool = True,
    threads: int | None = None,
    memory_limit: int | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    allow_nonfinite: bool = False,
    progress: ProgressCallback | bool | None = None,
) -> ManyMatching:
    """Match any number of models to one another and average them.

    Parameters
    ----------
    spec : PermutationSpec
    models : sequence of Mapping[str, array]
        Two models or more of equal shapes: NumPy (memory-mapped too), torch, JAX or CuPy arrays. Not changed.
    method : {"merge_many", "cycle_consistent"}
        "merge_many": the models in turn, each matched to the mean of all others (Git Re-Basin, algorithm 3).
        "cycle_consistent": a relaxation of all permutations of all models at once, maximised by Frank-Wolfe,
        rounded, and then improved in turn as by "merge_many" (after C2M3). Slower, and does not depend on the order
        of the models.
    start : {"growing", "identity"}
        For "merge_many": in the first sweep match each model to the mean of those before it, or, as published, to
        the mean of all others as they stand.
    weights : sequence of float, optional
        Share of each model in ``merged``, divided by their sum; equal by default. Without effect on the matching.
    rng : int, numpy.random.Generator or None
        Seeds the order of the models.
    init : ManyMatching or sequence of Mapping[str, array of int64], optional
        Where the models' units start, one permutation a model, in place of where they are and of ``start``; a
        matching of earlier versions of the models, for instance.
    max_iter : int
        Most sweeps over the models.
    effort : {"low", "normal", "high"}
        How far each matching searches, as in :func:`rebasin_fast.weight_matching`.
    strict : bool
        Refuse parameters that the spec or one of the models lacks. False leaves parameters that the spec lacks in
        place and lists them in ``report``; ``merged`` needs all models to have the same names either way.
    threads : int, optional
        Threads of the matrix products of each matching.
    memory_limit : int, optional
        Most bytes of workspace of each matching, as in :func:`rebasin_fast.weight_matching`.
    checkpoint : path, optional
        A .safetensors or .npz file that holds the state after each sweep; where it exists the run continues from
        it, to the result that it would have had. :meth:`ManyMatching.load` reads it.
    allow_nonfinite : bool
        Let NaN and infinities pass into ``merged`` where they are in no matched parameter (in BatchNorm statistics), or
        where the average is too large for the dtype.
    progress : callable or bool, optional
        True shows a bar on standard error, plain lines in a log; a callable is called with
        a :class:`Progress` after each model: ``permutation`` is then ``"model 3"``, ``visit`` counts
        models, and ``objective`` is the sum over pairs.

    Returns
    -------
    ManyMatching
        Both methods give permutations into the order of model 0, so that those between any two models compose
        exactly around every cycle. ``objective`` never falls from one sweep to the next; with "identity" and
        "cycle_consistent" it is never below ``first_objective``, and with ``init`` never below that of ``init``.

    Raises
    ------
    SpecError, ParamsError
        As :func:`rebasin_fast.weight_matching`; the message names the model by its number.
    ValueError
        Fewer than two models, or an unknown method or start.
    PermutationError
        ``init`` does not fit the models.
    FileFormatError
        ``checkpoint`` is no such file, is damaged, or belongs to other models, another spec or other options.

    Notes
    -----
    Sweeps end when no model's L2 distance to the mean of the others falls (by more than 1e-9 of its magnitude).
    Memory beside the models: one float64 sum of the matched parameters, one mean of them in the dtype of the models,
    and for ``merged`` every model's copy of one parameter at a time. Time: one weight matching a model and sweep,
    most of them short, since each goes on from the permutation before. The relaxation takes beside that about 6
    applications of dense matrices to every model an iteration, 30 iterations at most, and one n x n matrix for each
    permutation and model; permutations within others (attention heads, groups) stay out of it, and are found in the
    sweeps after it.

    Ainsworth, Hayase & Srinivasa, *Git Re-Basin*, 2022, appendix A.9; Crisostomi et al., *C2M3: Cycle-Consistent
    Multi-Model Merging*, 2024. C2M3 maps models to a common order of its own; here it is that of model 0, which
    loses nothing: every common order gives the same pairs.

    Examples
    --------
    >>> import numpy as np, rebasin_fast as rf
    >>> rng = np.random.default_rng(0)
    >>> spec = rf.specs.mlp(["fc1", "fc2"])
    >>> a = {"fc1.weight": rng.standard_normal((32, 8)), "fc1.bias": rng.standard_normal(32),
    ...      "fc2.weight": rng.standard_normal((4, 32)), "fc2.bias": np.zeros(4)}
    >>> copies = [rf.apply_permutation(spec, {"P0": rng.permutation(32)}, a) for _ in range(4)]
    >>> many = rf.merge_many(spec, copies)
    >>> all(np.allclose(many.merged[name], array) for name, array in copies[0].items())
    True
    """
    models = _checked_models(models, method, start)
    unpacked = bytes_to_unpack(*models)
    check_unpacked(unpacked, memory_limit, "the parameters")
    report: dict[str, str] = {}
    for number, model in enumerate(models[1:], 1):
        try:
            pair = check_pair(spec, models[0], model, strict=strict)
        except (ParamsError, TypeError) as error:
            raise type(error)(f"model {number} against model 0 (as B and A): {error}") from None
        report |= pair.left_in_place
    _arguments.count("max_iter", max_iter, least=0, of="a number of sweeps")
    _arguments.optional_count("threads", threads, of="a number of threads")
    if checkpoint is not None and not isinstance(rng, int):
        raise ValueError("checkpoint needs an integer rng, so that the same matching can go on")
    generator = _arguments.generator("rng", rng)
    begin = None if init is None else _checked_init(init, spec, pair.sizes, len(models))
    left = None if memory_limit is None else memory_limit - unpacked
    common = ModelsInCommonOrder(spec, models, pair.sizes, generator, threads, left, effort, report)
    options = {"method": method, "start": start, "rng": rng, "init": begin, "effort": effort}
    kept = ManyCheckpoint(checkpoint, common, generator, options)
    if kept.reached is not None:
        common.move_all(kept.reached.permutations)
        kept.check_objective()
    elif begin is not None:
        common.move_all(begin)
    elif method == "cycle_consistent":
        common.move_all_if_nearer(relaxed_permutations(spec, models, common.matched, pair.sizes))
    growing = method == "merge_many" and start == "growing" and begin is None
    with listener(progress) as notify:
        history, converged = _sweeps(common, max_iter, notify, kept, growing=growing)
    common.return_to_first()
    found = common.as_matching(history, converged=converged)
    merged = average_of(found, models, weights, strict=strict, allow_nonfinite=allow_nonfinite)
    return replace(found, merged=merged)


def _sweeps(
    common: ModelsInCommonOrder,
    max_iter: int,
    progress: ProgressCallback | None,
    kept: ManyCheckpoint,
    *,
    growing: bool,
) -> tuple[list[float], bool]:
    """Sweep over the models in random orders until none comes closer to the mean of the others."""
    history = [] if kept.reached is None else list(kept.reached.history)
    if kept.reached is not None and kept.reached.converged:
        return history, True
    count = len(common.models)
    for sweep in range(len(history), max_iter):
        order = common.rng.permutation(count).tolist()
        grows = growing and sweep == 0
        if grows:
            common.gather(order[:1])
        else:
            common.gather_all_if_stale()  # a run that continues from a file starts from the sum of all
        closer = False
        for visit, number in enumerate(order):
            if not (grows and visit == 0):
                closer = common.match(number) or closer
            if progress is not None:
                place = (sweep + 1, max_iter, visit + 1, count)
                progress(Progress(*place, f"model {number}", common.objective()))
        history.append(common.objective())
        common.return_to_first()
        converged = not closer and not grows
        kept.write(history, converged=converged)
        if converged:
            return history, True
    return history, False


def _checked_init(
    init: ManyMatching | Sequence[Permutation], spec: PermutationSpec, sizes: Mapping[str, int], count: int
) -> list[dict[str, Index]]:
    permutations = list(init.permutations if isinstance(init, ManyMatching) else init)
    if len(permutations) != count:
        raise PermutationError(
            f"init has {len(permutations)} permutations for {count} models; give one a model"
        )
    return [check_permutation(spec, permutation, sizes) for permutation in permutations]


def _checked_models(models: Sequence[Params], method: str, start: str) -> list[Params]:
    if method not in ("merge_many", "cycle_consistent"):
        raise ValueError(f"method is 'merge_many' or 'cycle_consistent'; got {method!r}")
    if start not in ("growing", "identity"):
        raise ValueError(f"start is 'growing' or 'identity'; got {start!r}")
    if isinstance(models, Mapping | str | bytes) or not isinstance(models, Iterable):
        found = "a single mapping" if isinstance(models, Mapping) else type(models).__qualname__
        raise TypeError(f"models is a sequence of parameter mappings; got {found}")
    listed = list(models)
    if len(listed) < 2:
        raise ValueError(f"merging takes two models or more; got {len(listed)}")
    return listed
