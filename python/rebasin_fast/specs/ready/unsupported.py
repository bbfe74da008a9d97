"""Adapters, quantised and reparametrised weights, optimizer states: refused, with the remedy."""

from __future__ import annotations

import re

from rebasin_fast.errors import SpecError
from rebasin_fast.typing import Params

_MERGE = "merge it into its base model first (peft: model.merge_and_unload()), and match the merged models"
_DEQUANTISE = "dequantise both models first (load them in float16 or float32, and save those weights)"

# Part of a name, kind of parameters, remedy.
_KNOWN: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (
        re.compile(r"(^|[._])lora_|\.lora_(up|down)|[._]lora[AB]?[._]", re.IGNORECASE),
        "a LoRA adapter: its matrices are factors of an update, not layers one after the other",
        _MERGE,
    ),
    (
        re.compile(r"hada_w[12]_|lokr_w|oft_blocks|vera_lambda|(^|\.)ia3_|prefix_encoder|prompt_embeddings"),
        "an adapter: its arrays are factors of an update, not layers one after the other",
        _MERGE,
    ),
    (
        re.compile(
            r"\.(qweight|qzeros|g_idx|SCB|absmax|quant_map|weight_format|weight_packed|weight_scale(_inv)?|"
            r"input_scale|scale_weight|scale_input|quant_state\..*|_packed_params.*|codebooks?|codes|scaled_fp8)$"
        ),
        "quantised: its arrays are codes and scales, not weights",
        _DEQUANTISE,
    ),
    (
        re.compile(r"(weight_orig|weight_mask|weight_[uv]|weight_g|parametrizations\..*)$"),
        "reparametrised (pruning, weight norm or spectral norm): its weights are computed from several arrays",
        "remove the reparametrisation first (torch.nn.utils.parametrize.remove_parametrizations, "
        "remove_weight_norm, remove_spectral_norm, prune.remove), or trace the spec from the model",
    ),
    (
        re.compile(r"^(exp_avg|exp_avg_sq|momentum_buffer|optimizer|state\.\d+\.)"),
        "the state of an optimizer",
        "give the model's own parameters",
    ),
)


def check_supported(params: Params) -> None:
    """SpecError for adapters, quantised weights and the like, with the remedy."""
    for pattern, kind, remedy in _KNOWN:
        found = [name for name in params if pattern.search(name)]
        if found:
            raise SpecError(f"these parameters are {kind} (such as {found[0]!r}): {remedy}")
    for name, array in params.items():
        dtype = str(getattr(array, "dtype", ""))
        if len(array.shape) > 1 and "int" in dtype and name.endswith(("weight", "kernel", "kernel:0")):
            raise SpecError(
                f"these parameters are not weights as they are used: {name!r} is of dtype {dtype}, codes of a "
                f"quantised model or a table of indices. {_DEQUANTISE.capitalize()}, or write or trace the spec"
            )
