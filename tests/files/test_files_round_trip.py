"""Every format returns all kinds of arrays; and the formats' own libraries agree with us."""

import math
import tempfile
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

import rebasin_fast as rf
from rebasin_fast._arrays.elements import ELEMENT_TYPES, numpy_dtype
from rebasin_fast.files.arrays import raw_bytes

SUFFIXES = (".safetensors", ".npz", ".pt")
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)
USUAL_NAMES = st.sampled_from(
    ["module.conv1.weight", "Dense_0/kernel", "a", "b.c", "λ", "blocks.0.attn.qkv.bias"]
)


@st.composite
def arrays(draw, codes=tuple(ELEMENT_TYPES)):
    dtype = numpy_dtype(draw(st.sampled_from(codes)))
    shape = tuple(draw(st.lists(st.integers(0, 4), max_size=4)))
    size = math.prod(shape) * dtype.itemsize
    data = draw(st.binary(min_size=size, max_size=size))
    array = np.frombuffer(bytes(b & 1 for b in data) if dtype.kind == "b" else data, dtype).reshape(shape)
    return np.asfortranarray(array) if draw(st.booleans()) else array


def same(found, expected) -> bool:
    if tuple(found.shape) != tuple(expected.shape):
        return False
    return np.array_equal(raw_bytes(found), raw_bytes(expected))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("library", ["numpy", "torch"])
@given(data=st.data())
def test_every_element_type_and_shape_comes_back(suffix, library, data):
    codes = tuple(c for c in ELEMENT_TYPES if suffix != ".npz" or not c.startswith("F8"))
    params = data.draw(st.dictionaries(USUAL_NAMES, arrays(codes), min_size=1, max_size=4))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model{suffix}"
        rf.save_params(path, params)
        found = rf.load_params(path, library=library)
        assert set(found) == set(params)
        for name, array in params.items():
            assert same(found[name], array)
            assert found.shape(name) == array.shape
            assert found.dtype(name) == array.dtype.name
            assert str(found[name].dtype).removeprefix("torch.") == array.dtype.name
        again = Path(folder) / f"again{suffix}"
        rf.save_params(again, found)
        assert all(same(rf.load_params(again)[name], array) for name, array in params.items())


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
@given(name=NAMES)
def test_any_text_is_a_name(suffix, name):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model{suffix}"
        try:
            rf.save_params(path, {name: np.arange(3.0)})
        except UnicodeEncodeError:
            pytest.fail("a name that UTF-8 can hold must be accepted")
        assert list(rf.load_params(path)) == [name]


def test_safetensors_own_library_reads_what_we_write_and_the_reverse(tmp_path):
    params = {
        "f": np.arange(6, dtype=np.float32).reshape(2, 3),
        "h": np.ones(3, np.float16),
        "i": np.array(7, np.int64),
        "b": np.array([True, False]),
        "empty": np.zeros((0, 3), np.float32),
    }
    rf.save_params(tmp_path / "ours.safetensors", params, metadata={"note": "kept"})
    theirs = safetensors.numpy.load_file(tmp_path / "ours.safetensors")
    assert set(theirs) == set(params)
    assert all(same(theirs[n], params[n]) for n in params)
    with safetensors.safe_open(tmp_path / "ours.safetensors", "np") as file:
        assert file.metadata() == {"format": "pt", "note": "kept"}
    safetensors.numpy.save_file(params, tmp_path / "theirs.safetensors", metadata={"note": "kept"})
    found = rf.load_params(tmp_path / "theirs.safetensors")
    assert all(same(found[n], params[n]) for n in params)
    assert found.source.metadata == {"note": "kept"}


def test_bfloat16_agrees_with_torch_on_both_sides(tmp_path):
    values = torch.randn(5, 7).to(torch.bfloat16)
    safetensors.torch.save_file({"w": values}, tmp_path / "theirs.safetensors")
    found = rf.load_params(tmp_path / "theirs.safetensors")["w"]
    assert found.dtype == ml_dtypes.bfloat16
    assert np.array_equal(found.astype(np.float32), values.float().numpy())
    rf.save_params(tmp_path / "ours.safetensors", {"w": found})
    assert torch.equal(safetensors.torch.load_file(tmp_path / "ours.safetensors")["w"], values)


