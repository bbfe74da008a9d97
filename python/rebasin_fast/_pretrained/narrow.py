"""A narrow copy of a configuration: as deep, of the same parts, with short axes."""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd
from typing import Any

_HEADS = ("num_attention_heads", "n_head", "num_heads", "encoder_attention_heads", "decoder_attention_heads")
_GROUPS = ("num_key_value_heads",)
_DIMS = ("head_dim", "d_kv")
_WIDTHS = ("hidden_size", "n_embd", "d_model", "embed_dim", "dim", "projection_dim")
_INNER = (
    "intermediate_size", "d_ff", "ffn_dim", "encoder_ffn_dim", "decoder_ffn_dim", "n_inner", "hidden_dim",
    "moe_intermediate_size", "shared_expert_intermediate_size",
)  # fmt: skip
_VOCABULARY, _HEAD_DIM, _INNER_WIDTH, _MOST_HEADS = 512, 8, 12, 4
_FEWEST_GROUPS = 2  # a single one does not move


def narrowed(fields: Mapping[str, Any]) -> dict[str, Any]:
    """``fields`` with fewer heads in the same ratio, short heads, inner layers and vocabulary; nested ones too.

    A copy that its class refuses, or whose entries move otherwise, is of no use: the caller compares.
    """
    copy = {name: narrowed(value) if isinstance(value, Mapping) else value for name, value in fields.items()}
    heads = next((fields[name] for name in _HEADS if _is_count(fields.get(name))), None)
    if heads is not None:
        _narrow_heads(copy, fields, heads)
    for name in _INNER:
        if _is_count(fields.get(name)):
            copy[name] = min(fields[name], _INNER_WIDTH)
    if _is_count(fields.get("vocab_size")):
        copy["vocab_size"] = min(fields["vocab_size"], _VOCABULARY)
    for name, value in fields.items():
        if name.endswith("token_id") and _is_count(value):
            copy[name] = value % _VOCABULARY
    if isinstance(fields.get("block_out_channels"), list | tuple) and _is_count(
        fields.get("norm_num_groups")
    ):
        _narrow_channels(copy, fields)
    return copy


def _narrow_heads(copy: dict[str, Any], fields: Mapping[str, Any], heads: int) -> None:
    shared = next((fields[name] for name in _GROUPS if _is_count(fields.get(name))), heads)
    ratio = heads // gcd(heads, shared)
    fewer = min(shared, max(_FEWEST_GROUPS, _MOST_HEADS // ratio)) * ratio
    width = next((fields[name] for name in _WIDTHS if _is_count(fields.get(name))), 0)
    given = next((fields[name] for name in _DIMS if _is_count(fields.get(name))), max(1, width // heads))
    dim = min(given, _HEAD_DIM)
    for name in _HEADS:
        if _is_count(fields.get(name)):
            copy[name] = fewer
    for name, value in (*((n, fewer // ratio) for n in _GROUPS), *((n, dim) for n in _DIMS)):
        if _is_count(fields.get(name)):
            copy[name] = value
    for name in _WIDTHS:
        if _is_count(fields.get(name)):
            copy[name] = fewer * dim


def _narrow_channels(copy: dict[str, Any], fields: Mapping[str, Any]) -> None:
    """Two units in a group of the narrowest level: norms over concatenations cut at the same places."""
    channels = fields["block_out_channels"]
    least = 2 * fields["norm_num_groups"]
    copy["block_out_channels"] = [width * least // channels[0] for width in channels]
    if _is_count(fields.get("cross_attention_dim")):
        copy["cross_attention_dim"] = min(fields["cross_attention_dim"], 2 * _INNER_WIDTH)
    if _is_count(fields.get("sample_size")):
        copy["sample_size"] = min(fields["sample_size"], 2 ** len(channels))


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0
