"""Recipes in mergekit's YAML: honoured as far as they go, refused by name beyond."""

import numpy as np
import pytest

import rebasin_fast as rf
from helpers.command_line import invoke
from rebasin_fast.merging.rules.combining import combine

pytest.importorskip("yaml", reason="needs PyYAML, with which recipes are read")

SHAPES = {
    "embed.weight": (10, 6), **{f"layers.{n}.{part}.weight": (6, 6) for n in range(3) for part in ("attn", "mlp")},
    "norm.weight": (6,),
}  # fmt: skip


@pytest.fixture
def models(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    made = {}
    for name in ("base", "one", "two"):
        made[name] = {n: rng.standard_normal(shape).astype(np.float32) for n, shape in SHAPES.items()}
        (tmp_path / name).mkdir()
        rf.save_params(tmp_path / name / "model.safetensors", made[name])
    return made


def merge(tmp_path, text, *arguments):
    (tmp_path / "recipe.yaml").write_text(text)
    return invoke(["merge", "recipe.yaml", "-o", "out", *arguments])


def check(tmp_path, text, expected):
    ran = merge(tmp_path, text)
    assert ran.exit_code == 0, ran.stderr
    merged = rf.load_params(tmp_path / "out")
    for name, array in expected.items():
        assert np.array_equal(merged[name], array), name


def test_slerp_of_slices_with_filters_and_gradients(tmp_path, models):
    text = """
slices:
  - sources:
      - model: one
        layer_range: [0, 3]
      - model: two
        layer_range: [0, 3]
merge_method: slerp
base_model: one
parameters:
  t:
    - filter: attn
      value: [0, 0.5, 1]
    - filter: mlp
      value: 0.25
    - value: 0.5
dtype: float32
"""
    t = {"attn": [0, 0.5, 1], "mlp": 0.25, "*": 0.5}
    check(tmp_path, text, combine([models["one"], models["two"]], rule="slerp", t=t))


def test_ties_with_settings_of_a_model_before_those_of_all(tmp_path, models):
    text = """
models:
  - model: base
  - model: one
    parameters: {density: 0.5, weight: [{filter: mlp, value: 0.3}]}
  - model: two
merge_method: ties
base_model: base
parameters: {weight: 0.7, density: "2e-1", normalize: false, int8_mask: true}
dtype: bfloat16
out_dtype: float32
"""
    expected = combine(
        [models["one"], models["two"]],
        rule="ties",
        base=models["base"],
        weights=[{"mlp": 0.3, "*": 0.7}, 0.7],
        density=[0.5, 0.2],
        normalize=False,
        dtype="bfloat16",
        out_dtype="float32",
    )
    check(tmp_path, text, expected)


def test_matched_on_demand(tmp_path, models):
    text = "models: [{model: one}, {model: two}]\nmerge_method: linear\n"
    ran = merge(tmp_path, text, "--match")
    assert ran.exit_code == 1
    assert "spec" in ran.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("merge_method: passthrough\n", "merge_method is 'passthrough'; supported: linear"),
        (
            "merge_method: linear\nmodels: [{model: one}]\ntokenizer_source: union\n",
            "'tokenizer_source' in the recipe",
        ),
        ("merge_method: linear\n", "either models or slices"),
        ("merge_method: ties\nmodels: [{model: one}]\n", "ties needs base_model"),
        (
            "merge_method: linear\nmodels: [{model: one, parameters: {density: 1}}]\n",
            r"'density' in models\[0\]",
        ),
        ("merge_method: linear\nmodels: [{model: one}]\ndtype: int8\n", "dtype is 'int8'"),
        ("merge_method: linear\nmodels: [{model: gone}]\n", "'gone' is no file or folder"),
        (
            "merge_method: ties\nbase_model: base\nmodels: [{model: one, parameters: {density: 2}}]\n",
            "density is",
        ),
        (
            "[",
            "cannot be read as a recipe: line 1: expected the node content",
        ),
        ("models: " + "[" * 5000 + "]" * 5000, "nested too deep"),
        ("!!python/object/apply:os.system ['exit 3']\n", "line 1: could not determine a constructor"),
        (
            "merge_method: linear\nmodels: [{model: one, parameters: {weight: .nan}}]\n",
            "to those, finite; got nan",
        ),
        ("merge_method: linear\nmodels: &all [*all]\n", r"models\[0\] is"),
        (
            "merge_method: slerp\nbase_model: one\nslices: [{sources: [{model: one, layer_range: [0, 2]}, "
            "{model: two, layer_range: [0, 2]}]}]\nparameters: {t: 0.5}\n",
            "the models have 3 layers",
        ),
        (
            "merge_method: slerp\nbase_model: one\nslices: [{sources: [{model: one, layer_range: [1, 2]}]}]\n",
            "of all layers from 0",
        ),
        ("merge_method: slerp\nbase_model: one\nmodels: [{model: two}]\n", "needs t"),
        (
            "merge_method: slerp\nbase_model: one\nmodels: [{model: two}]\nparameters: {t: [{filter: mlp, value: 1}]}",
            "t has no value for 'embed.weight'",
        ),
    ],
)
def test_refused_by_name(tmp_path, models, text, message):
    ran = merge(tmp_path, text)
    assert ran.exit_code == 1, ran.output
    assert __import__("re").search(message, " ".join(ran.stderr.split())), ran.stderr
    assert not (tmp_path / "out").exists()


def test_a_large_recipe_is_not_read(tmp_path, models):
    """A number to the base of 60 of a million digits took a minute and a half."""
    ran = merge(
        tmp_path,
        f"merge_method: linear\nmodels: [{{model: one, parameters: {{weight: 1{':1' * 40_000}}}}}]\n",
    )
    assert ran.exit_code == 1
    assert "1 to 65,536 are expected" in ran.stderr


def test_a_model_with_its_adapter(tmp_path, models):
    from rebasin_fast.merging.lora.adapter import Adapter, Product, load_adapter, save_adapter
    from rebasin_fast.merging.lora.applied import applied_adapter

    rng = np.random.default_rng(2)
    one = Product(rng.standard_normal((6, 2)), rng.standard_normal((2, 6)), 0.5)
    save_adapter(tmp_path / "lora", Adapter(None, {"layers.1.mlp.weight": one}))
    text = "models: [{model: one+lora}, {model: two}]\nmerge_method: linear\n"
    tuned = dict(applied_adapter(models["one"], load_adapter(tmp_path / "lora")))
    check(tmp_path, text, combine([tuned, models["two"]]))
