"""The one format of state files: read back as written, and refused by kind, version and key."""

import json

import numpy as np
import pytest

import rebasin_fast as rf
from rebasin_fast._untrusted.schema import REAL, WHOLE, ArrayOf, Count, Fields, ListOf, Number, Row, Schema
from rebasin_fast.matching.state_file import StateFile

SCHEMA = Schema(
    Fields({"loss": Number(), "evaluations": ListOf(Row((Count(), Number())))}, optional=("evaluations",)),
    Fields({"steps": ArrayOf(WHOLE), "rates": ArrayOf(REAL)}, optional=("rates",)),
)
FILE = StateFile("rebasin_fast.example", "example", SCHEMA)


def both(arrays, account):
    return np.array(arrays["steps"]), account["loss"]


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_arrays_and_account_come_back(suffix, tmp_path):
    path = tmp_path / f"state{suffix}"
    assert FILE.resume(path, both, key="k") is None
    FILE.write(path, {"steps": np.arange(3)}, {"loss": np.float64(0.5)}, key="k")
    for steps, loss in (FILE.read(path, both), FILE.resume(path, both, key="k")):
        assert (steps.tolist(), loss) == ([0, 1, 2], 0.5)
    with pytest.raises(rf.FileFormatError, match="another matching"):
        FILE.read(path, both, key="other")


def test_another_kind_another_version_and_no_state_file_are_refused(tmp_path):
    path = tmp_path / "state.npz"
    FILE.write(path, {"steps": np.arange(3)}, {"loss": 0.5})
    with pytest.raises(
        rf.FileFormatError, match=r"no other, or is damaged \(its kind is 'rebasin_fast\.example'"
    ):
        StateFile("rebasin_fast.other", "other", SCHEMA).read(path, both)
    arrays = {name: np.array(array) for name, array in rf.load_params(path).items()}
    account = json.loads(arrays["account"].tobytes())
    newer = json.dumps({**account, "version": account["version"] + 1}).encode()
    rf.save_params(path, {**arrays, "account": np.frombuffer(newer, np.uint8)}, overwrite=True)
    with pytest.raises(rf.FileFormatError, match="version 3"):
        FILE.read(path, both)
    rf.save_params(path, {"steps": np.arange(3)}, overwrite=True)
    with pytest.raises(rf.FileFormatError, match=r"no example, .* no 'account'.* give another name"):
        FILE.read(path, both)
    with pytest.raises(rf.FileFormatError, match=r"\.safetensors or \.npz"):
        FILE.check_name("state.pt")


def test_a_state_that_is_no_json_is_refused_and_the_file_before_stays(tmp_path):
    path = tmp_path / "state.npz"
    FILE.write(path, {"steps": np.arange(3)}, {"loss": 0.5})
    before = path.read_bytes()
    with pytest.raises(rf.ParamsError, match="plain numbers"):
        FILE.write(path, {}, {"loss": object()})
    assert path.read_bytes() == before


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_a_changed_byte_is_found_or_of_no_consequence(suffix, tmp_path):
    rng = np.random.default_rng(0)
    path, damaged = tmp_path / f"state{suffix}", tmp_path / f"damaged{suffix}"
    FILE.write(
        path, {"steps": np.arange(40), "rates": rng.random(20)}, {"loss": 0.5, "evaluations": [[1, 2.5]]}
    )
    good = path.read_bytes()
    whole = FILE.read(
        path, lambda arrays, account: (arrays["steps"].tolist(), arrays["rates"].tolist(), account)
    )
    refused = 0
    for _ in range(300):
        content = bytearray(good)
        content[rng.integers(len(content))] ^= int(rng.integers(1, 256))
        damaged.write_bytes(content)
        try:
            found = FILE.read(
                damaged, lambda arrays, account: (arrays["steps"].tolist(), arrays["rates"].tolist(), account)
            )
        except rf.FileFormatError:
            refused += 1
        else:
            assert found == whole
    assert refused > 150


def test_a_wrong_digest_is_told(tmp_path):
    path = tmp_path / "state.npz"
    FILE.write(path, {"steps": np.arange(3)}, {"loss": 0.5})
    arrays = {name: np.array(array) for name, array in rf.load_params(path).items()}
    rf.save_params(path, {**arrays, "steps": np.arange(3) + 1}, overwrite=True)
    with pytest.raises(rf.FileFormatError, match="do not agree with the digest"):
        FILE.read(path, both)
    rf.save_params(path, {name: array for name, array in arrays.items() if name != "digest"}, overwrite=True)
    with pytest.raises(rf.FileFormatError, match="digest"):
        FILE.read(path, both)
