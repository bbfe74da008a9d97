"""The algebra of axes against the permutations that its variables stand for."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebasin_fast.specs.tracing.algebra.forms import Concatenation, Nested, Reason
from rebasin_fast.specs.tracing.algebra.selection import take, take_apart
from rebasin_fast.specs.tracing.algebra.variables import Algebra

WHY = Reason("test")


def moves(algebra: Algebra, x: int, rng: np.random.Generator, drawn: dict[int, np.ndarray]) -> np.ndarray:
    """A permutation that ``x`` allows, its leaves moved alike wherever they stand."""
    x = algebra.find(x)
    form = algebra.form(x)
    if algebra.reason(x) is not None:
        return np.arange(algebra.size(x))
    if isinstance(form, Concatenation):
        pieces, offset = [], 0
        for part in form.parts:
            pieces.append(moves(algebra, part, rng, drawn) + offset)
            offset += algebra.size(part)
        return np.concatenate(pieces)
    if isinstance(form, Nested):
        outer, inner = (moves(algebra, part, rng, drawn) for part in (form.outer, form.inner))
        return (outer[:, None] * inner.size + inner).ravel()
    return drawn.setdefault(x, rng.permutation(algebra.size(x)))


def allowed(shape: object, index: np.ndarray) -> bool:
    """Whether a tree of ``("leaf", n)``, ``("cat", ...)``, ``("in", outer, inner)`` allows the permutation."""
    kind, *rest = shape
    if kind == "leaf":
        return True
    if kind == "cat":
        offset = 0
        for part in rest:
            piece = index[offset : offset + size_of(part)] - offset
            if set(piece) != set(range(size_of(part))) or not allowed(part, piece):
                return False
            offset += size_of(part)
        return True
    outer, inner = rest
    rows = index.reshape(-1, size_of(inner))
    blocks, within = rows // size_of(inner), rows % size_of(inner)
    if (blocks != blocks[:, :1]).any() or (within != within[0]).any():
        return False
    return allowed(outer, blocks[:, 0]) and allowed(inner, within[0])


def size_of(shape: object) -> int:
    kind, *rest = shape
    if kind == "leaf":
        return rest[0]
    sizes = [size_of(part) for part in rest]
    return sum(sizes) if kind == "cat" else sizes[0] * sizes[1]


def trees(size: int, depth: int = 2) -> st.SearchStrategy[object]:
    leaf = st.just(("leaf", size))
    if depth == 0 or size < 2:
        return leaf
    cuts = st.integers(1, size - 1).flatmap(
        lambda cut: st.tuples(st.just("cat"), trees(cut, depth - 1), trees(size - cut, depth - 1))
    )
    factors = [n for n in range(2, size) if size % n == 0]
    options = [leaf, cuts]
    if factors:
        options.append(
            st.sampled_from(factors).flatmap(
                lambda n: st.tuples(st.just("in"), trees(n, depth - 1), trees(size // n, depth - 1))
            )
        )
    return st.one_of(options)


def build(algebra: Algebra, shape: object) -> int:
    kind, *rest = shape
    if kind == "leaf":
        return algebra.leaf(rest[0])
    parts = [build(algebra, part) for part in rest]
    return algebra.concat(parts) if kind == "cat" else algebra.product(*parts)


@given(st.lists(trees(12), min_size=2, max_size=3), st.integers(0, 2**31))
def test_what_is_unified_moves_alike_and_as_all_allow(shapes, seed):
    algebra = Algebra()
    built = [build(algebra, shape) for shape in shapes]
    for x in built[1:]:
        algebra.unify(built[0], x, WHY)
    rng = np.random.default_rng(seed)
    for _ in range(5):
        drawn: dict[int, np.ndarray] = {}
        indices = [moves(algebra, x, rng, drawn) for x in built]
        for index in indices[1:]:
            np.testing.assert_array_equal(index, indices[0])
        for shape in shapes:
            assert allowed(shape, indices[0])


@given(st.lists(trees(6, 1), min_size=2, max_size=2))
def test_nothing_that_all_allow_is_lost_between_nested_products_and_cuts(shapes):
    """Cuts against cuts, and products of one grain: the intersection itself is found."""
    kinds = {shape[0] for shape in shapes}
    grains = {size_of(shape[2]) for shape in shapes if shape[0] == "in"}
    if len(kinds - {"leaf"}) > 1 or len(grains) > 1:
        return
    algebra = Algebra()
    x, y = (build(algebra, shape) for shape in shapes)
    algebra.unify(x, y, WHY)
    everything = {p for p in permutations(range(6)) if all(allowed(s, np.array(p)) for s in shapes)}
    rng = np.random.default_rng(0)
    found = {tuple(moves(algebra, x, rng, {}).tolist()) for _ in range(len(everything) * 12)}
    assert found == everything


def test_cuts_meet():
    algebra = Algebra()
    a, b, c = (algebra.leaf(n) for n in (4, 6, 3))
    whole = algebra.concat([a, b])
    algebra.unify(whole, algebra.concat([c, algebra.leaf(7)]), WHY)
    assert [algebra.size(part) for part in algebra.parts(whole)] == [3, 1, 6]
    assert [algebra.size(part) for part in algebra.parts(a)] == [3, 1]


def test_products_that_do_not_nest_are_held():
    algebra = Algebra()
    x = algebra.product(algebra.leaf(4), algebra.leaf(3))
    y = algebra.product(algebra.leaf(6), algebra.leaf(2))
    algebra.unify(x, y, WHY)
    assert algebra.reason(x) == WHY


def test_a_coarser_product_is_refined():
    algebra = Algebra()
    heads, dims = algebra.leaf(4), algebra.leaf(6)
    algebra.unify(algebra.product(heads, dims), algebra.product(algebra.leaf(8), algebra.leaf(3)), WHY)
    form = algebra.form(dims)
    assert isinstance(form, Nested)
    assert (algebra.size(form.outer), algebra.size(form.inner)) == (2, 3)


def test_what_touches_the_frozen_is_frozen_with_its_reason():
    algebra = Algebra()
    a, b = algebra.leaf(2), algebra.leaf(3)
    whole = algebra.concat([a, b])
    algebra.unify(b, algebra.frozen(3, WHY), Reason("another"))
    assert algebra.reason(b) == WHY
    assert algebra.reason(a) is None
    algebra.unify(whole, algebra.frozen(5, Reason("output")), Reason("another"))
    assert algebra.reason(a) == Reason("output")


@pytest.mark.parametrize(
    ("positions", "sizes"),
    [
        (np.arange(24).reshape(4, 6), [4, 6]),
        (np.arange(24).reshape(2, 3, 4)[1], [3, 4]),
        (np.arange(24).reshape(4, 3, 2)[:, 1], [4, 2]),
        (np.arange(24).reshape(4, 6).T, [6, 4]),
        (np.arange(24).reshape(4, 6)[:, ::-1], [4, 6]),
    ],
)
def test_positions_that_nest_become_products(positions, sizes):
    algebra = Algebra()
    x = algebra.leaf(24)
    found, _ = take_apart(algebra, x, positions, WHY)
    assert [algebra.size(axis) for axis in found] == sizes
    assert all(algebra.reason(axis) is None for axis in found)


def test_positions_that_do_not_nest_are_held():
    algebra = Algebra()
    x = algebra.leaf(6)
    found, _ = take_apart(algebra, x, np.array([[0, 1, 2], [3, 5, 4]]), WHY)
    assert algebra.reason(x) == WHY
    assert all(algebra.reason(axis) == WHY for axis in found)


@given(trees(12), st.data())
def test_taking_follows_the_units(shape, data):
    algebra = Algebra()
    x = build(algebra, shape)
    positions = np.array(data.draw(st.lists(st.integers(0, 11), min_size=1, max_size=12)))
    taken = take(algebra, x, positions)
    rng = np.random.default_rng(1)
    drawn: dict[int, np.ndarray] = {}
    whole = moves(algebra, x, rng, drawn)
    chosen = moves(algebra, taken, rng, drawn)
    # Units stand at the same places however they are reached.
    np.testing.assert_array_equal(whole[positions], positions[chosen])
