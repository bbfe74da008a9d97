"""GPT-2 in Hugging Face's names."""

from __future__ import annotations

from typing import Any

from rebasin_fast import _arguments
from rebasin_fast._arrays import identity
from rebasin_fast.specs.reading.hints import NO_HINTS, Hints, needed_heads
from rebasin_fast.specs.reading.names import count_numbered
from rebasin_fast.specs.ready.attention import add_heads
from rebasin_fast.specs.ready.fragments import SpecBuilder
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.typing import Params


@_arguments.checked(layers=1, heads=1)
def gpt2(
    layers: int = 12,
    heads: int = 12,
    *,
    prefix: str = "transformer.",
    lm_head: bool = True,
    tied: bool = True,
    masks: bool = False,
) -> PermutationSpec:
    """Spec of GPT-2, whose linear layers hold their weights as (inputs, outputs).

    Parameters
    ----------
    layers, heads : int
        12, 12 for gpt2; 24, 16 for gpt2-medium; 36, 20 for gpt2-large; 48, 25 for gpt2-xl.
    prefix : str
        ``transformer.`` for ``GPT2LMHeadModel``, "" for ``GPT2Model``.
    lm_head : bool
        Whether ``lm_head.weight`` is among the parameters.
    tied : bool
        Whether ``lm_head.weight`` is the array of the token embeddings, as it is in all published models: then it
        moves with it, and counts once in the objective.
    masks : bool
        Whether the causal masks are among the parameters (``attn.bias``, ``attn.masked_bias``), as in older files.

    Returns
    -------
    PermutationSpec
        ``stream``, one permutation for the whole residual stream: both embeddings, norms and head; and in layer L
        ``L.heads`` with ``L.qk`` and ``L.vo`` within each head, and ``L.mlp``. The vocabulary and the positions
        never move.

    Examples
    --------
    >>> import rebasin_fast as rf
    >>> rf.specs.gpt2(1, heads=2).axes_to_perm["transformer.h.0.attn.c_proj.weight"]
    (Product(outer='0.heads', inner='0.vo'), 'stream')
    """
    builder = SpecBuilder()
    stream = "stream"
    builder.parameter(f"{prefix}wte.weight", None, stream)
    builder.parameter(f"{prefix}wpe.weight", None, stream)
    for layer in range(layers):
        block = f"{prefix}h.{layer}"
        entries = add_heads(builder, str(layer), heads)
        builder.layer_norm(f"{block}.ln_1", stream)
        _add_conv1d(builder, f"{block}.attn.c_attn", stream, entries.stacked)
        _add_conv1d(builder, f"{block}.attn.c_proj", entries.value, stream)
        builder.layer_norm(f"{block}.ln_2", stream)
        _add_conv1d(builder, f"{block}.mlp.c_fc", stream, f"{layer}.mlp")
        _add_conv1d(builder, f"{block}.mlp.c_proj", f"{layer}.mlp", stream)
        if masks:
            builder.statistics(f"{block}.attn.bias", None, None, None, None)
            builder.statistics(f"{block}.attn.masked_bias")
    builder.layer_norm(f"{prefix}ln_f", stream)
    if lm_head and tied:
        builder.statistics("lm_head.weight", None, stream)
    elif lm_head:
        builder.parameter("lm_head.weight", None, stream)
    return builder.build()


def _add_conv1d(builder: SpecBuilder, name: str, inputs: Any, outputs: Any) -> None:
    builder.parameter(f"{name}.weight", inputs, outputs)
    builder.parameter(f"{name}.bias", outputs)


def recognise(params: Params, hints: Hints = NO_HINTS) -> PermutationSpec | None:
    """The spec of a GPT-2, with or without its language-model head; ``heads`` is needed."""
    prefix = next((p for p in ("transformer.", "") if f"{p}h.0.attn.c_attn.weight" in params), None)
    if prefix is None or f"{prefix}wte.weight" not in params:
        return None
    layers = count_numbered(params, f"{prefix}h.")
    embeddings = params[f"{prefix}wte.weight"]
    heads = needed_heads(hints, f"a GPT-2 of {layers} layers and width {embeddings.shape[-1]}")
    head = params.get("lm_head.weight")
    return gpt2(
        layers,
        heads,
        prefix=prefix,
        lm_head=head is not None,
        tied=head is None or identity(head) == identity(embeddings),
        masks=f"{prefix}h.0.attn.bias" in params,
    )
