"""Commands that succeed: results on standard output, the rest on standard error."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

import rebasin_fast as rf
from helpers.command_line import Models

Run = Callable[..., Result]


def _same(found: dict, expected: dict) -> bool:
    return set(found) == set(expected) and all(
        np.array_equal(found[name], expected[name]) for name in expected
    )


def test_match_aligns_a_permuted_copy(models: Models, run: Run, tmp_path: Path) -> None:
    result = run("match", models.a, models.b, "-o", tmp_path / "out.npz")
    assert result.exit_code == 0, result.stderr
    assert _same(dict(rf.load_params(tmp_path / "out.npz")), models.params_a)
    assert "converged" in result.stdout
    assert "out.npz" in result.stdout
    assert "sweep 1" in result.stderr
    assert "sweep 1" not in result.stdout


def test_match_prints_json_alone(models: Models, run: Run, tmp_path: Path) -> None:
    result = run("match", models.a, models.b, "-o", tmp_path / "out.npz", "--json", "-q")
    assert result.stderr == ""
    account = json.loads(result.stdout)
    assert account["converged"] is True
    assert account["distance_after"] == 0.0
    assert account["distance_before"] > 1.0
    assert account["sizes"] == {"P0": 24, "P1": 20}


def test_match_writes_b_in_its_own_format(models: Models, run: Run, tmp_path: Path) -> None:
    half = {name: array.astype(np.float16) for name, array in models.params_b.items()}
    rf.save_params(tmp_path / "half.safetensors", half, metadata={"origin": "test"})
    result = run("match", models.a, tmp_path / "half.safetensors", "-o", tmp_path / "out.safetensors")
    assert result.exit_code == 0, result.stderr
    found = rf.load_params(tmp_path / "out.safetensors")
    assert {found.dtype(name) for name in found} == {"float16"}
    assert found.source.metadata["origin"] == "test"


def test_saved_permutation_is_applied_and_undone(models: Models, run: Run, tmp_path: Path) -> None:
    saved = tmp_path / "p.safetensors"
    run("match", models.a, models.b, "-o", tmp_path / "out.npz", "--save-permutation", saved)
    assert run("apply", saved, models.b, "-o", tmp_path / "again.npz").exit_code == 0
    assert _same(dict(rf.load_params(tmp_path / "again.npz")), models.params_a)
    assert run("apply", saved, models.a, "-o", tmp_path / "back.npz", "--invert").exit_code == 0
    assert _same(dict(rf.load_params(tmp_path / "back.npz")), models.params_b)


def test_match_writes_a_report(models: Models, run: Run, tmp_path: Path) -> None:
    result = run("match", models.a, models.b, "-o", tmp_path / "out.npz", "--report", tmp_path / "r.html")
    assert result.exit_code == 0, result.stderr
    page = (tmp_path / "r.html").read_text()
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert "P1" in page
    again = run("match", models.a, models.b, "-o", tmp_path / "other.npz", "--report", tmp_path / "r.html")
    assert again.exit_code == 1
    assert not (tmp_path / "other.npz").exists()


def test_apply_refuses_the_permutation_of_another_spec(models: Models, run: Run, tmp_path: Path) -> None:
    saved, other = tmp_path / "p.safetensors", tmp_path / "other.json"
    run("match", models.a, models.b, "-o", tmp_path / "out.npz", "--save-permutation", saved)
    names = {name: tuple(None for _ in array.shape) for name, array in models.params_a.items()}
    other.write_text(rf.PermutationSpec(names).to_json())
    result = run("apply", saved, models.b, "-o", tmp_path / "again.npz", "--spec", other)
    assert result.exit_code == 1
    assert "found for the spec" in result.stderr
    assert not (tmp_path / "again.npz").exists()


def test_merge_averages_what_it_matched(models: Models, run: Run, tmp_path: Path) -> None:
    result = run("merge", models.a, models.b, models.b, "-o", tmp_path / "m.npz", "--weights", "2,1,1")
    assert result.exit_code == 0, result.stderr
    merged = rf.load_params(tmp_path / "m.npz")
    for name, expected in models.params_a.items():
        np.testing.assert_allclose(merged[name], expected, rtol=1e-6)


def test_merge_without_matching_is_the_plain_average(models: Models, run: Run, tmp_path: Path) -> None:
    run("merge", models.a, models.b, "-o", tmp_path / "m.npz", "--no-match")
    merged = rf.load_params(tmp_path / "m.npz")
    for name, a in models.params_a.items():
        np.testing.assert_allclose(merged[name], (a + models.params_b[name]) / 2, rtol=1e-6)


def test_merge_warns_of_batch_norm(run: Run, tmp_path: Path) -> None:
    params = {"fc.weight": np.ones((2, 3), "f"), "bn.weight": np.ones(2, "f"), "bn.bias": np.ones(2, "f"),
              "bn.running_mean": np.ones(2, "f"), "bn.running_var": np.ones(2, "f")}  # fmt: skip
    rf.save_params(tmp_path / "a.npz", params)
    result = run("merge", tmp_path / "a.npz", tmp_path / "a.npz", "-o", tmp_path / "m.npz", "--no-match")
    assert result.exit_code == 0, result.stderr
    assert "reset_batch_norm" in result.stderr


def test_spec_shows_writes_and_reads_back(models: Models, run: Run, tmp_path: Path) -> None:
    shown = run("spec", models.a, "-o", tmp_path / "s.json")
    assert "P0" in shown.stdout
    assert "24 units" in shown.stdout
    assert rf.PermutationSpec.from_json((tmp_path / "s.json").read_text()) == models.spec
    account = json.loads(run("spec", models.a, "--spec", tmp_path / "s.json", "--json").stdout)
    assert account["log10_symmetries"] == pytest.approx(models.spec.log10_symmetries(models.params_a))


def test_ready_specs_by_name(models: Models, run: Run) -> None:
    result = run("spec", models.a, "--spec", "resnet50")
    assert result.exit_code == 1
    assert "conv1.weight" in result.stderr
    assert run("spec", models.a, "--spec", "mlp").exit_code == 2


def test_curve_measures_both_lines(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "mine.py").write_text(
        "import numpy as np, torch\n"
        "def net():\n"
        "    return torch.nn.Sequential(torch.nn.Linear(6, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))\n"
        "def batches():\n"
        "    inputs = torch.randn(64, 6, generator=torch.Generator().manual_seed(0))\n"
        "    labelled_by_a = net()\n"
        "    labelled_by_a.load_state_dict({n: torch.as_tensor(w) for n, w in np.load('a.npz').items()})\n"
        "    return [(inputs, labelled_by_a(inputs).argmax(1))]\n"
    )
    rng = np.random.default_rng(0)
    a = {"0.weight": rng.standard_normal((16, 6)).astype("f"), "0.bias": rng.standard_normal(16).astype("f"),
         "2.weight": rng.standard_normal((3, 16)).astype("f"), "2.bias": np.zeros(3, "f")}  # fmt: skip
    b = rf.apply_permutation(rf.specs.mlp(["0", "2"]), {"P0": rng.permutation(16)}, a)
    rf.save_params(tmp_path / "a.npz", a)
    rf.save_params(tmp_path / "b.npz", b)
    arguments = ["curve", "a.npz", "b.npz", "--model", "mine:net", "--data", "mine:batches", "--match"]
    account = json.loads(run(*arguments, "--points", 5, "--json", "-q", "-o", "c.png").stdout)
    assert account["as they are"]["barriers"]["loss"]["linear"] > 0.01
    assert account["matched"]["barriers"]["loss"]["linear"] == pytest.approx(0.0, abs=1e-6)
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    table = run(*arguments, "--points", 2).stdout
    assert "linear barrier" in table
    assert "midpoint" not in table


def test_info_names_the_build(run: Run) -> None:
    facts = json.loads(run("info", "--json").stdout)
    assert facts["rebasin_fast"] == rf.__version__
    assert facts["numpy"] == np.__version__
    assert "rebasin_fast" in run("info").stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str, run: Run) -> None:
    assert "_REBASIN_FAST_COMPLETE" in run("completion", shell).stdout


@pytest.mark.parametrize(
    "command", ["match", "apply", "merge", "curve", "spec", "demo", "completion", "info"]
)
def test_every_help_page_has_an_example(command: str, run: Run) -> None:
    page = run(command, "--help").stdout
    assert "Example" in page
    assert f"rebasin-fast {command}" in page


def test_match_goes_on_from_the_file_of_resume(models: Models, run: Run, tmp_path: Path) -> None:
    state = tmp_path / "state.safetensors"
    first = run("match", models.a, models.b, "-o", tmp_path / "one.npz", "--resume", state, "--json")
    second = run("match", models.a, models.b, "-o", tmp_path / "two.npz", "--resume", state, "--json")
    assert first.exit_code == second.exit_code == 0, first.stderr + second.stderr
    assert _same(dict(rf.load_params(tmp_path / "one.npz")), dict(rf.load_params(tmp_path / "two.npz")))
    assert json.loads(first.stdout)["stats"]["assignments"] > 0
    assert json.loads(second.stdout)["stats"]["assignments"] == 0
