"""The relaxation behind cycle-consistent matching, against dense definitions and finite differences."""

import numpy as np
import pytest

import rebasin_fast as rf
from helpers.networks import KNOWN
from rebasin_fast.axis import Concat, Fixed, Slice, blocks
from rebasin_fast.matching.many.cycle_consistent import RelaxedModels, relaxed_permutations
from rebasin_fast.matching.relaxed.ascent import ascend
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
    """The relaxed problem, and random doubly stochastic matrices for every model but the first."""
    rng = np.random.default_rng(seed)
    relaxed = {}
    for number in range(1, count):
        for name, n in SIZES.items():
            mixed = sum(w * np.eye(n)[rng.permutation(n)] for w in rng.dirichlet(np.ones(4)))
            relaxed[number, (name,)] = mixed
    return RelaxedModels(SPEC, models(count), list(SHAPES), SIZES), relaxed


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
    problem, relaxed = relaxation(3)
    expected = 0.0
    for name, entries in SPEC.axes_to_perm.items():
        moved = [models(3)[0][name]]
        for number, params in enumerate(models(3)[1:], 1):
            matrices = {p: relaxed[number, (p,)] for p in SIZES}
            left, right = (
                whole_matrix(entry, matrices, length)
                for entry, length in zip(entries, SHAPES[name], strict=True)
            )
            moved.append(left @ params[name] @ right.T)
        expected += sum((moved[i] * moved[j]).sum() for i in range(3) for j in range(i))
    assert problem.value(relaxed) == pytest.approx(expected, rel=1e-12)


def test_permutation_matrices_and_their_indices_have_one_value():
    problem, _ = relaxation(3)
    rng = np.random.default_rng(0)
    units = {(number, (name,)): rng.permutation(n) for number in (1, 2) for name, n in SIZES.items()}
    matrices = {place: np.eye(len(index))[index] for place, index in units.items()}
    assert problem.value(units) == pytest.approx(problem.value(matrices), rel=1e-12)


def test_gradients_against_finite_differences():
    problem, relaxed = relaxation(3)
    gradient = problem.gradient(relaxed)
    step = 1e-6
    for place, table in gradient.items():
        for entry in ((0, 1), (2, 3), (1, 1)):
            values = []
            for sign in (1, -1):
                shifted = {key: matrix.copy() for key, matrix in relaxed.items()}
                shifted[place][entry] += sign * step
                values.append(problem.value(shifted))
            assert table[entry] == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-5, abs=1e-6)


def test_a_step_finds_the_best_point_between():
    inside = 0
    for seed in range(8):
        problem, relaxed = relaxation(3, seed)
        rng = np.random.default_rng(seed)
        units = {place: rng.permutation(len(matrix)) for place, matrix in relaxed.items()}
        before = {place: matrix.copy() for place, matrix in relaxed.items()}
        line = []
        for t in np.linspace(0, 1, 51):
            towards = {p: (1 - t) * m + t * np.eye(len(m))[units[p]] for p, m in before.items()}
            line.append(problem.value(towards))
        reached = list(
            ascend(problem, relaxed, lambda _tables, units=units: units, 1, lambda _value: -np.inf)
        )
        assert reached[-1][1] == pytest.approx(problem.value(relaxed), rel=1e-9)
        assert reached[-1][1] >= max(line) - 1e-9 * abs(max(line))
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
