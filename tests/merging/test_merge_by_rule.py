"""``rebasin-fast merge --rule``: the library's rules on files, after a matching or without."""

import json

import numpy as np
import pytest

import rebasin_fast as rf
from helpers.command_line import SHAPES, invoke
from rebasin_fast.merging.rules.combining import combine


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(3)
    base = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in SHAPES.items()}
    models = {"base": base}
    for name in "ab":
        models[name] = {n: v + 0.1 * rng.standard_normal(v.shape).astype(np.float32) for n, v in base.items()}
    for name, params in models.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(json.dumps({"model_type": "test"}))
        rf.save_params(tmp_path / name / "model.safetensors", params)
    return tmp_path, models


def merge(folder, *arguments):
    paths = [folder / name for name in "ab"]
    return invoke(["merge", *map(str, paths), "-o", str(folder / "out"), *arguments])


RULES = {
    "linear": (["--weights", "1,3"], {"weights": [1.0, 3.0]}),
    "slerp": (["--t", "0.3"], {"t": 0.3}),
    "task-arithmetic": (["--weights", "0.6", "--lambda", "0.5"], {"weights": 0.6, "lambda_": 0.5}),
    "ties": (["--density", "0.5,0.2", "--no-normalize"], {"density": [0.5, 0.2], "normalize": False}),
    "dare-ties": (["--density", "0.5", "--seed", "4"], {"density": 0.5, "rng": 4}),
    "karcher": ([], {}),
}


@pytest.mark.parametrize("rule", RULES)
def test_rules_on_files(files, rule):
    folder, models = files
    arguments, options = RULES[rule]
    has_base = rule in ("task-arithmetic", "ties", "dare-ties")
    based = ["--base", str(folder / "base")] if has_base else []
    ran = merge(folder, "--rule", rule, "--no-match", *based, *arguments)
    assert ran.exit_code == 0, ran.stderr
    base = models["base"] if has_base else None
    expected = combine([models["a"], models["b"]], rule=rule, base=base, **options)
    merged = rf.load_params(folder / "out")
    assert all(np.array_equal(merged[name], expected[name]) for name in expected)
    assert (folder / "out" / "config.json").exists()


def test_weights_of_a_pattern(files):
    folder, models = files
    arguments = ["--weights-of", "fc2.*=1,0", "--weights", "1,1"]
    ran = merge(folder, "--rule", "linear", "--no-match", *arguments)
    assert ran.exit_code == 0, ran.stderr
    merged = rf.load_params(folder / "out")
    assert np.array_equal(merged["fc2.weight"], models["a"]["fc2.weight"])
    mean = combine([models["a"], models["b"]])["fc1.weight"]
    assert np.array_equal(merged["fc1.weight"], mean)


def test_matched_onto_the_base(files):
    folder, models = files
    spec = rf.specs.mlp(["fc1", "fc2", "fc3"])
    rng = np.random.default_rng(0)
    hidden = {"P0": rng.permutation(24), "P1": rng.permutation(20)}
    moved = rf.apply_permutation(spec, hidden, models["b"])
    rf.save_params(folder / "b" / "model.safetensors", moved, overwrite=True)
    ran = merge(folder, "--rule", "ties", "--base", str(folder / "base"))
    assert ran.exit_code == 0, ran.stderr
    expected = combine([models["a"], models["b"]], rule="ties", base=models["base"])
    merged = rf.load_params(folder / "out")
    assert all(np.array_equal(merged[name], expected[name]) for name in expected)


def test_dtype_and_shards(files):
    folder, models = files
    ran = merge(folder, "--rule", "linear", "--no-match", "--dtype", "bfloat16", "--max-shard-size", "800")
    assert ran.exit_code == 0, ran.stderr
    written = sorted(path.name for path in (folder / "out").iterdir())
    shards = [name for name in written if name.endswith(".safetensors")]
    assert len(shards) > 1
    assert written == sorted(["README.md", "config.json", *shards, "model.safetensors.index.json"])
    merged = rf.load_params(folder / "out")
    expected = combine([models["a"], models["b"]], dtype="bfloat16")
    assert all(np.array_equal(merged[n], expected[n]) and merged.dtype(n) == "bfloat16" for n in expected)
    again = merge(folder, "--no-match", "--dtype", "bfloat16", "--max-shard-size", "800", "--force")
    assert again.exit_code == 0, again.stderr
    whole = rf.load_params(folder / "out")
    assert set(whole) == set(expected)


def test_one_shard_is_one_file(files):
    folder, _ = files
    ran = merge(folder, "--no-match", "--max-shard-size", "1G")
    assert ran.exit_code == 0, ran.stderr
    assert [path.name for path in (folder / "out").glob("*safetensors*")] == ["model.safetensors"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--density", "0.5"], "--density is for a merge with --rule"),
        (["--rule", "ties"], "--rule ties needs --base"),
        (["--rule", "karcher", "--density", "0.5"], "--density is not for --rule karcher"),
        (["--rule", "linear", "--weights", "1,2,3"], "one for each of the 2 models"),
        (["--rule", "linear", "--weights-of", "mlp"], "not of the form PATTERN=W,W"),
        (["--rule", "linear", "--method", "merge-many"], "--rule is for --method first"),
    ],
)
def test_told_mistakes(files, arguments, message):
    ran = merge(files[0], *arguments)
    assert ran.exit_code == 2
    assert message in " ".join(ran.stderr.split())