def test_numpy_reads_our_npz_and_we_read_numpys(tmp_path):
    params = {"Dense_0/kernel": np.arange(6.0).reshape(2, 3), "step": np.array(3)}
    rf.save_params(tmp_path / "ours.npz", params)
    with np.load(tmp_path / "ours.npz") as theirs:
        assert all(same(theirs[n], params[n]) for n in params)
    for write in (np.savez, np.savez_compressed):
        write(tmp_path / "theirs.npz", **params)
        found = rf.load_params(tmp_path / "theirs.npz")
        assert all(same(found[n], params[n]) for n in params)


def test_arrays_of_several_libraries_in_one_file(tmp_path):
    weights = torch.randn(3, 4, requires_grad=True)
    params = {
        "parameter": torch.nn.Parameter(weights),
        "transposed": weights.T,
        "numpy": np.arange(12.0).reshape(3, 4)[:, ::-2],
        "big-endian": np.arange(3, dtype=">f4"),
        "list": [1.0, 2.0],
        "conjugate": torch.tensor([1 + 2j]).conj(),
    }
    for suffix in (".safetensors", ".npz", ".pt"):
        rf.save_params(tmp_path / f"mixed{suffix}", params)
        found = rf.load_params(tmp_path / f"mixed{suffix}", library="numpy")
        assert np.array_equal(found["parameter"], weights.detach().numpy())
        assert np.array_equal(found["transposed"], weights.detach().numpy().T)
        assert np.array_equal(found["numpy"], params["numpy"])
        assert np.array_equal(found["big-endian"], [0.0, 1.0, 2.0])
        assert found["list"].dtype == np.float64
        assert found["conjugate"][0] == 1 - 2j


def test_equal_parameters_give_equal_files(tmp_path):
    params = {"w": np.arange(5.0), "b": np.ones(2, np.float32)}
    for suffix in (".safetensors", ".npz"):
        rf.save_params(tmp_path / f"1{suffix}", params)
        rf.save_params(tmp_path / f"2{suffix}", params)
        assert (tmp_path / f"1{suffix}").read_bytes() == (tmp_path / f"2{suffix}").read_bytes()


def test_like_keeps_floating_types_and_refuses_what_would_overflow(tmp_path):
    path = tmp_path / "half.safetensors"
    rf.save_params(path, {"w": np.ones(3, np.float16), "n": np.array(1, np.int64)})
    merged = {"w": np.full(3, 0.5, np.float64), "n": np.array(2, np.int64), "new": np.ones(2)}
    rf.save_params(tmp_path / "out.safetensors", merged, like=path)
    found = rf.load_params(tmp_path / "out.safetensors")
    assert (found.dtype("w"), found.dtype("n"), found.dtype("new")) == ("float16", "int64", "float64")
    for large in (np.full(3, 1e6), torch.full((3,), 1e300, dtype=torch.float64)):
        with pytest.raises(rf.errors.ParamsError, match="too large for float16"):
            rf.save_params(tmp_path / "no.safetensors", {"w": large}, like=path)
    assert not (tmp_path / "no.safetensors").exists()


def test_what_cannot_be_written_is_named(tmp_path):
    for bad, words in [
        ({"x": np.array(["text"])}, "'x' has element type"),
        ({"x": np.array([object()])}, "'x' has element type object"),
        ({"x": torch.eye(3).to_sparse()}, "make it dense"),
        ({}, "no parameters to save"),
        ({"": np.ones(2)}, "no name of a parameter"),
        ({3: np.ones(2)}, "no name of a parameter"),
    ]:
        for suffix in (".safetensors", ".pt", ".npz"):
            with pytest.raises(rf.errors.ParamsError, match=words):
                rf.save_params(tmp_path / f"bad{suffix}", bad)
    with pytest.raises(rf.errors.ParamsError, match=r"Save as \.safetensors"):
        rf.save_params(tmp_path / "bad.npz", {"x": np.ones(2, ml_dtypes.float8_e4m3fn)})
    assert list(tmp_path.iterdir()) == []
