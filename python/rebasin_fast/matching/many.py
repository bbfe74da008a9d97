"""Many models brought into one order of units: MergeMany, and matching through a common universe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.arrays import library_of
from rebasin_fast.averaging import average
from rebasin_fast.errors import ParamsError
from rebasin_fast.matching.many_result import Index, ManyMatching
from rebasin_fast.matching.pair import check_pair
from rebasin_fast.matching.result import Progress, ProgressCallback
from rebasin_fast.matching.universe import relaxed_permutations
from rebasin_fast.matching.weight import weight_matching
from rebasin_fast.permutation import (
    compose_permutations,
    identity_permutation,
    invert_permutation,
    permuted_params,
)
from rebasin_fast.spec import PermutationSpec

if TYPE_CHECKING:
    from rebasin_fast.typing import Array, Params, Rng

Method: TypeAlias = Literal["merge_many", "cycle_consistent"]
Start: TypeAlias = Literal["growing", "identity"]


def merge_many(
    spec: PermutationSpec,
    models: Sequence[Params],
    *,
    method: Method = "merge_many",
    start: Start = "growing",
    weights: Sequence[float] | None = None,
    rng: Rng = 0,
    max_iter: int = 100,
    strict: bool = True,
    threads: int | None = None,
    progress: ProgressCallback | None = None,
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
        the mean of all others as they stand, which before any matching is a blur.
    weights : sequence of float, optional
        Share of each model in ``merged``, divided by their sum; equal by default. They do not bear on the matching.
    rng : int, numpy.random.Generator or None
        Seeds the order of the models and the visits of each matching.
    max_iter : int
        Most sweeps over the models.
    strict : bool
        Refuse parameters that the spec or one of the models lacks. False leaves parameters that the spec lacks in
        place and lists them in ``report``; ``merged`` needs all models to have the same names either way.
    threads : int, optional
        Threads of the matrix products of each matching.
    progress : callable, optional
        Called with a :class:`Progress` after each model: ``permutation`` is then ``"model 3"``, ``visit`` counts
        models, and ``objective`` is the sum over pairs.

    Returns
    -------
    ManyMatching
        Both methods give permutations into the order of model 0, so that those between any two models compose
        exactly around every cycle. ``objective`` never falls from one sweep to the next; with "identity" and
        "cycle_consistent" it is never below ``first_objective``.

    Raises
    ------
    SpecError, ParamsError
        As :func:`rebasin_fast.weight_matching`; the message names the model by its number.
    ValueError
        Fewer than two models, or an unknown method or start.

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
    Multi-Model Merging*, 2024. C2M3 maps models to a universe of its own; model 0 stands in for it here, which loses
    nothing, since any order of the universe gives the same pairs.

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
    report: dict[str, str] = {}
    for number, model in enumerate(models[1:], 1):
        try:
            pair = check_pair(spec, models[0], model, strict=strict)
        except (ParamsError, TypeError) as error:
            raise type(error)(f"model {number} against model 0 (as B and A): {error}") from None
        report |= pair.left_in_place
    generator = np.random.default_rng(rng)
    crowd = _Crowd(spec, models, pair.sizes, generator, threads)
    tell = _teller(progress, len(models), max_iter)
    if method == "cycle_consistent":
        crowd.move_all(relaxed_permutations(spec, models, crowd.matched, pair.sizes))
    history, converged = _sweeps(crowd, max_iter, tell, growing=method == "merge_many" and start == "growing")
    crowd.return_to_first()
    return ManyMatching(
        permutations=crowd.permutations,
        merged=average(crowd.moved(), weights),
        objective=crowd.objective(),
        first_objective=crowd.first_objective,
        history=history,
        sweeps=len(history),
        converged=converged,
        spec=spec,
        report=report,
    )


class _Crowd:
    """The models, where their units are now, and the sum of all of them there."""

    def __init__(
        self,
        spec: PermutationSpec,
        models: list[Params],
        sizes: Mapping[str, int],
        rng: np.random.Generator,
        threads: int | None,
    ) -> None:
        self.models = models
        self.rng = rng
        self.permutations = [identity_permutation(spec, sizes) for _ in models]
        unmatched = set(spec.unmatched)
        self.matched = [
            name
            for name in spec.axes_to_perm
            if name not in unmatched and all(name in model for model in models)
        ]
        self._spec = spec
        self._threads = threads
        self._squares = sum(
            _dot(array, array)
            for model in models
            for array in (_host64(model[name]) for name in self.matched)
        )
        self._sum: dict[str, NDArray[np.float64]] = {}
        self._members: set[int] = set()
        self.gather(range(len(models)))
        self.first_objective = self.objective()

    def moved(self) -> list[Params]:
        """The models in their new orders, each array computed when it is asked for."""
        pairs = zip(self.permutations, self.models, strict=True)
        return [permuted_params(self._spec, permutation, model) for permutation, model in pairs]

    def gather(self, members: Any) -> None:
        """Make the sum that of ``members`` alone, where they stand."""
        self._sum, self._members = {}, set()
        for member in members:
            self._add(member, 1.0)

    def objective(self) -> float:
        """Sum over pairs of inner products: half of |sum|^2 less the squares, with all models in the sum."""
        return (sum(_dot(total, total) for total in self._sum.values()) - self._squares) / 2

    def match(self, number: int) -> bool:
        """Match one model to the mean of the others in the sum, which it then joins; whether it came closer."""
        if number in self._members:
            self._add(number, -1.0)
        model, count = self.models[number], len(self._members)
        mean = {
            name: (total / count).astype(_product_dtype(model[name]), copy=False)
            for name, total in self._sum.items()
        }
        found = weight_matching(
            self._spec, {**model, **mean}, model, init=self.permutations[number], rng=self.rng, strict=False,
            threads=self._threads,
        )  # fmt: skip
        self.permutations[number] = found.permutation
        self._add(number, 1.0)
        return found.objective > found.first_objective

    def move_all(self, permutations: list[dict[str, Index]]) -> None:
        """Take these permutations, unless the models are nearer to one another as they stand."""
        before = self.permutations, self.objective()
        self.permutations = permutations
        self.gather(range(len(self.models)))
        if self.objective() < before[1]:
            self.permutations = before[0]
            self.gather(range(len(self.models)))

    def return_to_first(self) -> None:
        """Undo model 0's permutation in all models alike, which leaves the objective as it is."""
        back = invert_permutation(self.permutations[0], self._spec)
        self.permutations = [compose_permutations(p, back, self._spec) for p in self.permutations]

    def _add(self, number: int, sign: float) -> None:
        moved = permuted_params(self._spec, self.permutations[number], self.models[number])
        for name in self.matched:
            array = _host64(moved[name])
            if name not in self._sum:
                self._sum[name] = sign * array
            elif sign > 0:
                self._sum[name] += array
            else:
                self._sum[name] -= array
        (self._members.add if sign > 0 else self._members.discard)(number)


