"""Folders of transformers: matched and merged without further options, and loaded by ``from_pretrained``."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from helpers.models.installed import require_models

require_models()

import transformers  # noqa: E402

import rebasin_fast as rf  # noqa: E402
from helpers.models.language import BERT, GPT2, LLAMA, T5, VIT, _clip_config  # noqa: E402
from rebasin_fast.cli import main  # noqa: E402

_T = transformers
pytestmark = pytest.mark.models

MODELS = {
    "bert": lambda: _T.BertForMaskedLM(_T.BertConfig(**BERT)),
    "gpt2": lambda: _T.GPT2LMHeadModel(_T.GPT2Config(**GPT2)),
    "llama": lambda: _T.LlamaForCausalLM(_T.LlamaConfig(**LLAMA)),
    "mistral": lambda: _T.MistralForCausalLM(_T.MistralConfig(**LLAMA)),
    "qwen3": lambda: _T.Qwen3ForCausalLM(_T.Qwen3Config(**LLAMA)),
    "mixtral": lambda: _T.MixtralForCausalLM(_T.MixtralConfig(**LLAMA, num_local_experts=4)),
    "t5": lambda: _T.T5ForConditionalGeneration(_T.T5Config(**T5)),
    "vit": lambda: _T.ViTForImageClassification(_T.ViTConfig(**VIT)),
    "clip": lambda: _T.CLIPModel(_clip_config()),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_a_folder_is_matched_and_the_result_loads(name, tmp_path):
    model = MODELS[name]()
    model.save_pretrained(tmp_path / "a")
    MODELS[name]().save_pretrained(tmp_path / "b")
    arguments = ["match", str(tmp_path / "a"), str(tmp_path / "b"), "-o", str(tmp_path / "c"), "--quiet"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert "proven" in done.output
    assert "permuted onto" in (tmp_path / "c" / "README.md").read_text(encoding="utf-8")
    _, info = type(model).from_pretrained(tmp_path / "c", output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    b, c = rf.load_params(tmp_path / "b"), rf.load_params(tmp_path / "c")
    assert set(b) == set(c)
    assert any(not np.array_equal(b[key], c[key]) for key in b)


def test_code_of_the_folder_is_refused(tmp_path):
    model = MODELS["bert"]()
    model.save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**config, "auto_map": {"AutoModel": "modeling.Mine"}}), encoding="utf-8")
    with pytest.raises(rf.FileFormatError, match="code of its own"):
        rf.load_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("field", "value"), [("hidden_size", 2**30), ("hidden_size", 2**15 * 3), ("num_hidden_layers", 10**6)]
)
def test_a_configuration_larger_than_the_weights_is_refused(field, value, tmp_path):
    MODELS["bert"]().save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**config, field: value}), encoding="utf-8")
    with pytest.raises(rf.FileFormatError, match=r"hostile|too few|larger than the weights"):
        rf.load_pretrained(tmp_path)


def test_a_name_that_is_not_in_the_cache_is_not_fetched(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="hf download"):
        rf.load_pretrained("no-such-owner/no-such-model")
