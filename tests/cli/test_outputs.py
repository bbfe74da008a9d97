"""Outputs: never an input's file, never standard output, and no foreign file beside them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import rebasin_fast as rf
from helpers.command_line import Models, Ran

Run = Callable[..., Ran]


@pytest.fixture
def permutation(models: Models, run: Run) -> Path:
    done = run("match", models.a, models.b, "-o", "first.npz", "--save-permutation", "p.npz")
    assert done.exit_code == 0, done.output
    return Path("p.npz")


def _same_name(models: Models) -> Path:
    return models.b


def _symbolic(models: Models) -> Path:
    Path("link.npz").symlink_to(models.b)
    return Path("link.npz")


def _hard(models: Models) -> Path:
    Path("hard.npz").hardlink_to(models.b)
    return Path("hard.npz")


@pytest.mark.parametrize("command", ["match", "merge", "apply"])
@pytest.mark.parametrize("named", [_same_name, _symbolic, _hard])
def test_an_output_never_replaces_an_input(
    command: str, named: Callable[[Models], Path], models: Models, run: Run, permutation: Path
) -> None:
    output = named(models)
    before = models.b.read_bytes()
    first = permutation if command == "apply" else models.a
    done = run(command, first, models.b, "-o", output, "--force")
    assert done.exit_code == 2, done.output
    assert "the same file as the input" in done.stderr
    assert models.b.read_bytes() == before


def test_a_spec_never_replaces_the_model(models: Models, run: Run) -> None:
    before = models.a.read_bytes()
    done = run("spec", models.a, "-o", models.a, "--force")
    assert done.exit_code == 2
    assert models.a.read_bytes() == before


def _folder(name: str, params: dict[str, np.ndarray]) -> Path:
    folder = Path(name)
    folder.mkdir()
    rf.save_params(folder / "model.safetensors", params)
    for companion in ("config.json", "tokenizer.json", "vocab.txt", "LICENSE"):
        (folder / companion).write_text("{}")
    for foreign in ("data.csv", "notes.txt", "trainer_state.json", "run.sh", ".env"):
        (folder / foreign).write_text("private")
    return folder


def test_companions_travel_with_a_folder_and_foreign_files_do_not(models: Models, run: Run) -> None:
    a, b = _folder("in_a", models.params_a), _folder("in_b", models.params_b)
    assert run("match", a, b, "-o", "out").exit_code == 0
    expected = ["LICENSE", "README.md", "config.json", "model.safetensors", "tokenizer.json", "vocab.txt"]
    assert sorted(os.listdir("out")) == expected


@pytest.mark.parametrize("output", ["in_b", "in_b/model.safetensors", "in_a"])
def test_an_output_never_replaces_a_folder_that_was_read(output: str, models: Models, run: Run) -> None:
    a, b = _folder("in_a", models.params_a), _folder("in_b", models.params_b)
    before = (a / "model.safetensors").read_bytes(), (b / "model.safetensors").read_bytes()
    done = run("match", a, b, "-o", output, "--force")
    assert done.exit_code == 2, done.output
    assert ((a / "model.safetensors").read_bytes(), (b / "model.safetensors").read_bytes()) == before


@pytest.mark.parametrize("output", ["merged", "-"])
@pytest.mark.parametrize("command", ["match", "merge"])
def test_an_output_without_extension_is_refused_for_a_single_file(
    command: str, output: str, models: Models, run: Run
) -> None:
    Path("private.txt").write_text("mine")
    before = sorted(os.listdir())
    done = run(command, models.a, models.b, "-o", output)
    assert done.exit_code == 1
    assert ".safetensors" in done.stderr
    assert sorted(os.listdir()) == before


def test_a_file_named_like_those_of_a_folder_is_a_single_file(models: Models, run: Run) -> None:
    folder = _folder("in_a", models.params_a)
    done = run("merge", folder / "model.safetensors", models.b, "-o", "merged")
    assert done.exit_code == 1
    assert not Path("merged").exists()


def test_an_index_by_name_gives_the_set_without_companions(models: Models, run: Run) -> None:
    folder = _folder("in_a", models.params_a)
    index = {"weight_map": dict.fromkeys(models.params_a, "model.safetensors")}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    done = run("match", models.b, folder / "model.safetensors.index.json", "-o", "out")
    assert done.exit_code == 0, done.output
    assert sorted(os.listdir("out")) == ["model.safetensors", "model.safetensors.index.json"]
    done = run("match", models.b, folder / "model.safetensors.index.json", "-o", folder, "--force")
    assert done.exit_code == 2


@pytest.mark.parametrize("option", ["--save-permutation", "--report", "--resume"])
def test_no_file_is_named_minus(option: str, models: Models, run: Run) -> None:
    done = run("match", models.a, models.b, "-o", "o.npz", option, "-")
    assert done.exit_code != 0
    assert not Path("-").exists()
    assert not Path("o.npz").exists()
