"""Axis entries: the contents of each, and how a spec reads them."""

import pickle

import numpy as np
import pytest

import rebasin_fast as rf
from rebasin_fast.axis import Concat, Fixed, Product, Slice, blocks, permutations_of, tiled

OPTION_A = Concat(Slice("Q", 0, 2), "P", Slice("Q", 2, 4))


# Entry, permutation, length of the axis, sizes, and where each position is filled from.
MOVES = {
    "a name moves one position a unit": ("P", {"P": [2, 0, 1]}, 3, None, [2, 0, 1]),
    "blocks move consecutive positions": (blocks("P", 2), {"P": [2, 0, 1]}, 6, None, [4, 5, 0, 1, 2, 3]),
    "tiles repeat the permutation": (tiled("P", 2), {"P": [2, 0, 1]}, 6, None, [2, 0, 1, 5, 3, 4]),
    "pieces move by themselves": (
        Concat("P", Fixed(1), "Q", "P"), {"P": [1, 0], "Q": [2, 0, 1]}, 8, {"Q": 3}, [1, 0, 2, 5, 3, 4, 7, 6],
    ),
    "slices form one permutation": (OPTION_A, {"Q": [3, 0, 1, 2], "P": [1, 0]}, 6, None, [5, 0, 3, 2, 1, 4]),
    "slices in any order": (Concat(Slice("Q", 2, 3), Slice("Q", 0, 2)), {"Q": [2, 1, 0]}, 3, None, [1, 0, 2]),
    # Slot 0 takes head 1 in the order [0, 2, 1]; slot 1 takes head 0 in the order [2, 1, 0].
    "units within units have permutations of their own": (
        Product("H", "d"), {"H": [1, 0], "d": [[0, 2, 1], [2, 1, 0]]}, 6, {"H": 2}, [3, 5, 4, 2, 1, 0],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MOVES)
def test_moves_by_hand(case):
    entry, permutation, length, sizes, expected = MOVES[case]
    spec = rf.PermutationSpec({"w": (entry,)}, sizes=sizes)
    assert rf.apply_permutation(spec, permutation, {"w": np.arange(length)})["w"].tolist() == expected


def test_a_permutation_that_also_stands_outside_is_shared():
    spec = rf.PermutationSpec({"w": (Product("H", "d"),), "norm": ("d",)})
    assert dict(spec.parents) == {"H": (), "d": ()}
    params = {"w": np.arange(6), "norm": np.arange(3)}
    out = rf.apply_permutation(spec, {"H": [1, 0], "d": [2, 0, 1]}, params)
    assert out["w"].tolist() == [5, 3, 4, 2, 0, 1]
    assert out["norm"].tolist() == [2, 0, 1]


def test_the_same_permutation_on_two_axes():
    spec = rf.PermutationSpec({"w": ("P", "P")})
    w = np.arange(9).reshape(3, 3)
    out = rf.apply_permutation(spec, {"P": [2, 0, 1]}, {"w": w})["w"]
    np.testing.assert_array_equal(out, w[[2, 0, 1]][:, [2, 0, 1]])


def test_names_are_listed_from_left_to_right():
    entry = Concat(Product("H", Concat("d", Fixed(2))), OPTION_A)
    assert list(permutations_of(entry)) == ["H", "d", "Q", "P", "Q"]
    assert list(permutations_of(None)) == []


@pytest.mark.parametrize("entry", [Fixed(3), Slice("Q", 0, 2), OPTION_A, Product("H", Fixed(2))])
def test_entries_are_values(entry):
    assert pickle.loads(pickle.dumps(entry)) == entry
    assert hash(pickle.loads(pickle.dumps(entry))) == hash(entry)
    assert eval(repr(entry)) == entry
    with pytest.raises((AttributeError, TypeError)):
        entry.length = 4


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Fixed(0), "positive number of positions, got 0"),
        (lambda: Fixed(2.0), "positive number of positions, got 2.0"),
        (lambda: Fixed(True), "positive number of positions, got True"),
        (lambda: Slice("Q", 2, 2), "0 <= start < stop, got 2:2"),
        (lambda: Slice("Q", -1, 2), "0 <= start < stop, got -1:2"),
        (lambda: Slice("Q", 0, 1.5), "integers 0 <= start < stop, got 0:1.5"),
        (lambda: Slice("", 0, 2), "got ''"),
        (lambda: Product("P", None), "write Fixed"),
        (lambda: Product(Slice("Q", 0, 2), "P"), "direct piece of a Concat"),
        (lambda: Product("P", 3), "got 3"),
        (lambda: Concat(), "at least one piece"),
        (lambda: Concat("P", None), "write Fixed"),
        (lambda: Concat("P", ("Q",)), r"got \('Q',\)"),
    ],
)
def test_wrong_entries_are_refused_where_they_are_written(build, message):
    with pytest.raises(rf.SpecError, match=message):
        build()


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"w": ("P", 3)}, "'w': an axis entry is None, the name .* got 3"),
        ({"w": ("",)}, "'w': .* got ''"),
        ({"w": "P"}, "'w' needs a tuple with one entry per axis, got 'P'"),
        ({"w": None}, "'w' needs a tuple"),
        ({"w": 5}, "'w' needs a tuple with one entry per axis, got 5"),
        ({"w": (Slice("Q", 0, 2),)}, "'w': .* direct piece of a Concat"),
        ({"w": (Product("P", "P"),)}, "'w': a permutation stands within itself"),
        ({"p": ("P",), "w": (Product("P", Concat("Q", "P")),)}, "'w': a permutation stands within itself"),
        ([("w", ("P",))], "a mapping of parameter names .* got list"),
    ],
)
def test_wrong_axes_are_refused(axes, message):
    with pytest.raises(rf.SpecError, match=message):
        rf.PermutationSpec(axes)
