"""Language models, a ViT and CLIP of Hugging Face's ``transformers``, as small random configurations."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from .chains import encoder, repeated
from .installed import import_torchvision
from .registry import Model
from .symmetries import Symmetries, attention, grouped_attention, units

import_torchvision()  # transformers imports it

import transformers  # noqa: E402

LAYERS = 2
TOKENS = torch.tensor([[3, 14, 15, 9, 26], [5, 35, 8, 58, 32]])
IMAGES = torch.linspace(-1.0, 1.0, 2 * 3 * 16 * 16).reshape(2, 3, 16, 16)

BERT = {
    "vocab_size": 61, "hidden_size": 24, "num_hidden_layers": LAYERS, "num_attention_heads": 3,
    "intermediate_size": 20, "max_position_embeddings": 16,
}  # fmt: skip
GPT2 = {
    "vocab_size": 61, "n_positions": 16, "n_embd": 24, "n_layer": LAYERS, "n_head": 3,
    "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
LLAMA = {
    "vocab_size": 61, "hidden_size": 24, "intermediate_size": 20, "num_hidden_layers": LAYERS,
    "num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 4, "max_position_embeddings": 32,
}  # fmt: skip
T5 = {
    "vocab_size": 61, "d_model": 24, "d_kv": 5, "d_ff": 20, "num_layers": LAYERS, "num_decoder_layers": LAYERS,
    "num_heads": 3,
}  # fmt: skip
VIT = {
    "hidden_size": 24, "num_hidden_layers": LAYERS, "num_attention_heads": 3, "intermediate_size": 20,
    "image_size": 16, "patch_size": 8,
}  # fmt: skip
CLIP_TEXT = {**BERT, "bos_token_id": 1, "eos_token_id": 60}
CLIP_VISION = {**VIT, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 28}
CLIP_SHARED = 12


def _bert() -> Symmetries:
    """One stream. The tied head makes the last transform give its units in the order of the embeddings."""
    return units(24) + repeated(LAYERS, encoder(24, 3, 20))


def _llama() -> Symmetries:
    return units(24) + repeated(LAYERS, grouped_attention(6, 2, 4) + units(20))


def _mixtral() -> Symmetries:
    """Experts move with the rows of their router, and each has its own hidden units."""
    return units(24) + repeated(LAYERS, grouped_attention(6, 2, 4) + units(4) + units(20, 4))


def _t5() -> Symmetries:
    """One stream, for both halves begin with the same embeddings.

    The bias by relative position is one table for all layers of a half, so that their heads move together. Attention
    across the halves has none, and heads of its own in every layer.
    """
    tied_heads = units(3) + repeated(LAYERS, units(5, 3, times=2))
    across = repeated(LAYERS, attention(3, 5, 5))
    return units(24) + tied_heads + tied_heads + across + repeated(LAYERS, units(20, times=2))


def _clip() -> Symmetries:
    return units(24) + repeated(LAYERS, encoder(24, 3, 20)) + units(16) + repeated(LAYERS, encoder(16, 2, 28))


class EmbeddingsOfCLIP(transformers.CLIPModel):
    """CLIP that returns what texts and images are embedded as, and not the states before."""

    def forward(self, **inputs: Any) -> tuple[torch.Tensor, torch.Tensor]:
        found = super().forward(**inputs)
        return found.text_embeds, found.image_embeds


class LogitsOfCLIP(transformers.CLIPModel):
    """CLIP that returns only how well texts and images agree: its shared space is inside, and may move."""

    def forward(self, **inputs: Any) -> torch.Tensor:
        return super().forward(**inputs).logits_per_image


class LogitsOfT5(transformers.T5ForConditionalGeneration):
    """T5 that does not return what its encoder says, which could not move then."""

    def forward(self, **inputs: Any) -> torch.Tensor:
        return super().forward(**inputs).logits


def _clip_config() -> transformers.CLIPConfig:
    return transformers.CLIPConfig(
        text_config=dict(CLIP_TEXT), vision_config=dict(CLIP_VISION), projection_dim=CLIP_SHARED
    )


def _model(name: str, cls: Any, config: Any, expected: Symmetries, **inputs: torch.Tensor) -> list[Model]:
    """The model with attention written out and as one operation, which give the same permutations."""

    def build(attention: str) -> tuple[torch.nn.Module, dict[str, torch.Tensor]]:
        settings = config()
        settings._attn_implementation = attention
        torch.manual_seed(0)
        model = cls._from_config(settings).eval()
        for module in model.modules():
            if hasattr(module, "config"):
                module.config.use_cache = False
        return model, inputs

    return [
        Model(f"transformers/{name}, {attention}", partial(build, attention), expected)
        for attention in ("eager", "sdpa")
    ]


_T = transformers
_MASK = torch.ones_like(TOKENS)

MODELS = [
    *_model("bert", _T.BertForMaskedLM, lambda: _T.BertConfig(**BERT), _bert(), input_ids=TOKENS),
    *_model(
        "bert-masked", _T.BertForMaskedLM, lambda: _T.BertConfig(**BERT), _bert(),
        input_ids=TOKENS, attention_mask=_MASK,
    ),
    *_model(
        "bert-classifier", _T.BertForSequenceClassification, lambda: _T.BertConfig(**BERT, num_labels=5),
        _bert() + units(24), input_ids=TOKENS,
    ),
    *_model(
        "gpt2", _T.GPT2LMHeadModel, lambda: _T.GPT2Config(**GPT2),
        units(24) + repeated(LAYERS, encoder(24, 3, 4 * 24)), input_ids=TOKENS,
    ),
    *_model("llama", _T.LlamaForCausalLM, lambda: _T.LlamaConfig(**LLAMA), _llama(), input_ids=TOKENS),
    *_model(
        "llama-tied", _T.LlamaForCausalLM, lambda: _T.LlamaConfig(**LLAMA, tie_word_embeddings=True), _llama(),
        input_ids=TOKENS,
    ),
    *_model(
        "mistral", _T.MistralForCausalLM, lambda: _T.MistralConfig(**LLAMA, sliding_window=4), _llama(),
        input_ids=TOKENS,
    ),
    *_model("qwen2", _T.Qwen2ForCausalLM, lambda: _T.Qwen2Config(**LLAMA), _llama(), input_ids=TOKENS),
    *_model("qwen3", _T.Qwen3ForCausalLM, lambda: _T.Qwen3Config(**LLAMA), _llama(), input_ids=TOKENS),
    *_model(
        "mixtral", _T.MixtralForCausalLM, lambda: _T.MixtralConfig(**LLAMA, num_local_experts=4), _mixtral(),
        input_ids=TOKENS,
    ),
    *_model(
        "t5", LogitsOfT5, lambda: _T.T5Config(**T5), _t5(),
        input_ids=TOKENS, decoder_input_ids=TOKENS,
    ),
    *_model(
        "t5-gated", LogitsOfT5,
        lambda: _T.T5Config(**T5, feed_forward_proj="gated-gelu", tie_word_embeddings=False), _t5(),
        input_ids=TOKENS, decoder_input_ids=TOKENS,
    ),
    *_model(
        "vit", _T.ViTForImageClassification, lambda: _T.ViTConfig(**VIT, num_labels=5), _bert(), pixel_values=IMAGES
    ),
    *_model("clip", EmbeddingsOfCLIP, _clip_config, _clip(), input_ids=TOKENS, pixel_values=IMAGES),
    *_model(
        "clip-logits", LogitsOfCLIP, _clip_config, _clip() + units(CLIP_SHARED), input_ids=TOKENS, pixel_values=IMAGES
    ),
]  # fmt: skip
