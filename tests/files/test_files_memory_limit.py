"""The limit of memory on arrays that a file holds compressed."""

import re

import numpy as np
import pytest

import rebasin_fast as rf

SPEC = rf.specs.mlp(["fc1", "fc2"])
SHAPES = {"fc1.weight": (40, 30), "fc1.bias": (40,), "fc2.weight": (7, 40), "fc2.bias": (7,)}


def model(seed):
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal(shape) for name, shape in SHAPES.items()}


@pytest.fixture
def packed(tmp_path):
    path = tmp_path / "packed.npz"
    np.savez_compressed(path, **model(1))
    return path


NEEDED = sum(array.nbytes for array in model(1).values())


def test_a_file_is_opened_only_within_the_limit(packed):
    with pytest.raises(
        MemoryError, match=re.escape(f"{NEEDED:,} bytes once unpacked; memory_limit is {NEEDED - 1:,}")
    ):
        rf.load_params(packed, memory_limit=NEEDED - 1)
    params = rf.load_params(packed, memory_limit=NEEDED)
    assert params.bytes_to_unpack == NEEDED
    np.testing.assert_array_equal(params["fc2.bias"], model(1)["fc2.bias"])
    assert params.bytes_to_unpack == NEEDED - params["fc2.bias"].nbytes


@pytest.mark.parametrize("limit", ["1G", -1, True, 1.5])
def test_a_limit_that_is_none(packed, limit):
    with pytest.raises((TypeError, ValueError), match="memory_limit"):
        rf.load_params(packed, memory_limit=limit)


def test_arrays_that_are_mapped_do_not_count(tmp_path):
    for name in ("plain.npz", "plain.safetensors"):
        rf.save_params(tmp_path / name, model(1))
        assert rf.load_params(tmp_path / name, memory_limit=1).bytes_to_unpack == 0


def test_matchings_count_what_they_will_unpack(packed, tmp_path):
    a = model(2)
    for matched in (
        lambda limit: rf.weight_matching(SPEC, a, rf.load_params(packed), memory_limit=limit),
        lambda limit: rf.weight_matching(SPEC, a, [rf.load_params(packed)], memory_limit=limit),
        lambda limit: rf.merge_many(SPEC, [a, rf.load_params(packed)], memory_limit=limit),
    ):
        with pytest.raises(MemoryError, match=f"take {NEEDED:,} bytes once unpacked"):
            matched(NEEDED - 1)
        with pytest.raises(MemoryError, match="bytes of workspace"):
            matched(NEEDED + 1000)
        matched(10**9)
    with pytest.raises(MemoryError, match=f"workspace beside {NEEDED:,} for parameters that are compressed"):
        rf.weight_matching(SPEC, a, rf.load_params(packed), memory_limit=NEEDED + 1000)
    # The cure of the message.
    rf.save_params(tmp_path / "new.safetensors", rf.load_params(packed))
    rf.weight_matching(SPEC, a, rf.load_params(tmp_path / "new.safetensors"), memory_limit=40 * 10**6)


def test_numbers_of_another_byte_order_are_turned_in_place(tmp_path):
    path = tmp_path / "big.npz"
    array = np.arange(100_000, dtype=">f8").reshape(400, 250)
    np.savez_compressed(path, w=array, f=np.asfortranarray(array))
    found = rf.load_params(path)
    for name in "wf":
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == np.dtype("=f8")
