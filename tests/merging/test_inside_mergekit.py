"""mergekit itself on tiny Llama folders: recipes give what ours do, and rebasin_ methods align inside of it."""

import numpy as np
import pytest

import rebasin_fast as rf
from helpers.command_line import invoke
from rebasin_fast.permutation.apply import random_permutation

torch = pytest.importorskip("torch")
pytest.importorskip("mergekit", reason="needs mergekit 0.1.5 (pip install mergekit), whose command is run")
pytest.importorskip("yaml", reason="needs PyYAML, with which recipes are read")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # those of mergekit and transformers
]
QUIET = ["--no-copy-tokenizer", "--no-write-model-card", "--quiet"]
RECIPE = """
slices:
  - sources:
      - model: a
        layer_range: [0, 3]
      - model: b
        layer_range: [0, 3]
merge_method: slerp
base_model: a
parameters:
  t:
    - filter: self_attn
      value: [0, 0.5, 0.3, 1]
    - filter: mlp
      value: [1, 0.5]
    - value: 0.5
dtype: float32
"""
TIES = """
models:
  - model: b
    parameters:
      weight: 0.7
      density: 0.8
  - model: c
    parameters:
      weight:
        - filter: mlp
          value: [0.1, 0.9]
        - value: 0.4
merge_method: ties
base_model: a
parameters: {density: 0.6}
dtype: float32
out_dtype: bfloat16
"""


@pytest.fixture
def folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=40, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=32, tie_word_embeddings=False,
    )  # fmt: skip
    for seed, name in enumerate("abc"):
        torch.manual_seed(seed)
        LlamaForCausalLM(config).save_pretrained(name)
    return tmp_path


FACTORY = """
import torch
from transformers import LlamaForCausalLM

def llama():
    model = LlamaForCausalLM.from_pretrained("a")
    model.config.use_cache = False
    return model, {"input_ids": torch.zeros((1, 4), dtype=torch.int64)}
"""


def traced():
    from transformers import LlamaForCausalLM

    model = LlamaForCausalLM.from_pretrained("a")
    model.config.use_cache = False
    return rf.trace_spec(model, {"input_ids": torch.zeros((1, 4), dtype=torch.int64)})


def theirs(recipe, *arguments):
    ran = invoke(["mergekit", recipe, "theirs", *QUIET, *arguments])
    assert ran.exit_code == 0, (ran.stderr, ran.exception)
    return rf.load_params("theirs")


def equal(one, other, name):
    return one.dtype(name) == other.dtype(name) and np.array_equal(one[name], other[name])


@pytest.mark.parametrize("recipe", [RECIPE, TIES], ids=["slerp", "ties"])
def test_our_reading_of_a_recipe_gives_their_model(folders, recipe):
    (folders / "recipe.yaml").write_text(recipe)
    ran = invoke(["merge", "recipe.yaml", "-o", "ours"])
    assert ran.exit_code == 0, ran.stderr
    ours, expected = rf.load_params("ours"), theirs("recipe.yaml")
    assert set(ours) == set(expected)
    if recipe is TIES:
        assert all(equal(ours, expected, name) for name in expected)
    for name in expected:
        a, b = (np.asarray(one[name], np.float64) for one in (ours, expected))
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-7)


def test_a_permuted_model_is_aligned_inside_of_mergekit(folders):
    a = rf.load_params("a")
    spec = traced()
    hidden = random_permutation(spec, spec.sizes(a), np.random.default_rng(0))
    moved = rf.apply_permutation(spec, hidden, a)
    rf.save_params("b/model.safetensors", {n: np.array(v) for n, v in moved.items()}, overwrite=True)
    recipe = (
        "models: [{model: a}, {model: b}]\nmerge_method: METHOD\nparameters: {weight: 0.5}\ndtype: float32\n"
    )
    (folders / "recipe.yaml").write_text(recipe.replace("METHOD", "rebasin_linear"))
    merged = theirs("recipe.yaml")
    for name, array in a.items():
        np.testing.assert_allclose(merged[name], array, atol=1e-7)


def test_align_and_then_their_recipe(folders):
    (folders / "tiny_factory.py").write_text(FACTORY)
    ran = invoke(["align", "a", "b", "-o", "b_aligned", "--trace", "tiny_factory:llama"])
    assert ran.exit_code == 0, ran.stderr
    (folders / "recipe.yaml").write_text(RECIPE.replace("model: b", "model: b_aligned"))
    by_hand = dict(theirs("recipe.yaml"))
    text = RECIPE.replace("merge_method: slerp", "merge_method: rebasin_slerp")
    (folders / "inside.yaml").write_text(text)
    ran = invoke(["mergekit", "inside.yaml", "inside", *QUIET])
    assert ran.exit_code == 0, (ran.stderr, ran.exception)
    inside = rf.load_params("inside")
    assert all(np.array_equal(inside[name], array) for name, array in by_hand.items())
