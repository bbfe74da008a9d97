"""All permutations of many models at once, relaxed to doubly stochastic matrices: Frank-Wolfe in a common universe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._arrays import library_of, wide_on_host
from rebasin_fast.assignment import Assignment, solve_assignment
from rebasin_fast.matching.matched import real_entries, real_view
from rebasin_fast.permutation import identity_permutation
from rebasin_fast.specs.axis import merge_joined
from rebasin_fast.specs.layout import Block, blocks_of, merged_shape
from rebasin_fast.specs.sizes import chains_of

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Array, Index, Params

Matrices = dict[str, NDArray[Any]]  # by permutation

_MOST_STEPS = 30
# The relaxed objective has stopped rising when a step adds less than this share of it, or of what it has gained.
_SMALLEST_GAIN = 1e-4


@dataclass(frozen=True)
class Move:
    """Along ``axis`` a permutation moves ``positions``, (copies, n), of which each row is one copy of its units."""

    permutation: str
    axis: int
    positions: Index


@dataclass(frozen=True)
class Layer:
    """One parameter: each model's array, in one shape, and what moves its axes."""

    arrays: list[NDArray[Any]]
    moves: tuple[Move, ...]


def relaxed_permutations(
    spec: PermutationSpec, models: Sequence[Params], matched: Sequence[str], sizes: Mapping[str, int]
) -> list[dict[str, Index]]:
    """Permutations of all models into the order of model 0, by Frank-Wolfe and rounding.

    Maximises the sum over pairs of inner products of the models, each moved by doubly stochastic matrices, from the
    matrices whose entries are all equal; model 0 stays where it is. Steps are exact: along a step the objective is
    a polynomial of known degree. Permutations that stand within others, or hold others, keep the identity.
    """
    free = _free_permutations(spec, matched, sizes)
    layers = [_layer(spec, name, models, sizes, free) for name in matched]
    layers = [layer for layer in layers if layer.moves]
    relaxed: list[Matrices] = [_uniform(free, sizes, layers) for _ in models[1:]]
    objective = start = _objective(layers, relaxed)
    for _ in range(_MOST_STEPS):
        relaxed, risen = _step(layers, relaxed, _vertices(_gradients(layers, relaxed)), objective)
        # It starts from the average of all permutations: what it has there, no permutation could change.
        if risen - objective <= _SMALLEST_GAIN * min(abs(risen), abs(risen - start)):
            break
        objective = risen
    identity = identity_permutation(spec, sizes)
    return [identity, *({**identity, **_rounded(matrices)} for matrices in relaxed)]


def _free_permutations(
    spec: PermutationSpec, matched: Sequence[str], sizes: Mapping[str, int]
) -> frozenset[str]:
    """Those that never stand in one chain with another."""
    chains = [
        chain
        for entries in spec.axes_to_perm.values()
        for entry, _ in merge_joined(entries)
        for chain in chains_of(entry)
    ]
    nested = {name for chain in chains if len(chain) > 1 for name in chain}
    seen = {
        name
        for parameter in matched
        for name, places in spec.perm_to_axes.items()
        if parameter in dict(places)
    }
    return frozenset(name for name in sizes if name not in nested and name in seen)


def _layer(
    spec: PermutationSpec,
    name: str,
    models: Sequence[Params],
    sizes: Mapping[str, int],
    free: frozenset[str],
) -> Layer:
    merged = merge_joined(real_entries(spec.axes_to_perm[name], models[0][name]))
    hosts = [_host(model[name]) for model in models]
    arrays = [host.reshape(merged_shape(host.shape, merged)) for host in hosts]
    moves = tuple(
        Move(block.permutations[0], axis, _copies(block))
        for axis, (entry, _) in enumerate(merged)
        for block in blocks_of(entry, sizes)
        if block.permutations[0] in free
    )
    return Layer(arrays, moves)


def _copies(block: Block) -> Index:
    axis = next(axis for axis, dim in enumerate(block.dims) if dim is not None)
    copies = np.moveaxis(block.positions, axis, -1)
    return np.ascontiguousarray(copies.reshape(-1, copies.shape[-1]))


def _host(array: Array) -> NDArray[Any]:
    """As float32, or float64 where it is that; without a copy where it can be."""
    library = library_of(array)
    if library.dtype_name(array) in ("float32", "float64"):
        return library.to_host(array)
    return real_view(wide_on_host(array)).astype(np.float32)


def _uniform(free: frozenset[str], sizes: Mapping[str, int], layers: list[Layer]) -> Matrices:
    dtype = np.result_type(*(layer.arrays[0].dtype for layer in layers)) if layers else np.float32
    return {name: np.full((sizes[name], sizes[name]), 1.0 / sizes[name], dtype) for name in sorted(free)}


