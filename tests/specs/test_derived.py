"""Parameters computed when asked for: one array in memory at a time, the same result as computed at once."""

import weakref

import numpy as np
import pytest

import rebasin_fast as rf
from rebasin_fast._arrays.derived import DerivedParams, described_by
from rebasin_fast.merging.averaging import average, averaged_params
from rebasin_fast.merging.distance import l2_distance
from rebasin_fast.permutation import permuted_params


class Counted:
    """Computes arrays, and counts how many of them are alive at once."""

    def __init__(self, params):
        self.params = params
        self.alive = 0
        self.most = 0

    def compute(self, name):
        array = self.params[name].copy()
        self.alive += 1
        self.most = max(self.most, self.alive)
        weakref.finalize(array, self._forget)
        return array

    def _forget(self):
        self.alive -= 1


@pytest.fixture
def params():
    rng = np.random.default_rng(0)
    return {f"layer{i}": rng.standard_normal((4, 3)).astype(np.float32) for i in range(6)}


def test_a_derived_mapping_has_the_names_of_its_model_and_refuses_others(params):
    derived = DerivedParams(params, lambda name: params[name] * 2)
    assert list(derived) == list(params)
    assert len(derived) == 6
    assert "layer0" in derived
    assert described_by(DerivedParams(derived, derived.__getitem__)) is params
    with pytest.raises(KeyError, match="absent"):
        derived["absent"]


def test_saving_holds_one_array_at_a_time_and_equals_saving_a_dict(params, tmp_path):
    counted = Counted(params)
    rf.save_params(tmp_path / "lazy.safetensors", DerivedParams(params, counted.compute))
    rf.save_params(tmp_path / "eager.safetensors", params)
    assert (tmp_path / "lazy.safetensors").read_bytes() == (tmp_path / "eager.safetensors").read_bytes()
    assert counted.most == 1


def test_a_distance_holds_one_array_at_a_time_and_its_pieces_add_up(params):
    counted = Counted(params)
    zeros = {name: np.zeros_like(array) for name, array in params.items()}
    expected = np.sqrt(sum(np.sum(np.float64(array) ** 2) for array in params.values()))
    assert l2_distance(zeros, DerivedParams(params, counted.compute)) == pytest.approx(expected, rel=1e-14)
    assert counted.most == 1
    large = np.arange(3 * (1 << 19), dtype=np.float32).reshape(6, -1) / (1 << 19)
    expected = np.sqrt(np.sum(np.float64(large) ** 2))
    assert l2_distance({"w": large}, {"w": np.zeros_like(large)}) == pytest.approx(expected, rel=1e-14)


def test_lazily_permuted_and_averaged_parameters_equal_the_eager_ones(params):
    spec = rf.PermutationSpec(dict.fromkeys(params, ("P", None)))
    moved = rf.apply_permutation(spec, {"P": [2, 0, 3, 1]}, params)
    lazily = permuted_params(spec, {"P": [2, 0, 3, 1]}, params)
    assert isinstance(lazily, DerivedParams)
    merged, lazily_merged = average([params, moved]), averaged_params([params, lazily])
    for name in params:
        np.testing.assert_array_equal(moved[name], params[name][[2, 0, 3, 1]])
        np.testing.assert_array_equal(lazily[name], moved[name])
        np.testing.assert_array_equal(lazily_merged[name], merged[name])
