"""Transforms as files."""

import json

import numpy as np
import pytest
import safetensors.numpy
import torch

import rebasin_fast as rf
from helpers.symmetric_networks import NETWORKS
from rebasin_fast.errors import FileFormatError, PermutationError
from rebasin_fast.files import OutputExistsError, save_permutation, spec_digest
from rebasin_fast.permutation import load_transform, random_transform, save_transform
from rebasin_fast.specs.symmetry import Role, Symmetry

ROLES = (Role("up", 0, (1,)), Role("down", 1, (-1,)))
SPEC = rf.PermutationSpec(
    {"up": ("P", None), "down": (None, "P")},
    symmetries=[Symmetry("P", group, ROLES) for group in ("signs", "scales", "linear")],
)
GOOD = {
    "permutation/P": np.array([1, 0]),
    "signs/P": np.array([1.0, -1.0]),
    "scales/P": np.array([2.0, 0.5]),
    "matrices/P": np.eye(2),
}
NOTES = {"spec": SPEC.to_json(), "spec_sha256": SPEC.digest(), "format": "rebasin_fast.transform"}


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
@pytest.mark.parametrize("name", NETWORKS)
def test_transforms_come_back(tmp_path, suffix, name):
    network = NETWORKS[name]
    params = dict(network.model().state_dict())
    drawn = random_transform(network.spec, network.spec.sizes(params), np.random.default_rng(0))
    save_transform(tmp_path / f"t{suffix}", network.spec, drawn, metadata={"seed": "0"})
    found = load_transform(tmp_path / f"t{suffix}")
    assert found.spec == network.spec
    assert found.metadata == {"seed": "0"}
    for kind in ("permutation", "signs", "scales", "matrices"):
        read, written = getattr(found.transform, kind), getattr(drawn, kind)
        assert read.keys() == written.keys()
        assert all(
            np.array_equal(read[p], array) and read[p].dtype == array.dtype for p, array in written.items()
        )
    found.check_spec(network.spec)
    with pytest.raises(PermutationError, match="the transform was found for the spec"):
        found.check_spec(SPEC)
    plain = rf.PermutationSpec(network.spec.axes_to_perm, sizes=network.spec.declared_sizes)
    with pytest.raises(PermutationError, match="the same axes with other symmetries"):
        found.check_spec(plain)


def test_files_of_others_are_named(tmp_path):
    path = tmp_path / "t.safetensors"
    save_permutation(path, {"P": np.arange(2)})
    with pytest.raises(FileFormatError, match=r"holds no spec: .*load_permutation"):
        load_transform(path)
    save_permutation(path, {"P": np.arange(2)}, SPEC.to_json(), overwrite=True)
    with pytest.raises(FileFormatError, match="'P' is no part of a transform; names begin with permutation/"):
        load_transform(path)
    with pytest.raises(OutputExistsError):
        save_transform(path, SPEC, rf.Transform({"P": [0, 1]}))
    torch.save({"permutation/P": torch.arange(2)}, tmp_path / "t.pt")
    with pytest.raises(FileFormatError, match=r"a transform is a file of .* not of torch"):
        load_transform(tmp_path / "t.pt")
    with pytest.raises(FileFormatError, match=r"a transform is saved as \.safetensors or \.npz"):
        save_transform(tmp_path / "t.pt", SPEC, rf.Transform({"P": [0, 1]}))


OTHER = json.dumps(json.loads(SPEC.to_json()) | {"symmetries": 3})


@pytest.mark.parametrize(
    ("arrays", "notes", "message"),
    [
        ({"permutation/P": np.array([0, 0])}, {}, "'P' is not one"),
        ({"permutation/P": np.array([0.5, 1.0])}, {}, "array of integers"),
        ({"permutation/Q": np.array([0])}, {}, "'Q' is unknown to the spec"),
        ({"signs/P": np.array([1.0, 2.0])}, {}, r"signs\['P'\] holds 2\.0"),
        ({"signs/P": np.ones(3)}, {}, r"signs\['P'\] has shape \(3,\)"),
        ({"scales/P": np.array([np.nan, 1.0])}, {}, "NaN or infinity"),
        ({"scales/P": np.array([1, 1j], np.complex64)}, {}, "array of real numbers, got complex64"),
        ({"scales/P": np.array([True, True])}, {}, "array of real numbers, got bool"),
        ({"scales/Q": np.ones(1)}, {}, "'Q', which is unknown to the spec"),
        ({"matrices/P": np.zeros((2, 2))}, {}, "not invertible"),
        ({"matrices/P": np.zeros((2, 2, 2))}, {}, r"has shape \(2, 2, 2\)"),
        ({"weights": np.ones(2)}, {}, "'weights' is no part of a transform"),
        ({"other/P": np.ones(2)}, {}, "'other/P' is no part of a transform"),
        ({}, {"spec": "{}"}, "do not agree"),
        (
            {},
            {"spec": "{}", "spec_sha256": spec_digest("{}")},
            "no transform of its spec: this is not the JSON",
        ),
        (
            {},
            {"spec": OTHER, "spec_sha256": spec_digest(OTHER)},
            "symmetries of a permutation spec are malformed",
        ),
        ({}, {"spec": "[", "spec_sha256": "0"}, "not JSON"),
    ],
)
def test_hostile_files_are_refused(tmp_path, arrays, notes, message):
    path = tmp_path / "t.safetensors"
    safetensors.numpy.save_file({**GOOD, **arrays}, path, metadata={**NOTES, **notes})
    with pytest.raises(FileFormatError, match=message):
        load_transform(path)
    safetensors.numpy.save_file(GOOD, path, metadata=NOTES)
    assert load_transform(path).transform.signs["P"].tolist() == [1.0, -1.0]


def test_a_file_without_its_permutations_is_refused(tmp_path):
    path = tmp_path / "t.safetensors"
    safetensors.numpy.save_file({"signs/P": np.ones(2)}, path, metadata=NOTES)
    with pytest.raises(FileFormatError, match="signs name 'P', for which there is no permutation"):
        load_transform(path)
    nested = rf.PermutationSpec({"w": (rf.axis.Product("H", "d"),)}, sizes={"H": 2})
    with pytest.raises(PermutationError, match="'H' is missing, within which others stand"):
        save_transform(path, nested, rf.Transform({"d": [[0, 1], [1, 0]]}), overwrite=True)
