"""``--symmetries all``: match, merge, curve and apply with signs, and with scales of a traced model."""

import json

import numpy as np
import pytest

import rebasin_fast as rf
from helpers.command_line import SHAPES
from rebasin_fast.permutation import random_transform
from rebasin_fast.specs.symmetry import Role, Symmetry

SIGNS = [
    Symmetry(f"P{i}", "signs", (Role(f"fc{i + 1}.weight", 0, (1,)), Role(f"fc{i + 1}.bias", 0, (1,)),
                                Role(f"fc{i + 2}.weight", 1, (-1,))))
    for i in range(2)
]  # fmt: skip
PLAIN = rf.specs.mlp(["fc1", "fc2", "fc3"])
SPEC = rf.PermutationSpec(PLAIN.axes_to_perm, symmetries=SIGNS)
TRACED = """
import torch
def net():
    torch.manual_seed(0)
    net = torch.nn.Sequential()
    for i, (n, m) in enumerate(((6, 24), (24, 20), (20, 4)), 1):
        net.add_module(f"fc{i}", torch.nn.Linear(n, m))
        if i < 3:
            net.add_module(f"act{i}", torch.nn.ReLU())
    return net, torch.randn(5, 6)
def model():
    return net()[0]
def batches():
    torch.manual_seed(1)
    return [(torch.randn(64, 6), torch.randint(0, 4, (64,)))]
"""


@pytest.fixture
def files(tmp_path):
    """A, and B: A's units reordered and some of them negated; the spec as a file."""
    rng = np.random.default_rng(7)
    a = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in SHAPES.items()}
    b = rf.apply_transform(SPEC, random_transform(SPEC, SPEC.sizes(a), rng), a)
    paths = [tmp_path / name for name in ("a.npz", "b.npz", "spec.json")]
    rf.save_params(paths[0], a)
    rf.save_params(paths[1], b)
    paths[2].write_text(SPEC.to_json())
    return a, b, *paths


def options(spec):
    return "--symmetries", "all", "--spec", spec, "--json", "--quiet"


def test_match_undoes_orders_and_signs(files, run, tmp_path):
    a, _, path_a, path_b, spec = files
    result = run("match", path_a, path_b, "-o", tmp_path / "out.npz", *options(spec))
    assert result.exit_code == 0, result.output
    aligned = rf.load_params(tmp_path / "out.npz")
    assert all(np.array_equal(aligned[name], array) for name, array in a.items())
    account = json.loads(result.stdout)
    assert account["symmetries"] == {"P0": ["signs"], "P1": ["signs"]}
    assert account["distance_before"] > 1.0
    assert account["distance_after"] == 0.0
    text = run("match", path_a, path_b, "-o", tmp_path / "out2.npz", *options(spec)[:4])
    assert "negated" in text.stdout


def test_permutations_alone_leave_the_signs(files, run, tmp_path):
    _, _, path_a, path_b, spec = files
    result = run("match", path_a, path_b, "-o", tmp_path / "out.npz", "--spec", spec, "--json")
    assert json.loads(result.stdout)["distance_after"] > 1.0


def test_a_saved_transform_is_applied_and_undone(files, run, tmp_path):
    a, b, path_a, path_b, spec = files
    saved = tmp_path / "ab.safetensors"
    run("match", path_a, path_b, "-o", tmp_path / "out.npz", "--save-permutation", saved, *options(spec))
    result = run("apply", saved, path_b, "-o", tmp_path / "again.npz")
    assert result.exit_code == 0, result.output
    assert "2 permutations" in result.stdout
    again = rf.load_params(tmp_path / "again.npz")
    assert all(np.array_equal(again[name], array) for name, array in a.items())
    assert run("apply", saved, path_a, "-o", tmp_path / "back.npz", "--invert").exit_code == 0
    back = rf.load_params(tmp_path / "back.npz")
    assert all(np.array_equal(back[name], array) for name, array in b.items())


def test_merge_averages_the_ends(files, run, tmp_path):
    a, _, path_a, path_b, spec = files
    result = run("merge", path_a, path_b, path_b, "-o", tmp_path / "m.npz", *options(spec))
    assert result.exit_code == 0, result.output
    merged = rf.load_params(tmp_path / "m.npz")
    assert all(np.allclose(merged[name], array, atol=1e-6) for name, array in a.items())


