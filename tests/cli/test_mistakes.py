"""Users' mistakes: a message that names the thing and the cure, the documented exit code, nothing half-written."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

import rebasin_fast as rf
from helpers.command_line import Models

Run = Callable[..., Result]
Change = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]


def _refused(result: Result, *words: str, code: int = 1) -> None:
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    for word in words:
        assert word in result.stderr


def test_missing_file(models: Models, run: Run, tmp_path: Path) -> None:
    _refused(run("match", models.a, tmp_path / "none.npz", "-o", tmp_path / "o.npz"), "none.npz", code=2)


def test_existing_output_is_kept_without_force(models: Models, run: Run, tmp_path: Path) -> None:
    output = tmp_path / "o.npz"
    output.write_bytes(b"precious")
    _refused(run("match", models.a, models.b, "-o", output), "--force")
    assert output.read_bytes() == b"precious"
    assert run("match", models.a, models.b, "-o", output, "--force").exit_code == 0
    assert output.read_bytes() != b"precious"


def test_unwritable_output_is_found_before_matching(models: Models, run: Run, tmp_path: Path) -> None:
    result = run("match", models.a, models.b, "-o", tmp_path / "nowhere" / "o.npz")
    _refused(result, "nowhere", "mkdir")
    assert "sweep" not in result.stderr


def _with_nan(params: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {**params, "fc2.bias": np.where(np.arange(20) == 3, np.nan, params["fc2.bias"])}


def _wider(params: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    wide = {
        "fc1.weight": np.ones((30, 6), "f"),
        "fc1.bias": np.ones(30, "f"),
        "fc2.weight": np.ones((20, 30), "f"),
    }
    return {**params, **wide}


def _convolution(_: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {"conv.weight": np.ones((4, 3, 3, 3), "f")}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_with_nan, ("'fc2.bias'", "model B", "(3,)")),
        (_wider, ("'fc1.weight'", "(24, 6)", "(30, 6)")),
        (_convolution, ("share no parameter", "fc1.weight", "conv.weight")),
    ],
)
def test_parameters_that_do_not_fit(change: Change, words: tuple[str, ...], models: Models, run: Run) -> None:
    rf.save_params("c.npz", change(dict(models.params_b)))
    _refused(run("match", models.a, "c.npz", "-o", "o.npz"), *words)
    assert not Path("o.npz").exists()


def test_truncated_file(models: Models, run: Run) -> None:
    Path("cut.npz").write_bytes(models.b.read_bytes()[:-200])
    _refused(run("match", models.a, "cut.npz", "-o", "o.npz"), "cut.npz")
    assert not Path("o.npz").exists()


def test_missing_parameter_and_its_cure(models: Models, run: Run, tmp_path: Path) -> None:
    partial = {name: array for name, array in models.params_b.items() if name != "fc3.bias"}
    rf.save_params(tmp_path / "partial.npz", partial)
    arguments = ["match", models.a, tmp_path / "partial.npz", "-o", tmp_path / "o.npz"]
    _refused(run(*arguments), "'fc3.bias'", "--no-strict")
    lenient = run(*arguments, "--no-strict")
    assert lenient.exit_code == 0, lenient.stderr
    assert "left in place: fc3.bias" in lenient.stdout


def test_spec_that_is_none(models: Models, run: Run, tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text("{]")
    _refused(run("match", models.a, models.b, "-o", "o.npz", "--spec", tmp_path / "s.json"), "s.json", "JSON")
    _refused(run("match", models.a, models.b, "-o", "o.npz", "--spec", "what"), "'what'", "resnet50", code=2)


def test_unrecognised_architecture_says_what_it_saw(run: Run, tmp_path: Path) -> None:
    rf.save_params(tmp_path / "odd.npz", {"odd.weight": np.ones((2, 3, 4), "f")})
    _refused(run("spec", tmp_path / "odd.npz"), "odd.weight", "(2, 3, 4)", "--spec FILE")


@pytest.mark.parametrize("weights", ["1,x", "1", "0,0"])
def test_merge_weights(weights: str, models: Models, run: Run) -> None:
    _refused(run("merge", models.a, models.b, "-o", "o.npz", "--weights", weights), "--weights", code=2)


def test_merge_of_one(models: Models, run: Run) -> None:
    _refused(run("merge", models.a, "-o", "o.npz"), "two models", code=2)


@pytest.mark.parametrize("factory", ["nocolon", "nomodule:net", "json:nothing", "json:__doc__"])
def test_factories(factory: str, models: Models, run: Run) -> None:
    result = run("curve", models.a, models.b, "--model", factory, "--data", "json:loads")
    _refused(result, "--model", code=2)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(
    ("number", "code", "words"), [(signal.SIGINT, 130, "Interrupted"), (signal.SIGTERM, 143, "Terminated")]
)
def test_interrupt_writes_nothing(tmp_path: Path, number: int, code: int, words: str) -> None:
    rng = np.random.default_rng(0)
    names = [f"l{i}" for i in range(5)]
    widths = [64, 1500, 1500, 1500, 1500, 10]
    for model in "ab":
        params = {}
        for name, inputs, outputs in zip(names, widths, widths[1:], strict=False):
            params[f"{name}.weight"] = rng.standard_normal((outputs, inputs)).astype("f")
            params[f"{name}.bias"] = rng.standard_normal(outputs).astype("f")
        rf.save_params(tmp_path / f"{model}.npz", params)
    command = [
        sys.executable,
        "-m",
        "rebasin_fast.cli",
        *["match", "a.npz", "b.npz", "-o", "o.npz", "--restarts", "1000"],
    ]
    process = subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert "sweep 1" in process.stderr.readline()
    time.sleep(0.3)
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert f"{words}; no file was left half-written" in errors
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.npz"]
    assert "Traceback" not in errors
    assert output == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.npz"]


def test_memory_limit_is_read_in_bytes_and_refused_before_matching(
    models: Models, run: Run, tmp_path: Path
) -> None:
    result = run("match", models.a, models.b, "-o", tmp_path / "o.npz", "--memory-limit", "1K")
    _refused(result, "memory_limit is 1,000")
    assert not (tmp_path / "o.npz").exists()
    assert (
        run("match", models.a, models.b, "-o", tmp_path / "o.npz", "--memory-limit", "0.5GB").exit_code == 0
    )
    _refused(
        run("match", models.a, models.b, "-o", tmp_path / "p.npz", "--memory-limit", "lots"),
        "lots",
        "800M",
        code=2,
    )


def test_resume_is_refused_for_methods_that_keep_no_steps(models: Models, run: Run, tmp_path: Path) -> None:
    options = ("--method", "frank-wolfe", "--resume", tmp_path / "steps.npz")
    _refused(
        run("match", models.a, models.b, "-o", tmp_path / "o.npz", *options), "--resume", "weight", code=2
    )
    assert not (tmp_path / "o.npz").exists()


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("match", ("--method", "frank-wolfe", "--memory-limit", "1G")),
        ("match", ("--method", "frank-wolfe", "--max-iter", "3")),
        ("match", ("--method", "sinkhorn", "--restarts", "3")),
        ("match", ("--method", "frank-wolfe", "--effort", "high")),
        ("merge", ("--method", "merge-many", "--restarts", "3")),
        ("merge", ("--method", "merge-many", "--no-match")),
    ],
)
def test_options_that_a_method_does_not_hear(
    command: str, options: tuple[str, ...], models: Models, run: Run, tmp_path: Path
) -> None:
    result = run(command, models.a, models.b, "-o", tmp_path / "o.npz", *options)
    _refused(result, next(word for word in reversed(options) if word.startswith("--")), options[1], code=2)
    assert not (tmp_path / "o.npz").exists()


@pytest.mark.parametrize("option", ["--save-permutation", "--report", "--resume"])
@pytest.mark.parametrize("name", ["o.npz", "b.npz", "a.npz"])
def test_one_file_is_not_written_over_another(
    option: str, name: str, models: Models, run: Run, tmp_path: Path
) -> None:
    before = models.a.read_bytes(), models.b.read_bytes()
    result = run("match", models.a, models.b, "-o", "./o.npz", option, name, "--force")
    _refused(result, option, name, code=2)
    assert (models.a.read_bytes(), models.b.read_bytes()) == before
    assert not (tmp_path / "o.npz").exists()


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (("--save-permutation", "p.pt"), (".safetensors",)),
        (("--save-permutation", "nowhere/p.npz"), ("mkdir",)),
        (("--resume", "nowhere/steps.npz"), ("mkdir",)),
    ],
)
def test_what_lies_beside_the_output_is_checked_before_matching(
    option: tuple[str, str], words: tuple[str, ...], models: Models, run: Run, tmp_path: Path
) -> None:
    result = run("match", models.a, models.b, "-o", "o.npz", *option)
    _refused(result, *words)
    assert "sweep" not in result.stderr


@pytest.mark.parametrize("name", ["o.npz", "a.npz"])
@pytest.mark.parametrize("option", ["--save-permutations", "--resume"])
def test_merge_does_not_write_one_file_over_another(option: str, name: str, models: Models, run: Run) -> None:
    before = models.a.read_bytes()
    arguments = ("-o", "o.npz", "--method", "merge-many", "--force", option, name)
    _refused(run("merge", models.a, models.b, *arguments), option, code=2)
    assert models.a.read_bytes() == before


def test_weights_that_are_not_finite(models: Models, run: Run, tmp_path: Path) -> None:
    _refused(run("merge", models.a, models.b, "-o", "o.npz", "--weights", "1,inf"), "--weights", code=2)
    assert not (tmp_path / "o.npz").exists()


def test_a_permutation_applied_to_another_architecture(models: Models, run: Run, tmp_path: Path) -> None:
    run("match", models.a, models.b, "-o", "o.npz", "--save-permutation", "p.npz")
    rf.save_params(tmp_path / "wrapped.npz", {f"module.{n}": w for n, w in models.params_b.items()})
    _refused(run("apply", "p.npz", "wrapped.npz", "-o", "w.npz"), "module.fc1.weight", "'fc1.weight'")
    assert not (tmp_path / "w.npz").exists()


def test_a_model_given_as_a_permutation(models: Models, run: Run) -> None:
    _refused(run("apply", models.b, models.a, "-o", "w.npz"), "b.npz", "--save-permutation")


def test_why_without_a_trace(models: Models, run: Run) -> None:
    _refused(run("spec", models.a, "--why"), "--trace", code=2)


def test_a_factory_named_by_its_file(models: Models, run: Run) -> None:
    result = run("curve", models.a, models.b, "--model", "mine.py:net", "--data", "json:loads")
    _refused(result, "mine:net", code=2)
