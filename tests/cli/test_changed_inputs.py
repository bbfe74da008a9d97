"""Inputs that change while a command runs: an error that names the file, exit code 1, and no output."""

import os

import numpy as np
import pytest

import rebasin_fast as rf
from rebasin_fast import _core

pytestmark = pytest.mark.skipif(
    not _core.mapping_guard_available(), reason="faults of mappings are told by signals"
)


def shorten(path):
    os.truncate(path, 1000)


def rewrite(path):
    data = path.read_bytes()
    with open(path, "r+b") as file:
        file.write(data[::-1])
    os.utime(path, ns=(1, 1))


def changing(monkeypatch, place, change, path):
    """The function at ``place`` changes the file before it works."""
    module, name = place.rsplit(".", 1)
    true = getattr(__import__(module, fromlist=[name]), name)

    def called(*args, **options):
        change(path)
        return true(*args, **options)

    monkeypatch.setattr(place, called)


COMMANDS = {
    "match, after matching": (["match", "a.npz", "b.npz"], "rebasin_fast.cli.alignment.permuted_params"),
    "match, before saving": (["match", "a.npz", "b.npz"], "rebasin_fast.cli.destination.save_params"),
    "merge, at the average": (["merge", "a.npz", "b.npz"], "rebasin_fast.cli.commands.merge.averaged_params"),
    "merge, before saving": (["merge", "a.npz", "b.npz"], "rebasin_fast.cli.destination.save_params"),
    "merge, together": (
        ["merge", "a.npz", "b.npz", "--method", "merge-many"],
        "rebasin_fast.matching.many.method.average_of",
    ),
    "apply": (["apply", "p.safetensors", "b.npz"], "rebasin_fast.cli.commands.apply.permuted_params"),
}


@pytest.mark.parametrize("change", [shorten, rewrite])
@pytest.mark.parametrize("case", COMMANDS)
def test_an_input_that_changes_is_an_error_and_nothing_is_written(models, run, monkeypatch, case, change):
    command, place = COMMANDS[case]
    assert run("match", "a.npz", "b.npz", "-o", "m.npz", "--save-permutation", "p.safetensors").exit_code == 0
    before = sorted(models.b.parent.iterdir())
    changing(monkeypatch, place, change, models.b)
    ran = run(*command, "-o", "out.npz")
    assert ran.exit_code == 1
    assert "b.npz changed while it was read" in ran.stderr
    assert sorted(models.b.parent.iterdir()) == before


def test_an_input_that_is_replaced_is_read_to_its_end(models, run, monkeypatch):
    def replace(path):
        rf.save_params(path, models.params_a, overwrite=True)

    changing(monkeypatch, "rebasin_fast.cli.alignment.permuted_params", replace, models.b)
    assert run("match", "a.npz", "b.npz", "-o", "out.npz").exit_code == 0
    for name, array in rf.load_params("out.npz").items():
        np.testing.assert_array_equal(array, models.params_a[name])


def test_a_memory_limit_bounds_compressed_inputs(models, run, tmp_path):
    np.savez_compressed(tmp_path / "packed.npz", **models.params_b)
    needed = sum(array.nbytes for array in models.params_b.values())
    ran = run("match", "a.npz", "packed.npz", "-o", "out.npz", "--memory-limit", str(needed - 1))
    assert ran.exit_code == 1
    assert f"take {needed:,} bytes once unpacked; memory_limit is {needed - 1:,}" in ran.stderr
    assert not (tmp_path / "out.npz").exists()
    rf.save_params(tmp_path / "new.safetensors", rf.load_params(tmp_path / "packed.npz"))
    assert run("match", "a.npz", "new.safetensors", "-o", "out.npz", "--memory-limit", "40M").exit_code == 0
