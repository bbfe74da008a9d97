"""Agreement of permutations: known shares, and a slow count of slots."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rebasin_fast as rf
from rebasin_fast.analysis import Agreement, permutation_agreement
from rebasin_fast.axis import Product

permutations = st.integers(1, 12).flatmap(
    lambda n: st.tuples(st.permutations(range(n)), st.permutations(range(n)))
)


@given(st.lists(permutations, min_size=1, max_size=4))
def test_shares_are_those_counted_one_by_one(pairs):
    first = {f"P{i}": list(one) for i, (one, _) in enumerate(pairs)}
    second = {f"P{i}": list(other) for i, (_, other) in enumerate(pairs)}
    found = permutation_agreement(first, second)
    counted = 0
    for name, one in first.items():
        alike = sum(a == b for a, b in zip(one, second[name], strict=True))
        counted += alike
        assert found.shares[name].tolist() == [alike / len(one)]
        assert found.chance[name] == 1 / len(one)
        assert found.units[name] == len(one)
    assert found.total[0] == counted / sum(len(one) for one in first.values())
    assert found.total_chance == pytest.approx(len(pairs) / sum(found.units.values()))
    back = permutation_agreement(second, first)
    assert back.total[0] == found.total[0]


@given(st.permutations(range(9)), st.integers(1, 8))
def test_itself_and_a_derangement(permutation, shift):
    one, other = {"P": np.array(permutation)}, {"P": np.roll(permutation, shift)}
    assert permutation_agreement(one, one).total[0] == 1
    assert permutation_agreement(one, other).total[0] == 0


def test_several_seeds():
    first = [{"P": [0, 1, 2, 3], "Q": [1, 0]}] * 3
    second = [
        {"P": [0, 1, 2, 3], "Q": [1, 0]},
        {"P": [0, 1, 3, 2], "Q": [0, 1]},
        {"P": [3, 2, 1, 0], "Q": [1, 0]},
    ]
    found = permutation_agreement(first, second)
    assert found.shares["P"].tolist() == [1, 0.5, 0]
    assert found.total.tolist() == [1, 2 / 6, 2 / 6]
    assert found.mean == {"P": 0.5, "Q": pytest.approx(2 / 3)}
    assert found.deviation == {"P": 0.5, "Q": pytest.approx(np.sqrt(1 / 3))}
    assert np.isnan(permutation_agreement(first[0], second[0]).deviation["P"])


def test_chance_is_the_mean_over_random_permutations():
    rng = np.random.default_rng(0)
    first = [{"P": rng.permutation(5)} for _ in range(4000)]
    second = [{"P": rng.permutation(5)} for _ in range(4000)]
    found = permutation_agreement(first, second)
    assert found.mean["P"] == pytest.approx(found.chance["P"], abs=0.01)


def test_a_matching_agrees_as_its_own_method_says():
    model = {"fc1.weight": np.eye(4), "fc2.weight": np.eye(4)}
    matching = rf.weight_matching(rf.specs.mlp(["fc1", "fc2"], bias=False), model, model)
    other = {"P0": [0, 1, 3, 2]}
    assert permutation_agreement(matching, other).total[0] == matching.agreement(other) == 0.5


def test_slots_of_permutations_within_others():
    within = {"H": np.array([0, 1]), "D": np.array([[0, 1, 2], [0, 1, 2]])}
    moved = {"H": np.array([1, 0]), "D": np.array([[0, 1, 2], [0, 2, 1]])}
    assert permutation_agreement(within, moved).shares["D"].tolist() == [4 / 6]
    spec = rf.PermutationSpec({"w": (Product("H", "D"),)})
    found = permutation_agreement(within, moved, spec)
    assert found.shares["D"].tolist() == [0]
    assert found.chance == {"H": 1 / 2, "D": 1 / 6}
    assert found.units == {"H": 2, "D": 6}


@given(st.integers(0, 10**6))
def test_units_within_others_are_those_that_move_to_the_same_place(seed):
    """A vector of numbered entries, moved by both: equal entries are units placed alike."""
    spec = rf.PermutationSpec({"w": (Product("G", Product("H", "D")),)}, sizes={"G": 2, "H": 2, "D": 3})
    rng = np.random.default_rng(seed)

    def drawn():
        shapes = {"G": (2,), "H": (2, 2), "D": (2, 2, 3)}
        return {
            name: rng.permuted(np.broadcast_to(np.arange(shape[-1]), shape), axis=-1)
            for name, shape in shapes.items()
        }

    first, second = drawn(), drawn()
    numbered = {"w": np.arange(12.0)}
    places = [rf.apply_permutation(spec, each, numbered)["w"].reshape(2, 2, 3) for each in (first, second)]
    found = permutation_agreement(first, second, spec)
    assert found.shares["D"][0] == np.mean(places[0] == places[1])
    assert found.shares["H"][0] == np.mean(places[0][..., 0] // 3 == places[1][..., 0] // 3)
    assert found.shares["G"][0] == np.mean(places[0][:, 0, 0] // 6 == places[1][:, 0, 0] // 6)


def test_a_spec_of_other_permutations():
    spec = rf.PermutationSpec({"w": (Product("H", "D"),)})
    with pytest.raises(rf.PermutationError, match="'P' is unknown to the spec"):
        permutation_agreement({"P": [0]}, {"P": [0]}, spec)
    alone = {"D": np.array([[0, 1, 2], [0, 1, 2]])}
    with pytest.raises(rf.PermutationError, match=r"stands within \['H'\]"):
        permutation_agreement(alone, alone, spec)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ({"P": [0, 1]}, {"Q": [0, 1]}, r"name \['P'\] and \['Q'\]"),
        ({"P": [0, 1]}, {"P": [0, 1, 2]}, r"'P' has shapes \(2,\) and \(3,\)"),
        ({"P": [0, 1]}, {"P": [0, 0]}, "'P' is not one"),
    ],
)
def test_permutations_that_cannot_be_compared(first, second, message):
    with pytest.raises(rf.PermutationError, match=message):
        permutation_agreement(first, second)


def test_sequences_of_different_lengths():
    with pytest.raises(ValueError, match="got 1 and 2"):
        permutation_agreement({"P": [0, 1]}, [{"P": [0, 1]}] * 2)
    with pytest.raises(ValueError, match="got 0 and 0"):
        permutation_agreement([], [])


def test_saved_drawn_and_given_to_pandas(tmp_path):
    rng = np.random.default_rng(0)
    first, second = ([{f"P{i}": rng.permutation(5) for i in range(8)} for _ in range(3)] for _ in range(2))
    found = permutation_agreement(first, second)
    found.save(tmp_path / "agreement.npz")
    again = Agreement.load(tmp_path / "agreement.npz")
    assert (again.mean, again.chance, again.units) == (found.mean, found.chance, found.units)
    pytest.importorskip("matplotlib")
    axes = found.plot(label="seeds")
    assert [tick.get_text() for tick in axes.get_xticklabels()] == list(found.shares)
    pytest.importorskip("pandas")
    table = found.to_pandas()
    assert list(table.columns) == ["permutation", "units", "mean", "deviation", "chance"]
    assert len(table) == 8
