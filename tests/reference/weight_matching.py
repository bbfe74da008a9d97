"""The published weight matching in plain NumPy and SciPy.

Ainsworth et al. 2022, "Git Re-Basin", algorithm 1, written from the paper and kept close to its loop. It is
what the native descent must agree with, step by step, when both visit the permutations in the same order, and
what benchmarks measure against.

The loop: each sweep visits all permutations in some order. For permutation p, with every other permutation as
it stands, the similarity of A's unit i and B's unit j is the sum, over all arrays that p moves, of the
products of their weights; the best assignment of units overwrites p. A sweep in which no value rose by more
than 1e-12 is the last.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

# One axis of an array: fixed, moved as a whole by one permutation, or moved in parts. A part is an integer
# array (copies, n): where on the axis the n units of that permutation stand, once per copy.
Axis = str | None | Mapping[str, npt.NDArray[np.int64]]
AxesToPerm = Mapping[str, Sequence[Axis]]
Params = Mapping[str, npt.NDArray[np.floating]]
Permutation = dict[str, npt.NDArray[np.int64]]

PROGRESS = 1e-12


@dataclass
class ReferenceMatching:
    """Result of the loop, and its cost in seconds."""

    permutation: Permutation
    objective: float  # vec(A) . vec(permuted B), float64
    history: list[float]  # the objective after each sweep
    sweeps: int
    converged: bool
    assignments: int
    seconds_similarities: float  # gathers and products
    seconds_assignments: float
    seconds_objectives: float  # the float64 objectives, which the published program does not compute
    clock: Callable[[], float] = field(default=time.perf_counter, repr=False)

    @property
    def seconds(self) -> float:
        """The time of the published work: similarities and assignments."""
        return self.seconds_similarities + self.seconds_assignments


def weight_matching(
    axes_to_perm: AxesToPerm,
    params_a: Params,
    params_b: Params,
    *,
    order: Sequence[Sequence[str]] | None = None,
    init: Mapping[str, npt.NDArray[np.integer]] | None = None,
    rng: int | np.random.Generator = 0,
    max_iter: int = 100,
    clock: Callable[[], float] = time.perf_counter,
) -> ReferenceMatching:
    """Permute B's units so that its weights lie along A's, one permutation at a time.

    ``axes_to_perm`` names the arrays that count, with one `Axis` per axis. ``order`` holds the permutation
    names of each sweep and ends the loop with its last one; without it ``rng`` draws the order of each sweep.
    ``clock`` gives the seconds that are counted.
    """
    axes = {
        name: [parts_of(entry, size) for entry, size in zip(entries, params_a[name].shape, strict=True)]
        for name, entries in axes_to_perm.items()
    }
    sizes = permutation_sizes(axes)
    permutation = {p: np.arange(n) for p, n in sizes.items()}
    permutation.update({p: np.array(indices, dtype=np.int64) for p, indices in (init or {}).items()})
    result = ReferenceMatching(permutation, 0.0, [], 0, False, 0, 0.0, 0.0, 0.0, clock)
    for names in sweeps(list(sizes), order, rng, max_iter):
        progress = False
        for p in names:
            progress |= visit(p, sizes[p], axes, params_a, params_b, result)
        started = result.clock()
        result.history.append(objective(axes, permutation, params_a, params_b))
        result.seconds_objectives += result.clock() - started
        result.sweeps += 1
        if not progress:
            result.converged = True
            break
    result.objective = objective(axes, permutation, params_a, params_b)
    return result


def visit(
    p: str,
    n: int,
    axes: Mapping[str, list[dict]],
    params_a: Params,
    params_b: Params,
    result: ReferenceMatching,
) -> bool:
    """Overwrite permutation ``p`` by the best assignment; return whether its value rose."""
    started = result.clock()
    similarity = similarity_of(p, n, axes, result.permutation, params_a, params_b)
    multiplied = result.clock()
    rows, columns = linear_sum_assignment(similarity, maximize=True)
    result.seconds_similarities += multiplied - started
    result.seconds_assignments += result.clock() - multiplied
    result.assignments += 1
    old = similarity[rows, result.permutation[p]].sum(dtype=np.float64)
    new = similarity[rows, columns].sum(dtype=np.float64)
    result.permutation[p] = columns
    return bool(new > old + PROGRESS)


def similarity_of(
    p: str,
    n: int,
    axes: Mapping[str, list[dict]],
    permutation: Permutation,
    params_a: Params,
    params_b: Params,
) -> npt.NDArray[np.floating]:
    """Sum, over all places where ``p`` stands, the products of A's units (rows) and B's units (columns)."""
    total = np.zeros((n, n), dtype=np.result_type(*params_a.values()))
    for name, axis_parts in axes.items():
        for axis, parts in enumerate(axis_parts):
            if p not in parts:
                continue
            weights_a = params_a[name]
            weights_b = permuted(params_b[name], axis_parts, permutation, still=(p, axis))
            for positions in parts[p]:
                units_a = np.take(weights_a, positions, axis)
                units_b = np.take(weights_b, positions, axis)
                total += unfolded(units_a, axis) @ unfolded(units_b, axis).T
    return total


def permuted(
    weights: npt.NDArray[np.floating],
    axis_parts: list[dict],
    permutation: Permutation,
    still: tuple[str, int] | None = None,
) -> npt.NDArray[np.floating]:
    """Move all axes by their permutations; the permutation and axis in ``still`` stay where they are."""
    for axis, parts in enumerate(axis_parts):
        indices = np.arange(weights.shape[axis])
        moving = [p for p in parts if (p, axis) != still]
        for p in moving:
            for positions in parts[p]:
                indices[positions] = positions[permutation[p]]
        if moving:
            weights = np.take(weights, indices, axis)
    return weights


def unfolded(weights: npt.NDArray[np.floating], axis: int) -> npt.NDArray[np.floating]:
    """Return one row per entry of the axis."""
    return np.moveaxis(weights, axis, 0).reshape(weights.shape[axis], -1)


def objective(
    axes: Mapping[str, list[dict]], permutation: Permutation, params_a: Params, params_b: Params
) -> float:
    """Return vec(A) . vec(permuted B) over the arrays of the spec, in float64."""
    total = 0.0
    for name, axis_parts in axes.items():
        moved = permuted(params_b[name], axis_parts, permutation)
        total += float(np.einsum("i,i->", params_a[name].ravel(), moved.ravel(), dtype=np.float64))
    return total


def parts_of(entry: Axis, size: int) -> dict[str, npt.NDArray[np.int64]]:
    """Return an axis as its parts: none where it is fixed, one where one permutation moves all of it."""
    if entry is None:
        return {}
    if isinstance(entry, str):
        return {entry: np.arange(size)[None, :]}
    return {p: np.atleast_2d(np.asarray(positions, dtype=np.int64)) for p, positions in entry.items()}


def permutation_sizes(axes: Mapping[str, list[dict]]) -> dict[str, int]:
    """Return the number of units of each permutation, in the order in which the permutations first appear."""
    sizes: dict[str, int] = {}
    for axis_parts in axes.values():
        for parts in axis_parts:
            for p, positions in parts.items():
                if sizes.setdefault(p, positions.shape[1]) != positions.shape[1]:
                    found = f"{sizes[p]} units in one place, {positions.shape[1]} in another"
                    raise ValueError(f"permutation {p!r} has {found}")
    return sizes


def sweeps(
    names: list[str], order: Sequence[Sequence[str]] | None, rng: int | np.random.Generator, max_iter: int
) -> Iterator[Sequence[str]]:
    """Yield the permutation names of each sweep."""
    generator = np.random.default_rng(rng)
    for sweep in range(max_iter if order is None else min(max_iter, len(order))):
        yield [names[i] for i in generator.permutation(len(names))] if order is None else order[sweep]
