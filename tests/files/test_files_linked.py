"""Names that lead to no file of weights: links into /proc, names too long, and what is no file at all."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

import rebasin_fast as rf
from helpers.command_line import invoke
from rebasin_fast.errors import FileFormatError, RebasinError
from rebasin_fast.files import MissingFileError, UnwritableOutputError

# Read from, the first one waits for a message of the kernel for ever.
ENDLESS, MEMORY = Path("/proc/kmsg"), Path("/proc/self/mem")
LONG = "x" * 300

pytestmark = pytest.mark.skipif(not MEMORY.exists(), reason="no /proc")


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    rf.save_params(folder / "model.safetensors", {"w": np.ones((2, 2), np.float32)})
    return folder


@pytest.mark.parametrize("target", [ENDLESS, MEMORY])
@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".pt", ".index.json", ".h5", ""])
def test_links_into_proc_are_no_weights(tmp_path, target, suffix):
    link = tmp_path / f"link{suffix}"
    link.symlink_to(target)
    with pytest.raises(FileFormatError, match="link"):
        rf.load_params(link)


def test_a_shard_that_is_a_link_into_proc(tmp_path):
    (tmp_path / "one.safetensors").symlink_to(MEMORY)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"w": "one.safetensors"}}))
    with pytest.raises(FileFormatError, match=r"one\.safetensors"):
        rf.load_params(tmp_path)


@pytest.mark.parametrize("target", [ENDLESS, MEMORY])
def test_companions_that_are_links_into_proc(model, tmp_path, target):
    (model / "config.json").symlink_to(target)
    params = rf.load_params(model)
    assert invoke(["spec", str(model)]).exit_code in (0, 1)
    rf.save_params(tmp_path / "out", dict(params), like=model)
    assert (tmp_path / "out" / "config.json").read_bytes() == b""


def test_a_spec_that_is_a_link_into_proc(model, tmp_path):
    (tmp_path / "spec.json").symlink_to(ENDLESS)
    weights = str(model / "model.safetensors")
    spec = str(tmp_path / "spec.json")
    result = invoke(["match", weights, weights, "--spec", spec, "-o", str(tmp_path / "p.npz")])
    assert result.exit_code == 1
    assert "spec.json: it has 0 bytes" in result.output


def test_names_that_are_too_long(tmp_path):
    with pytest.raises(MissingFileError, match="too long"):
        rf.load_params(tmp_path / f"{LONG}.npz")
    with pytest.raises(UnwritableOutputError, match="too long"):
        rf.save_params(tmp_path / f"{LONG}.npz", {"w": np.ones(2)})
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"w": LONG}}))
    with pytest.raises(FileFormatError, match="too long"):
        rf.load_params(index)


@pytest.mark.parametrize(
    "name", ["", LONG, f"{LONG}.npz", f"{LONG}/a.npz", "nowhere/a.npz", "/proc/a.npz", "/dev/null"]
)
def test_outputs_that_no_command_can_write(model, name):
    weights = str(model / "model.safetensors")
    for command in (["merge", weights, weights], ["match", weights, weights]):
        result = invoke([*command, "-o", name])
        assert result.exit_code in (1, 2), result.output
        assert isinstance(result.exception, SystemExit)
        assert result.output.count("Error:") == 1


@pytest.mark.parametrize("name", ["", LONG, "a\0b"])
def test_specs_of_no_name(model, tmp_path, name):
    weights = str(model / "model.safetensors")
    result = invoke(["match", weights, weights, "--spec", name, "-o", str(tmp_path / "p.npz")])
    assert result.exit_code == 2
    assert "is neither 'auto', nor a file, nor a ready spec" in result.output


def test_a_parameter_cannot_take_the_name_of_the_metadata(tmp_path):
    path = tmp_path / "a.safetensors"
    with pytest.raises(RebasinError, match="no place for a parameter of the name '__metadata__'"):
        rf.save_params(path, {"__metadata__": np.ones(2)})
    assert os.listdir(tmp_path) == []