def _sweeps(
    crowd: _Crowd, max_iter: int, tell: Callable[[int, int, int, float], None], *, growing: bool
) -> tuple[list[float], bool]:
    """Sweep over the models in random orders until none comes closer to the mean of the others."""
    history: list[float] = []
    count = len(crowd.models)
    for sweep in range(max_iter):
        order = crowd.rng.permutation(count).tolist()
        grows = growing and sweep == 0
        if grows:
            crowd.gather(order[:1])
        closer = False
        for visit, number in enumerate(order):
            if not (grows and visit == 0):
                closer = crowd.match(number) or closer
            tell(sweep + 1, visit + 1, number, crowd.objective())
        history.append(crowd.objective())
        if not closer and not grows:
            return history, True
    return history, False


def _checked_models(models: Sequence[Params], method: str, start: str) -> list[Params]:
    if method not in ("merge_many", "cycle_consistent"):
        raise ValueError(f"method is 'merge_many' or 'cycle_consistent'; got {method!r}")
    if start not in ("growing", "identity"):
        raise ValueError(f"start is 'growing' or 'identity'; got {start!r}")
    if isinstance(models, Mapping):
        raise TypeError("models is a sequence of parameter mappings; got a single mapping")
    listed = list(models)
    if len(listed) < 2:
        raise ValueError(f"merging takes two models or more; got {len(listed)}")
    return listed


def _teller(
    progress: ProgressCallback | None, count: int, max_iter: int
) -> Callable[[int, int, int, float], None]:
    def tell(sweep: int, visit: int, number: int, objective: float) -> None:
        if progress is not None:
            progress(Progress(sweep, max_iter, visit, count, f"model {number}", objective))

    return tell


def _product_dtype(array: Array) -> type[np.floating[Any]]:
    return np.float64 if library_of(array).dtype_name(array) == "float64" else np.float32


def _host64(array: Array) -> NDArray[np.float64]:
    library = library_of(array)
    host: NDArray[np.float64] = library.to_host(library.widen(array))
    return host


def _dot(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(np.dot(a.ravel(), b.ravel()))
