"""Permutations as files."""

import json

import numpy as np
import pytest
import safetensors.numpy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import rebasin_fast as rf
from rebasin_fast.errors import FileFormatError, PermutationError
from rebasin_fast.files import OutputExistsError, load_permutation, save_permutation, spec_digest
from rebasin_fast.specs.symmetry import Role, Symmetry

SPEC = '{"axes": {"w": ["P", null]}, "version": 1}'


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(st.integers(0, 9), max_size=4), seed=st.integers(0, 99))
def test_permutations_come_back(tmp_path_factory, suffix, sizes, seed):
    path = tmp_path_factory.mktemp("p") / f"p{suffix}"
    rng = np.random.default_rng(seed)
    permutation = {f"P_{i}": rng.permutation(n) for i, n in enumerate(sizes)}
    save_permutation(path, permutation, SPEC, metadata={"seed": str(seed)})
    found = load_permutation(path)
    assert set(found.permutation) == set(permutation)
    for name, indices in permutation.items():
        assert found.permutation[name].dtype == np.int64
        assert np.array_equal(found.permutation[name], indices)
    assert found.spec_json == SPEC
    assert found.metadata == {"seed": str(seed)}
    found.check_spec(json.dumps(json.loads(SPEC), indent=3, sort_keys=True))
    with pytest.raises(PermutationError, match="was found for the spec"):
        found.check_spec('{"axes": {}}')


def test_other_integer_types_and_torch_are_taken(tmp_path):
    save_permutation(tmp_path / "p.npz", {"a": torch.tensor([1, 0]), "b": np.array([1, 0], np.uint8)})
    found = load_permutation(tmp_path / "p.npz")
    assert all(p.dtype == np.int64 for p in found.permutation.values())
    assert found.spec_digest is None
    found.check_spec(SPEC)


@pytest.mark.parametrize("bad", [[0, 0], [1, 2], [0.0, 1.0], [[0, 1], [0, 0]], [-1, 0]])
def test_what_is_no_permutation_is_refused_both_ways(tmp_path, bad):
    with pytest.raises(PermutationError, match="'P'"):
        save_permutation(tmp_path / "p.safetensors", {"P": np.array(bad)})
    safetensors.numpy.save_file({"P": np.array(bad)}, tmp_path / "bad.safetensors")
    with pytest.raises(PermutationError, match=r"bad\.safetensors.*'P'"):
        load_permutation(tmp_path / "bad.safetensors")


def test_extensions_and_tampering(tmp_path):
    with pytest.raises(FileFormatError, match=r"saved as \.safetensors or \.npz"):
        save_permutation(tmp_path / "p.pt", {"P": np.arange(3)})
    torch.save({"P": torch.arange(3)}, tmp_path / "p.pt")
    with pytest.raises(FileFormatError, match="not of torch"):
        load_permutation(tmp_path / "p.pt")
    with pytest.raises(FileFormatError, match="not JSON"):
        save_permutation(tmp_path / "p.npz", {"P": np.arange(3)}, "{")
    notes = {"spec": "{}", "spec_sha256": spec_digest(SPEC)}
    safetensors.numpy.save_file({"P": np.arange(3)}, tmp_path / "p.safetensors", metadata=notes)
    with pytest.raises(FileFormatError, match="do not agree"):
        load_permutation(tmp_path / "p.safetensors")
    with pytest.raises(OutputExistsError):
        save_permutation(tmp_path / "p.safetensors", {"P": np.arange(3)})


def test_symmetries_have_no_part_in_the_digest(tmp_path):
    with_symmetries = json.dumps(json.loads(SPEC) | {"symmetries": [1]})
    save_permutation(tmp_path / "p.npz", {"P": np.arange(3)}, with_symmetries)
    load_permutation(tmp_path / "p.npz").check_spec(SPEC)
    spec = rf.PermutationSpec({"w": ("P", None)}, symmetries=[Symmetry("P", "signs", (Role("w", 0, (1,)),))])
    assert spec.digest() == spec_digest(spec.to_json())