def _moved(layer: Layer, number: int, relaxed: Sequence[Matrices], but: Move | None = None) -> NDArray[Any]:
    """Model ``number``'s array moved by its matrices, all of them or all but one."""
    array = layer.arrays[number]
    if number == 0:
        return array
    for move in layer.moves:
        if move is not but:
            array = _acted(array, move, relaxed[number - 1][move.permutation])
    return array


def _acted(array: NDArray[Any], move: Move, matrix: NDArray[Any]) -> NDArray[Any]:
    units = _units(array, move)
    if move.positions.size == array.shape[move.axis] and len(move.positions) == 1:
        order = np.empty(move.positions.size, np.int64)
        order[move.positions[0]] = np.arange(move.positions.size)
        moved = (matrix @ units[0])[order]
        shape = (array.shape[move.axis], *np.delete(array.shape, move.axis))
        return np.moveaxis(moved.reshape(shape), 0, move.axis)
    result = np.array(np.moveaxis(array, move.axis, 0))
    flat = result.reshape(len(result), -1)
    flat[move.positions] = np.matmul(matrix, units)
    return np.moveaxis(flat.reshape(result.shape), 0, move.axis)


def _units(array: NDArray[Any], move: Move) -> NDArray[Any]:
    """(copies, n, everything else)."""
    first = np.moveaxis(array, move.axis, 0)
    units: NDArray[Any] = first.reshape(len(first), -1)[move.positions]
    return units


def _objective(layers: list[Layer], relaxed: Sequence[Matrices]) -> float:
    total = 0.0
    for layer in layers:
        moved = [_moved(layer, number, relaxed) for number in range(len(layer.arrays))]
        whole = sum(moved[1:], start=moved[0].astype(np.float64))
        total += float(np.vdot(whole, whole)) - sum(
            float(np.vdot(w := one.astype(np.float64), w)) for one in moved
        )
    return total / 2


def _gradients(layers: list[Layer], relaxed: Sequence[Matrices]) -> list[Matrices]:
    """The derivatives of the objective by the matrices of every model but the first."""
    gradients = [{name: np.zeros_like(matrix) for name, matrix in own.items()} for own in relaxed]
    for layer in layers:
        moved = [_moved(layer, number, relaxed) for number in range(len(layer.arrays))]
        whole = sum(moved[1:], start=moved[0])
        for number, gradient in enumerate(gradients, 1):
            others = whole - moved[number]
            for move in layer.moves:
                own = _moved(layer, number, relaxed, but=move)
                product = np.matmul(_units(others, move), _units(own, move).transpose(0, 2, 1))
                gradient[move.permutation] += product.sum(0)
    return gradients


def _vertices(gradients: Sequence[Matrices]) -> list[Matrices]:
    """The permutation matrices along which the objective rises fastest: one assignment a model and permutation."""
    return [
        {name: _as_matrix(_assigned(similarity), similarity) for name, similarity in gradient.items()}
        for gradient in gradients
    ]


def _assigned(similarity: NDArray[Any]) -> Index:
    columns: Index = cast(Assignment, solve_assignment(similarity, maximize=True)).columns
    return columns


def _as_matrix(columns: Index, like: NDArray[Any]) -> NDArray[Any]:
    matrix = np.zeros_like(like)
    matrix[np.arange(len(columns)), columns] = 1.0
    return matrix


def _step(
    layers: list[Layer], relaxed: list[Matrices], vertices: list[Matrices], objective: float
) -> tuple[list[Matrices], float]:
    """The best point between the matrices and the vertices, and the objective there."""
    degree = 2 * max((len({move.axis for move in layer.moves}) for layer in layers), default=1)
    nodes = np.linspace(0.0, 1.0, degree + 1)
    values = [objective, *(_objective(layers, _between(relaxed, vertices, t)) for t in nodes[1:])]
    curve = np.polynomial.Polynomial.fit(nodes, values, degree)
    turns = [
        float(root.real) for root in curve.deriv().roots() if abs(root.imag) < 1e-9 and 0 < root.real < 1
    ]
    best = max([*turns, 0.0, 1.0], key=lambda t: float(curve(t)))
    return _between(relaxed, vertices, best), float(curve(best))


def _between(relaxed: list[Matrices], vertices: list[Matrices], t: float) -> list[Matrices]:
    return [
        {name: ((1.0 - t) * matrix + t * vertex[name]).astype(matrix.dtype) for name, matrix in own.items()}
        for own, vertex in zip(relaxed, vertices, strict=True)
    ]


def _rounded(matrices: Matrices) -> dict[str, Index]:
    return {name: _assigned(matrix) for name, matrix in matrices.items()}
