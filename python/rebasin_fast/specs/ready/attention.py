"""Multi-head attention, and the transformer blocks around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rebasin_fast import _arguments
from rebasin_fast.specs.axis import Concat, Entry
from rebasin_fast.specs.reading.hints import NO_HINTS, Hints, needed_heads
from rebasin_fast.specs.ready.fragments import SpecBuilder
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.typing import Params


@dataclass(frozen=True, slots=True)
class HeadEntries:
    """Axis entries of the outputs of the query, key and value projections.

    Heads move as wholes. A query meets its key in an inner product, so that the two share the permutation within a
    head; a value meets the output projection, and has another.
    """

    query: Entry
    value: Entry

    @property
    def stacked(self) -> Concat:
        """Query, key and value in one array, one after the other."""
        return Concat(self.query, self.query, self.value)


def add_heads(builder: SpecBuilder, name: str, heads: int) -> HeadEntries:
    """The entries of one attention layer: ``NAME.heads``, and within each head ``NAME.qk`` and ``NAME.vo``."""
    return HeadEntries(
        query=builder.nested(f"{name}.heads", heads, f"{name}.qk"),
        value=builder.nested(f"{name}.heads", heads, f"{name}.vo"),
    )


def add_torch_attention(
    builder: SpecBuilder, prefix: str, entries: HeadEntries, stream: Entry, *, bias: bool = True
) -> None:
    """``torch.nn.MultiheadAttention`` of one embedding size: ``in_proj_weight``, ``out_proj``."""
    builder.parameter(f"{prefix}in_proj_weight", entries.stacked, stream)
    if bias:
        builder.parameter(f"{prefix}in_proj_bias", entries.stacked)
    builder.dense(f"{prefix}out_proj", entries.value, stream, bias=bias)


def add_projections(builder: SpecBuilder, names: Sequence[str], entries: HeadEntries, stream: Entry) -> None:
    """Linear layers of query, key, value and output; of two names the first is query, key and value stacked."""
    *inputs, output = names
    moved = [entries.stacked] if len(inputs) == 1 else [entries.query, entries.query, entries.value]
    for name, entry in zip(inputs, moved, strict=True):
        builder.dense(name, stream, entry)
    builder.dense(output, entries.value, stream)


@_arguments.checked(heads=1)
def multihead_attention(
    heads: int, *, name: str = "", separate: bool = False, bias: bool = True, bias_kv: bool = False
) -> PermutationSpec:
    """Spec of ``torch.nn.MultiheadAttention`` by itself: its inputs and outputs do not move.

    Parameters
    ----------
    heads : int
    name : str
        Name of the module; "" for its own ``state_dict``.
    separate : bool
        With ``kdim`` or ``vdim``: ``q_proj_weight``, ``k_proj_weight``, ``v_proj_weight``.
    bias, bias_kv : bool
        As the module was made (``add_bias_kv``).

    Returns
    -------
    PermutationSpec
        ``heads``, ``qk`` and ``vo`` (after the name and a dot). The averaged attention weights do not move either.

    Examples
    --------
    >>> import rebasin_fast as rf
    >>> rf.specs.multihead_attention(4).axes_to_perm["out_proj.weight"]
    (None, Product(outer='attention.heads', inner='attention.vo'))
    """
    builder = SpecBuilder()
    prefix = f"{name}." if name else ""
    entries = add_heads(builder, name or "attention", heads)
    if separate:
        builder.parameter(f"{prefix}q_proj_weight", entries.query, None)
        builder.parameter(f"{prefix}k_proj_weight", entries.query, None)
        builder.parameter(f"{prefix}v_proj_weight", entries.value, None)
        if bias:
            builder.parameter(f"{prefix}in_proj_bias", entries.stacked)
        builder.dense(f"{prefix}out_proj", entries.value, None, bias=bias)
    else:
        add_torch_attention(builder, prefix, entries, None, bias=bias)
    if bias_kv:
        builder.parameter(f"{prefix}bias_k", None, None, entries.query)
        builder.parameter(f"{prefix}bias_v", None, None, entries.value)
    return builder.build()


def recognise(params: Params, hints: Hints = NO_HINTS) -> PermutationSpec | None:
    """The spec of one ``torch.nn.MultiheadAttention`` and nothing else."""
    output = [name for name in params if name == "out_proj.weight" or name.endswith(".out_proj.weight")]
    if len(output) != 1:
        return None
    prefix = output[0].removesuffix("out_proj.weight")
    separate = f"{prefix}q_proj_weight" in params
    if not separate and f"{prefix}in_proj_weight" not in params:
        return None
    if any(not name.startswith(prefix) for name in params):
        return None
    if any("." in name.removeprefix(prefix).removeprefix("out_proj.") for name in params):
        return None
    heads = needed_heads(hints, f"an attention layer of {params[output[0]].shape[0]} channels")
    return multihead_attention(
        heads,
        name=prefix.removesuffix("."),
        separate=separate,
        bias=f"{prefix}in_proj_bias" in params,
        bias_kv=f"{prefix}bias_k" in params,
    )