def test_curve_and_normal_a_of_a_traced_model(run, tmp_path):
    """Scales: the other end of the line is A's normal form."""
    torch = pytest.importorskip("torch")
    (tmp_path / "scaled_nets.py").write_text(TRACED)
    rng = np.random.default_rng(3)
    a = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in SHAPES.items()}
    net = torch.nn.Sequential()
    for i, (n, m) in enumerate(((6, 24), (24, 20), (20, 4)), 1):
        net.add_module(f"fc{i}", torch.nn.Linear(n, m))
        net.add_module(f"act{i}", torch.nn.ReLU() if i < 3 else torch.nn.Identity())
    spec = rf.trace_spec(net, torch.randn(5, 6))
    assert {symmetry.group for symmetry in spec.symmetries} == {"scales"}
    b = rf.apply_transform(spec, random_transform(spec, spec.sizes(a), rng), a)
    rf.save_params(tmp_path / "a.npz", a)
    rf.save_params(tmp_path / "b.npz", b)
    common = ("--symmetries", "all", "--trace", "scaled_nets:net", "--json", "--quiet")
    normal, out, saved = (tmp_path / name for name in ("an.npz", "bn.npz", "ab.safetensors"))
    result = run(
        "match", "a.npz", "b.npz", "-o", out, "--normal-a", normal, "--save-permutation", saved, *common
    )
    assert result.exit_code == 0, result.output
    ends = rf.load_params(normal), rf.load_params(out)
    assert all(np.allclose(ends[0][name], ends[1][name], atol=1e-4) for name in a)
    assert not all(np.allclose(ends[0][name], a[name], atol=1e-2) for name in a)
    assert run("apply", saved, "b.npz", "-o", "again.npz").exit_code == 0
    again = rf.load_params(tmp_path / "again.npz")
    assert all(np.allclose(again[name], array, atol=1e-5) for name, array in ends[1].items())
    result = run(
        "curve", "a.npz", "b.npz", "--match", "--points", "3", "--model", "scaled_nets:model", "--data",
        "scaled_nets:batches", *common,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    losses = json.loads(result.stdout)["matched"]["values"]["loss"]
    assert max(losses) - min(losses) < 1e-3 * max(losses)


@pytest.mark.parametrize("method", ["straight-through", "activation"])
def test_match_takes_data(run, tmp_path, method):
    """Scales: A's normal form and the aligned B, which compute the functions of A and B."""
    torch = pytest.importorskip("torch")
    (tmp_path / "refined_nets.py").write_text(TRACED)
    rng = np.random.default_rng(4)
    for file in ("a.npz", "b.npz"):
        rf.save_params(
            tmp_path / file, {n: rng.standard_normal(s).astype(np.float32) for n, s in SHAPES.items()}
        )
    result = run(
        "match", "a.npz", "b.npz", "-o", "bn.npz", "--normal-a", "an.npz", "--method", method,
        "--model", "refined_nets:model", "--data", "refined_nets:batches", "--trace", "refined_nets:net",
        "--symmetries", "all", "--json", "--quiet", *(["--max-iter", "2"] if method == "straight-through" else []),
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    account = json.loads(result.stdout)
    assert account["steps"] == 1 if method == "straight-through" else account["converged"]
    assert {group for groups in account["symmetries"].values() for group in groups} == {"scales"}

    def outputs(file):
        p = rf.load_params(tmp_path / file, library="torch")
        x = torch.linspace(-1.0, 1.0, 30).reshape(5, 6)
        for i in (1, 2, 3):
            x = torch.nn.functional.linear(x, p[f"fc{i}.weight"], p[f"fc{i}.bias"])
            x = torch.relu(x) if i < 3 else x
        return x

    for given, end in (("a.npz", "an.npz"), ("b.npz", "bn.npz")):
        torch.testing.assert_close(outputs(end), outputs(given), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--effort", "high"), "--effort is for --symmetries permutations"),
        (("--memory-limit", "1G"), "--memory-limit is for --symmetries permutations"),
        (("--resume", "steps.npz"), "--resume is for --symmetries permutations"),
        (("--report", "page.html"), "--report is for --symmetries permutations"),
        (
            ("--method", "frank-wolfe"),
            "--symmetries all is for --method weight, activation, straight-through; got frank-wolfe",
        ),
    ],
)
def test_what_does_not_apply_is_refused(files, run, tmp_path, arguments, message):
    *_, path_a, path_b, spec = files
    result = run("match", path_a, path_b, "-o", tmp_path / "out.npz", *options(spec), *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "out.npz").exists()


def test_merges_of_all_at_once_are_by_permutations(files, run, tmp_path):
    *_, path_a, path_b, spec = files
    result = run("merge", path_a, path_b, "-o", tmp_path / "m.npz", "--method", "merge-many", *options(spec))
    assert result.exit_code == 2
    assert "--symmetries all is for --method first; got merge-many" in result.stderr


def test_normal_a_is_for_all_symmetries(files, run, tmp_path):
    *_, path_a, path_b, spec = files
    result = run(
        "match", path_a, path_b, "-o", tmp_path / "o.npz", "--normal-a", tmp_path / "n.npz", "--spec", spec
    )
    assert result.exit_code == 2
    assert "--normal-a is for --symmetries all" in result.stderr


def test_a_spec_without_symmetries_is_refused_with_its_cure(files, run, tmp_path):
    *_, path_a, path_b, spec = files
    result = run("match", path_a, path_b, "-o", tmp_path / "out.npz", "--symmetries", "all")
    assert result.exit_code == 1
    assert "Derive signs, scales and rotations from the model with --trace module:factory" in result.stderr
    assert run("match", path_a, path_b, "-o", tmp_path / "out.npz", *options(spec)).exit_code == 0
