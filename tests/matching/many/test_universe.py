"""The relaxation behind cycle-consistent matching, against dense definitions and finite differences."""

import numpy as np
import pytest

import rebasin_fast as rf
from helpers.networks import KNOWN
from rebasin_fast.axis import Concat, Fixed, Slice, blocks
from rebasin_fast.matching.many import cycle_consistent as universe
from rebasin_fast.matching.many.cycle_consistent import relaxed_permutations
from rebasin_fast.permutation import random_permutation
from rebasin_fast.specs.layout import blocks_of

# Pieces, copies, units out of order, and one permutation on two axes.
SPEC = rf.PermutationSpec(
    {
        "first": ("P", None), "wide": ("Q", blocks("P", 3)), "square": ("Q", "Q"),
        "pieces": (Concat(Slice("Q", 0, 2), "P", Fixed(2), Slice("Q", 2, 4)), None), "last": (None, "Q"),
        "turned": (Concat(Slice("Q", 2, 4), Slice("Q", 0, 2)), None),
    }
)  # fmt: skip
SHAPES = {
    "first": (5, 3),
    "wide": (4, 15),
    "square": (4, 4),
    "pieces": (11, 2),
    "last": (2, 4),
    "turned": (4, 3),
}
SIZES = {"P": 5, "Q": 4}


def models(count, seed=0):
    rng = np.random.default_rng(seed)
    return [{name: rng.standard_normal(shape) for name, shape in SHAPES.items()} for _ in range(count)]


def relaxation(count, seed=1):
    """Layers, and random doubly stochastic matrices for every model but the first."""
    rng = np.random.default_rng(seed)
    free = frozenset(SIZES)
    layers = [universe._layer(SPEC, name, models(count), SIZES, free) for name in SHAPES]
    relaxed = []
    for _ in range(count - 1):
        mixed = {}
        for name, n in SIZES.items():
            mixed[name] = sum(w * np.eye(n)[rng.permutation(n)] for w in rng.dirichlet(np.ones(4)))
        relaxed.append(mixed)
    return layers, relaxed


def whole_matrix(entry, matrices, length):
    """What moves an axis, as one dense matrix."""
    if entry is None:
        return np.eye(length)
    whole = np.eye(length)
    for block in blocks_of(entry, SIZES):
        axis = next(a for a, dim in enumerate(block.dims) if dim is not None)
        for positions in np.moveaxis(block.positions, axis, -1).reshape(-1, block.positions.shape[axis]):
            whole[np.ix_(positions, positions)] = matrices[block.permutations[0]]
    return whole


def test_objective_is_that_of_dense_matrices():
    layers, relaxed = relaxation(3)
    expected = 0.0
    for name, entries in SPEC.axes_to_perm.items():
        moved = [models(3)[0][name]]
        for params, matrices in zip(models(3)[1:], relaxed, strict=True):
            left, right = (
                whole_matrix(entry, matrices, length)
                for entry, length in zip(entries, SHAPES[name], strict=True)
            )
            moved.append(left @ params[name] @ right.T)
        expected += sum((moved[i] * moved[j]).sum() for i in range(3) for j in range(i))
    assert universe._objective(layers, relaxed) == pytest.approx(expected, rel=1e-12)


def test_gradients_against_finite_differences():
    layers, relaxed = relaxation(3)
    gradients = universe._gradients(layers, relaxed)
    step = 1e-6
    for number, gradient in enumerate(gradients):
        for name, matrix in gradient.items():
            for place in ((0, 1), (2, 3), (1, 1)):
                values = []
                for sign in (1, -1):
                    shifted = [dict(own) for own in relaxed]
                    shifted[number][name] = relaxed[number][name].copy()
                    shifted[number][name][place] += sign * step
                    values.append(universe._objective(layers, shifted))
                assert matrix[place] == pytest.approx(
                    (values[0] - values[1]) / (2 * step), rel=1e-5, abs=1e-6
                )


def test_a_step_finds_the_best_point_between():
    inside = 0
    for seed in range(8):
        layers, relaxed = relaxation(3, seed)
        _, vertices = relaxation(3, seed + 100)
        found, value = universe._step(layers, relaxed, vertices, universe._objective(layers, relaxed))
        assert value == pytest.approx(universe._objective(layers, found), rel=1e-9)
        line = [
            universe._objective(layers, universe._between(relaxed, vertices, t))
            for t in np.linspace(0, 1, 51)
        ]
        assert value >= max(line) - 1e-9 * abs(value)
        inside += max(line) > max(line[0], line[-1])
    assert inside > 0


@pytest.mark.parametrize("name", ["mlp", "resnet20-padded", "resnet18"])
def test_planted_orders_without_any_sweep(name):
    known = KNOWN[name]
    spec, params = known.spec(), known.arrays()
    sizes = spec.sizes(params)
    rng = np.random.default_rng(0)
    copies = [rf.apply_permutation(spec, random_permutation(spec, sizes, rng), params) for _ in range(3)]
    matched = [one for one in spec.axes_to_perm if one not in spec.unmatched and one in params]
    found = relaxed_permutations(spec, copies, matched, sizes)
    for permutation, one in zip(found, copies, strict=True):
        moved = rf.apply_permutation(spec, permutation, one)
        assert all(np.array_equal(moved[n], copies[0][n]) for n in matched)
