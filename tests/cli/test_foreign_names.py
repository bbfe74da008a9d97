"""Names that are no text for a terminal: of files in any bytes, of parameters with control characters."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import rebasin_fast as rf
from helpers.command_line import Models, Ran

Run = Callable[..., Ran]

UNDECODABLE = os.fsdecode(b"x\xff\xfe.npz")


def command(*args: object, encoding: str = "utf-8:strict") -> subprocess.CompletedProcess[bytes]:
    """The command line in a process of its own, whose streams have ``encoding``."""
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    program = [sys.executable, "-m", "rebasin_fast.cli", *map(os.fsencode, map(str, args))]
    return subprocess.run(program, env=environment, capture_output=True, timeout=120)


@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii:strict", "latin-1:strict"])
@pytest.mark.slow
def test_file_names_of_any_bytes_are_read_and_written(
    encoding: str, models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(models.b, UNDECODABLE)
    output, permutation, page = (
        os.fsdecode(b"out\xff" + ending) for ending in (b".npz", b".st.npz", b".html")
    )
    options = ("--save-permutation", permutation, "--report", page)
    done = command("match", models.a, UNDECODABLE, "-o", output, *options, encoding=encoding)
    assert done.returncode == 0, done.stderr
    assert np.array_equal(rf.load_params(output)["fc1.weight"], models.params_a["fc1.weight"])
    again = command("match", models.a, UNDECODABLE, "-o", output, encoding=encoding)
    assert again.returncode == 1
    assert b"exists" in again.stderr
    assert b"Traceback" not in again.stderr
    done = command("spec", UNDECODABLE, "-o", os.fsdecode(b"s\xff.json"), encoding=encoding)
    assert done.returncode == 0, done.stderr


def test_long_names_of_outputs_are_cut_between_any_bytes(tmp_path: Path) -> None:
    name = "ü" * 120 + ".npz"
    rf.save_params(tmp_path / name, {"w": np.ones(2)})
    assert os.listdir(tmp_path) == [name]


HOSTILE = "fc1\x1b]0;owned\x07\u202e\n.weight"


@pytest.fixture
def hostile(models: Models, run: Run) -> tuple[Path, Path]:
    """A model whose first parameter's name steers a terminal, and its spec."""
    renamed = {HOSTILE if name == "fc1.weight" else name: w for name, w in models.params_a.items()}
    rf.save_params("hostile.npz", renamed)
    axes = {HOSTILE if n == "fc1.weight" else n: entries for n, entries in models.spec.axes_to_perm.items()}
    axes[HOSTILE] = ("P\x1b[2J", None)
    axes["fc1.bias"] = ("P\x1b[2J",)
    axes["fc2.weight"] = ("P1", "P\x1b[2J")
    Path("spec.json").write_text(rf.PermutationSpec(axes).to_json(), encoding="utf-8")
    return Path("hostile.npz"), Path("spec.json")


def test_control_characters_of_names_are_spelled_out(run: Run, hostile: tuple[Path, Path]) -> None:
    model, spec = hostile
    extra = {**rf.load_params(model), "more\x1b[1m": np.ones(3, np.float32)}
    rf.save_params("extra.npz", extra)
    for args in (
        ("spec", model, "--spec", spec),
        ("match", model, model, "-o", "o.npz", "--spec", spec, "--save-permutation", "p.npz"),
        ("match", model, "extra.npz", "-o", "o2.npz", "--spec", spec, "--no-strict"),
        ("merge", model, "extra.npz", "-o", "o3.npz", "--spec", spec, "--no-strict"),
        ("apply", "p.npz", "extra.npz", "-o", "o4.npz"),
    ):
        done = run(*args)
        assert done.exit_code == 0, done.output
        assert not set("\x1b\x07\u202e") & set(done.output)
        assert "\\x1b" in done.output
    assert run("match", model, "extra.npz", "-o", "o5.npz", "--spec", spec).exit_code == 1
