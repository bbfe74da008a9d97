import numpy as np
import pytest

import rebasin_fast as rf
from helpers.networks import KNOWN
from rebasin_fast.analysis import DistanceReduction, distance_reduction
from rebasin_fast.permutation import random_permutation


def slow_distance(a, b, names):
    return np.sqrt(sum(float(((np.float64(a[n]) - np.float64(b[n])) ** 2).sum()) for n in names))


@pytest.mark.parametrize("name", ["mlp", "resnet20-padded", "vgg16-cifar"])
def test_a_planted_permutation_takes_away_all_distance(name):
    spec, a = KNOWN[name].spec(), KNOWN[name].arrays()
    order = random_permutation(spec, spec.sizes(a), np.random.default_rng(0))
    b = rf.apply_permutation(spec, order, a)
    found = distance_reduction(spec, a, b, rf.invert_permutation(order, spec))
    assert found.reduction == 1.0
    assert found.total_before > 0.0
    assert found.total_after == 0.0
    moved = found.before > 0
    np.testing.assert_array_equal(found.reductions[moved], 1.0)


def test_the_slow_definition_layer_by_layer():
    spec, a, b = (
        KNOWN["resnet20-padded"].spec(),
        KNOWN["resnet20-padded"].arrays(),
        KNOWN["resnet20-padded"].arrays(1),
    )
    order = rf.weight_matching(spec, a, b).permutation
    found = distance_reduction(spec, a, b, order)
    moved = rf.apply_permutation(spec, order, b)
    weights = [n for n in a if n not in spec.unmatched and a[n].dtype.kind == "f"]
    for layer, before, after in zip(found.layers, found.before, found.after, strict=True):
        names = [n for n in weights if n.rpartition(".")[0] == layer]
        assert names
        assert before == pytest.approx(slow_distance(a, b, names))
        assert after == pytest.approx(slow_distance(a, moved, names))
    before, after = slow_distance(a, b, weights), slow_distance(a, moved, weights)
    assert (found.total_before, found.total_after) == (pytest.approx(before), pytest.approx(after))
    assert found.reduction == pytest.approx((before - after) / before)
    assert found.reduction > 0
    assert not any("running" in layer for layer in found.layers)


def test_equal_networks_have_no_reduction_and_tied_parameters_count_once():
    w = np.eye(2)
    spec = rf.PermutationSpec({"in/kernel": ("P", None), "out/kernel": ("P", None), "scale": ()})
    a = {"in/kernel": w, "out/kernel": w, "scale": np.float64(1)}
    b = {"in/kernel": w + 1, "out/kernel": w + 1, "scale": np.float64(1)}
    found = distance_reduction(spec, a, b, {"P": [0, 1]})
    assert found.layers == ["in", "scale"]
    assert found.total_before == found.total_after == pytest.approx(2.0)
    assert np.isnan(found.reductions[1])
    assert np.isnan(distance_reduction(spec, a, a, {"P": [0, 1]}).reduction)


def test_mistakes():
    spec = rf.PermutationSpec({"w": ("P", None)})
    a = {"w": np.eye(3)}
    with pytest.raises(rf.ParamsError):
        distance_reduction(spec, a, {"w": np.eye(2)}, {"P": [0, 1]})
    with pytest.raises(rf.PermutationError):
        distance_reduction(spec, a, a, {"P": [0, 0, 1]})
    with pytest.raises(rf.ParamsError, match="'x' is in model A only"):
        distance_reduction(spec, {**a, "x": np.ones(1)}, a, {"P": [0, 1, 2]})


def test_saved_and_drawn(tmp_path):
    found = DistanceReduction(["0", "2"], np.array([4.0, 3.0]), np.array([2.0, 3.0]), 5.0, 13**0.5)
    found.save(tmp_path / "found.npz")
    again = DistanceReduction.load(tmp_path / "found.npz")
    assert again.reduction == pytest.approx(1 - 13**0.5 / 5)
    assert again.reductions.tolist() == [0.5, 0.0]
    pytest.importorskip("matplotlib")
    assert [bar.get_height() for bar in again.plot().patches] == [4.0, 3.0, 2.0, 3.0]
    pytest.importorskip("pandas")
    assert again.to_pandas()["reduction"].tolist() == [0.5, 0.0]
