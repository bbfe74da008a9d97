"""Architectures of transformers and diffusers: matched without further options, and loaded by ``from_pretrained``."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.models.installed import require_models

require_models()

import torch  # noqa: E402
import transformers  # noqa: E402

import rebasin_fast as rf  # noqa: E402
from helpers.models.diffusion import UNET, diffusers  # noqa: E402
from helpers.models.language import BERT, CLIP_TEXT, CLIP_VISION, GPT2, LLAMA, T5, VIT  # noqa: E402
from rebasin_fast._pretrained import proof  # noqa: E402
from rebasin_fast._pretrained.libraries import example_inputs  # noqa: E402
from rebasin_fast._pretrained.narrow import narrowed  # noqa: E402

pytestmark = [pytest.mark.models, pytest.mark.slow]

_T = transformers

_ONE = {"num_hidden_layers": 1}
_LLAMA = {**LLAMA, **_ONE}
_SMALL_UNET = {
    **UNET, "sample_size": 8, "block_out_channels": (16, 32), "norm_num_groups": 8, "attention_head_dim": 2,
    "cross_attention_dim": 24, "layers_per_block": 1, "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
}  # fmt: skip
_CLIP = {"text_config": {**CLIP_TEXT, **_ONE}, "vision_config": {**CLIP_VISION, **_ONE}, "projection_dim": 12}

MODELS = {
    "bert": lambda: _T.BertForMaskedLM(_T.BertConfig(**{**BERT, **_ONE})),
    "gpt2": lambda: _T.GPT2LMHeadModel(_T.GPT2Config(**{**GPT2, "n_layer": 1})),
    "llama": lambda: _T.LlamaForCausalLM(_T.LlamaConfig(**_LLAMA)),
    "mistral": lambda: _T.MistralForCausalLM(_T.MistralConfig(**_LLAMA)),
    "qwen3": lambda: _T.Qwen3ForCausalLM(_T.Qwen3Config(**_LLAMA)),
    "mixtral": lambda: _T.MixtralForCausalLM(_T.MixtralConfig(**_LLAMA, num_local_experts=4)),
    "t5": lambda: _T.T5ForConditionalGeneration(
        _T.T5Config(**{**T5, "num_layers": 1, "num_decoder_layers": 1})
    ),
    "vit": lambda: _T.ViTForImageClassification(_T.ViTConfig(**{**VIT, **_ONE})),
    "clip": lambda: _T.CLIPModel(_T.CLIPConfig(**_CLIP)),
    "unet": lambda: diffusers.UNet2DConditionModel(**_SMALL_UNET),
}


@pytest.fixture(scope="module", params=MODELS)
def matched(request, tmp_path_factory, command):
    """The folder of a pair, and of B matched onto A; the model's class, and what was printed."""
    folder, make = tmp_path_factory.mktemp(request.param), MODELS[request.param]
    for name in ("a", "b"):
        make().save_pretrained(folder / name)
    saved = ["--save-permutation", folder / "p.safetensors"]
    printed = command("match", folder / "a", folder / "b", "-o", folder / "c", "--quiet", *saved)
    return folder, type(make()), printed


def test_the_spec_is_proven_and_the_card_written(matched):
    folder, _, printed = matched
    assert "proven on it with random weights" in printed
    assert "permuted onto" in (folder / "c" / "README.md").read_text(encoding="utf-8")
    b, c = rf.load_params(folder / "b"), rf.load_params(folder / "c")
    assert list(b) == list(c)
    assert any(not np.array_equal(b[key], c[key]) for key in b)


def test_the_result_loads_whole_and_computes_the_same(matched):
    folder, cls, _ = matched
    b = cls.from_pretrained(folder / "b").eval()
    c, info = cls.from_pretrained(folder / "c", output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    inputs = example_inputs(b, "cpu")
    with torch.no_grad():
        expected, found = b(**inputs), c.eval()(**inputs)
    for name in ("logits", "text_embeds", "image_embeds", "sample"):
        if name in expected:
            torch.testing.assert_close(found[name], expected[name], rtol=1e-4, atol=1e-4)
    assert {"logits", "text_embeds", "sample"} & set(expected)


def test_the_saved_permutation_applies_to_the_folder(matched, command):
    folder, _, _ = matched
    command("apply", folder / "p.safetensors", folder / "b", "-o", folder / "applied")
    command("apply", folder / "p.safetensors", folder / "c", "-o", folder / "undone", "--invert")
    for name, twin in (("applied", "c"), ("undone", "b")):
        found, expected = rf.load_params(folder / name), rf.load_params(folder / twin)
        assert set(found) == set(expected)
        assert all(np.array_equal(found[key], expected[key]) for key in expected), name


@pytest.mark.parametrize("name", ["llama", "mixtral", "t5"])
def test_a_narrow_copy_proves_the_same_axes(name, tmp_path, monkeypatch):
    MODELS[name]().save_pretrained(tmp_path)
    expected = rf.load_pretrained(tmp_path).spec
    monkeypatch.setattr(proof, "SMALL", 0)
    narrow = rf.load_pretrained(tmp_path)
    assert dict(narrow.spec.axes_to_perm) == dict(expected.axes_to_perm)
    assert "proven on a narrow copy" in narrow.statement
    if name == "llama":
        assert narrow.spec.to_json() == expected.to_json()


@pytest.mark.parametrize(("heads", "groups", "fewer"), [(32, 8, (8, 2)), (71, 1, (71, 1)), (12, 12, (4, 4))])
def test_groups_of_heads_can_move_in_the_narrow_copy(heads, groups, fewer):
    copy = narrowed({"num_attention_heads": heads, "num_key_value_heads": groups, "hidden_size": 64 * heads})
    assert (copy["num_attention_heads"], copy["num_key_value_heads"]) == fewer
