"""Fused attention."""

from __future__ import annotations

from rebasin_fast.specs.tracing.algebra.values import Value
from rebasin_fast.specs.tracing.algebra.views import repeat_axis
from rebasin_fast.specs.tracing.registry import Call, rule
from rebasin_fast.specs.tracing.rules.einsum import contract
from rebasin_fast.specs.tracing.rules.elementwise import combine


@rule("aten.scaled_dot_product_attention")
def scaled_dot_product_attention(call: Call) -> Value:
    """``softmax(query key^T + mask) value``; queries and keys share their dimensions, values keep theirs."""
    query, key, value = (call.value(name) for name in ("query", "key", "value"))
    if call["enable_gqa"]:
        key, value = (_shared_by_queries(call, x, query.shape[-3]) for x in (key, value))
    lead = [("lead", axis) for axis in range(len(query.shape) - 2)]
    queries, keys = [*lead, "query", "dim"], [*lead, "key", "dim"]
    scores = contract(call, [(query, queries), (key, keys)], [*lead, "query", "key"])
    if call["is_causal"]:
        call.freeze_axis(scores, -1)
        call.freeze_axis(scores, -2)
    if call.has("attn_mask"):
        scores = combine(call, [scores, call.value("attn_mask")], scores.shape)
    if len(query.shape) > 2:
        _name_heads(call, query, value)
    call.axis(scores, -1)
    return contract(
        call, [(scores, [*lead, "query", "key"]), (value, [*lead, "key", "out"])], [*lead, "query", "out"]
    )


def _shared_by_queries(call: Call, value: Value, heads: int) -> Value:
    """Each head of keys or values repeated for the query heads that share it."""
    axis = len(value.shape) - 3
    times = heads // value.shape[axis]
    return value if times == 1 else repeat_axis(call.space, value, axis, times, call.reason, in_place=True)


def _name_heads(call: Call, query: Value, value: Value) -> None:
    for tensor, axis, name in ((query, -3, "heads"), (query, -1, "qk"), (value, -1, "vo")):
        x = call.axis(tensor, axis)
        if x is not None:
            call.trace.name_hints.setdefault(x, name)
