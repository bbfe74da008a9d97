"""Rotations of pairs within units: applied as matrices do, inverted, composed, balanced, saved, checked."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

import rebasin_fast as rf
from rebasin_fast.axis import Fixed, Product
from rebasin_fast.permutation import check_transform, load_transform, random_transform, save_transform
from rebasin_fast.specs.symmetry import Pair, Role, Symmetry

PAIRS = (Pair(0, 0, 2), Pair(1, 1, 3))
SHARED = (Pair(0, 0, 2), Pair(0, 4, 6), Pair(1, 1, 3), Pair(1, 5, 7))  # two heads of queries a head of keys
TURNS = Symmetry("heads", "rotations", (Role("q", 0, (1,), SHARED), Role("k", 0, (-1,), PAIRS)))
SPEC = rf.PermutationSpec(
    {
        "q": (Product(Product("heads", "queries"), Fixed(4)), None),
        "k": (Product("heads", Fixed(4)), None),
        "o": (None, Product("heads", "queries")),
    },
    symmetries=[TURNS],
)
SIZES = {"heads": 3, "queries": 2}


def draw(seed: int):
    rng = np.random.default_rng(seed)
    params = {
        "q": rng.standard_normal((24, 5)),
        "k": rng.standard_normal((12, 5)),
        "o": rng.standard_normal((2, 6)),
    }
    return params, random_transform(SPEC, SIZES, rng), random_transform(SPEC, SIZES, rng)


def dense(numbers, head_dims: int, pairs, exponent: int):
    """The matrix of one head, entry by entry."""
    matrix = np.eye(head_dims)
    for pair in pairs:
        a, b = numbers[pair.rotation]
        block = np.array([[a, -b], [b, a]])
        block = block if exponent == 1 else np.linalg.inv(block).T
        for i, row in enumerate(pair[1:]):
            for j, column in enumerate(pair[1:]):
                matrix[row, column] = block[i, j]
    return matrix


def reference(transform, params):
    """Heads reordered with all that is in them, queries within, and each head multiplied by its matrix."""
    found = {}
    for name, pairs, exponent in (("q", SHARED, 1), ("k", PAIRS, -1)):
        heads = params[name].reshape(3, -1, 5)[transform.permutation["heads"]]
        if name == "q":
            order = transform.permutation["queries"]
            heads = np.stack([head.reshape(2, 4, 5)[order[h]].reshape(8, 5) for h, head in enumerate(heads)])
        turned = [
            dense(numbers, len(head), pairs, exponent) @ head
            for numbers, head in zip(transform.rotations["heads"], heads, strict=True)
        ]
        found[name] = np.concatenate(turned)
    by_head = params["o"].reshape(2, 3, 2)[:, transform.permutation["heads"]]
    order = transform.permutation["queries"]
    found["o"] = np.stack([by_head[:, h, order[h]] for h in range(3)], 1).reshape(2, 6)
    return found


def assert_close(found, expected, tolerance=1e-12):
    assert found.keys() == expected.keys()
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=tolerance)


@pytest.mark.parametrize("seed", range(5))
def test_the_dense_reference_agrees(seed):
    params, transform, _ = draw(seed)
    assert_close(rf.apply_transform(SPEC, transform, params), reference(transform, params))


@pytest.mark.parametrize("seed", range(5))
def test_inverses_and_compositions(seed):
    params, first, second = draw(seed)
    moved = rf.apply_transform(SPEC, first, params)
    assert_close(rf.apply_transform(SPEC, rf.invert_transform(first, SPEC), moved), params)
    together = rf.compose_transforms(first, second, SPEC)
    assert_close(rf.apply_transform(SPEC, together, params), rf.apply_transform(SPEC, second, moved))


def test_scores_stay():
    params, transform, _ = draw(0)
    moved = rf.apply_transform(SPEC, rf.Transform({"heads": [0, 1, 2], "queries": [[0, 1]] * 3},
                                                  rotations=transform.rotations), params)  # fmt: skip

    def scores(p):
        return np.einsum("hqdi,hdj->hqij", p["q"].reshape(3, 2, 4, 5), p["k"].reshape(3, 4, 5))

    np.testing.assert_allclose(scores(moved), scores(params), rtol=0, atol=1e-12)


def test_files(tmp_path):
    _, transform, _ = draw(0)
    save_transform(tmp_path / "t.safetensors", SPEC, transform)
    found = load_transform(tmp_path / "t.safetensors")
    np.testing.assert_array_equal(found.transform.rotations["heads"], transform.rotations["heads"])
    assert found.spec.symmetries == SPEC.symmetries
    assert rf.PermutationSpec.from_json(SPEC.to_json()).symmetries == SPEC.symmetries


def test_balanced_pairs_have_the_least_sum_of_squares():
    params, transform, _ = draw(1)
    found = rf.normalise(SPEC, params)
    for other in (params, rf.apply_transform(SPEC, transform, params)):
        again = rf.normalise(SPEC, other).params
        total = {name: float((again[name] ** 2).sum()) for name in ("q", "k")}
        assert total["q"] == pytest.approx(total["k"])
        assert sum(total.values()) <= sum(float((other[name] ** 2).sum()) for name in ("q", "k"))
        assert sum(total.values()) == pytest.approx(
            sum(float((found.params[n] ** 2).sum()) for n in ("q", "k"))
        )
    assert_close(rf.apply_transform(SPEC, found.transform, params), found.params)
    assert "scales balanced by factors" in str(found)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((3, 2, 2)), "holds 0, which takes a pair to nothing"),
        (np.ones((3, 1, 2)), r"has shape \(3, 1, 2\); expected \(3, 2, 2\)"),
        (np.full((3, 2, 2), np.nan), "holds NaN or infinity"),
    ],
)
def test_rotations_are_checked(values, message):
    _, transform, _ = draw(0)
    with pytest.raises(rf.PermutationError, match=message):
        check_transform(SPEC, rf.Transform(transform.permutation, rotations={"heads": values}), SIZES)


@pytest.mark.parametrize(
    ("role", "message"),
    [
        (Role("k", 0, (1, 1), PAIRS), "its exponent is 1 or -1"),
        (Role("k", 0, (1,), (Pair(0, 0, 1), Pair(1, 1, 2))), "two pairs of 'k' with one position"),
        (Role("k", 0, (1,), (Pair(0, -1, 1),)), "no whole numbers from 0 on"),
    ],
)
def test_pairs_are_checked(role, message):
    with pytest.raises(rf.SpecError, match=message):
        SPEC.with_symmetries([Symmetry("heads", "rotations", (role,))])


def test_pairs_beyond_the_unit_are_refused():
    beyond = SPEC.with_symmetries([Symmetry("heads", "rotations", (Role("k", 0, (1,), (Pair(0, 0, 9),)),))])
    params, _, _ = draw(0)
    with pytest.raises(rf.SpecError, match="names position 9 along axis 0 of 'k', where a unit owns 4"):
        rf.normalise(beyond, params)


def test_pairs_belong_to_rotations():
    with pytest.raises(rf.SpecError, match="pairs belong to the roles of rotations"):
        Symmetry("heads", "signs", (Role("k", 0, (1,), PAIRS),))


def test_no_order_and_no_angles_on_a_grid_are_better():
    a, b = (rf.normalise(SPEC, draw(seed)[0]).params for seed in (2, 3))
    matching = rf.weight_matching(SPEC, a, b, symmetries="all", restarts=20)
    angles = 2.0 * np.pi * np.arange(720) / 720
    grid = np.stack([np.cos(angles), -np.sin(angles), np.sin(angles), np.cos(angles)]).reshape(2, 2, -1)
    best = 0.0
    for heads in permutations(range(3)):
        total = 0.0
        for slot, unit in enumerate(heads):
            parts = [p.reshape(3, -1, 4, 5)[i] for p, i in ((a["q"], slot), (b["q"], unit))]
            keys = [p.reshape(3, 4, 5)[i] for p, i in ((a["k"], slot), (b["k"], unit))]
            outs = [p.reshape(2, 3, 2)[:, i] for p, i in ((a["o"], slot), (b["o"], unit))]
            total += max(
                (outs[0] * outs[1][:, queries]).sum()
                + sum(
                    np.einsum(
                        "ijg,ij->g",
                        grid,
                        np.einsum("qir,qjr->ij", parts[0][:, dims], parts[1][list(queries)][:, dims])
                        + keys[0][dims] @ keys[1][dims].T,
                    ).max()
                    for dims in ([0, 2], [1, 3])
                )
                for queries in permutations(range(2))
            )
        best = max(best, total)
    assert best * (1 - 1e-12) <= matching.objective <= best * (1 + 1e-4)
