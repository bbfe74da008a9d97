"""Vision transformers in the names of torchvision, timm and Hugging Face."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from rebasin_fast import _arguments
from rebasin_fast.specs.reading.hints import NO_HINTS, Hints, needed_heads
from rebasin_fast.specs.reading.names import count_numbered
from rebasin_fast.specs.ready.attention import add_heads, add_projections, add_torch_attention
from rebasin_fast.specs.ready.fragments import SpecBuilder
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.typing import Params

Layout: TypeAlias = Literal["torchvision", "torchvision-file", "timm", "huggingface", "huggingface-5"]

STREAM = "stream"


@dataclass(frozen=True, slots=True)
class _Names:
    class_token: str
    positions: str
    patches: str
    block: str  # before its number
    norms: tuple[str, str]
    hidden: tuple[str, str]  # the two linear layers of a block
    last_norm: str
    head: str
    # torch.nn.MultiheadAttention; or the linear layers that ``add_projections`` takes.
    attention: tuple[str, ...]

    def blocks_in(self, params: Params) -> int:
        """How many blocks of this layout there are."""
        first = f"{self.block}0.{self.hidden[0]}.weight"
        return count_numbered(params, self.block) if first in params else 0

    def add_block(self, builder: SpecBuilder, layer: int, heads: int) -> None:
        """One block: norm and attention, norm and perceptron."""
        block = f"{self.block}{layer}"
        entries = add_heads(builder, str(layer), heads)
        builder.layer_norm(f"{block}.{self.norms[0]}", STREAM)
        projections = [f"{block}.{name}" for name in self.attention]
        if len(projections) == 1:
            add_torch_attention(builder, f"{projections[0]}.", entries, STREAM)
        else:
            add_projections(builder, projections, entries, STREAM)
        builder.layer_norm(f"{block}.{self.norms[1]}", STREAM)
        builder.dense(f"{block}.{self.hidden[0]}", STREAM, f"{layer}.mlp")
        builder.dense(f"{block}.{self.hidden[1]}", f"{layer}.mlp", STREAM)


_TORCHVISION = _Names(
    class_token="class_token",
    positions="encoder.pos_embedding",
    patches="conv_proj",
    block="encoder.layers.encoder_layer_",
    norms=("ln_1", "ln_2"),
    hidden=("mlp.0", "mlp.3"),
    last_norm="encoder.ln",
    head="heads.head",
    attention=("self_attention",),
)

_HUGGINGFACE = _Names(
    class_token="vit.embeddings.cls_token",
    positions="vit.embeddings.position_embeddings",
    patches="vit.embeddings.patch_embeddings.projection",
    block="vit.encoder.layer.",
    norms=("layernorm_before", "layernorm_after"),
    hidden=("intermediate.dense", "output.dense"),
    last_norm="vit.layernorm",
    head="classifier",
    attention=(
        "attention.attention.query",
        "attention.attention.key",
        "attention.attention.value",
        "attention.output.dense",
    ),
)

_LAYOUTS: dict[Layout, _Names] = {
    "torchvision": _TORCHVISION,
    "torchvision-file": replace(_TORCHVISION, hidden=("mlp.linear_1", "mlp.linear_2")),
    "timm": _Names(
        class_token="cls_token",
        positions="pos_embed",
        patches="patch_embed.proj",
        block="blocks.",
        norms=("norm1", "norm2"),
        hidden=("mlp.fc1", "mlp.fc2"),
        last_norm="norm",
        head="head",
        attention=("attn.qkv", "attn.proj"),
    ),
    "huggingface": _HUGGINGFACE,
    "huggingface-5": replace(
        _HUGGINGFACE,
        block="vit.layers.",
        hidden=("mlp.fc1", "mlp.fc2"),
        attention=("attention.q_proj", "attention.k_proj", "attention.v_proj", "attention.o_proj"),
    ),
}


@_arguments.checked(layers=1, heads=1)
def vit(layers: int = 12, heads: int = 12, *, layout: Layout = "torchvision") -> PermutationSpec:
    """Spec of a vision transformer with a class token and a linear head.

    Parameters
    ----------
    layers : int
        Number of blocks: 12 for B/16 and B/32, 24 for L/16 and L/32, 32 for H/14.
    heads : int
        Number of attention heads: 12, 16, 16.
    layout : {"torchvision", "torchvision-file", "timm", "huggingface", "huggingface-5"}
        Whose names: ``encoder.layers.encoder_layer_0.self_attention.in_proj_weight`` (``vit_b_16`` of torchvision,
        or its published file, which calls the linear layers ``mlp.linear_1`` and ``mlp.linear_2``),
        ``blocks.0.attn.qkv.weight``, or ``vit.encoder.layer.0.attention.attention.query.weight``
        (``ViTForImageClassification`` in files; transformers 5 calls it ``vit.layers.0.attention.q_proj.weight``
        in memory, "huggingface-5").

    Returns
    -------
    PermutationSpec
        ``stream``, one permutation for the whole residual stream: patches, tokens, positions, norms and head; and
        in block L ``L.heads`` with ``L.qk`` and ``L.vo`` within each head, and ``L.mlp``.

    Notes
    -----
    Dosovitskiy et al. 2021, *An image is worth 16x16 words*.

    Examples
    --------
    >>> import rebasin_fast as rf
    >>> rf.specs.vit(1, heads=3).permutations
    ('stream', '0.heads', '0.qk', '0.vo', '0.mlp')
    """
    names = _LAYOUTS[layout]
    builder = SpecBuilder()
    builder.parameter(names.class_token, None, None, STREAM)
    builder.parameter(names.positions, None, None, STREAM)
    builder.convolution(names.patches, None, STREAM, bias=True)
    for layer in range(layers):
        names.add_block(builder, layer, heads)
    builder.layer_norm(names.last_norm, STREAM)
    builder.dense(names.head, STREAM, None)
    return builder.build()


def recognise(params: Params, hints: Hints = NO_HINTS) -> PermutationSpec | None:
    """The spec of a vision transformer in one of the layouts; ``heads`` is needed."""
    for layout, names in _LAYOUTS.items():
        layers = names.blocks_in(params)
        if names.class_token in params and layers:
            width = params[names.class_token].shape[-1]
            heads = needed_heads(hints, f"a vision transformer of {layers} layers and width {width}")
            return vit(layers, heads, layout=layout)
    return None
