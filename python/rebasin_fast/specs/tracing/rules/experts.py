"""Mixtures of experts, whose routing depends on data: rules that stand in for whole modules."""

from __future__ import annotations

from rebasin_fast.specs.tracing.algebra.values import Value
from rebasin_fast.specs.tracing.registry import Call, module_rule


@module_rule(
    "transformers.models.mixtral.modeling_mixtral.MixtralSparseMoeBlock",
    "transformers.models.qwen3_moe.modeling_qwen3_moe.Qwen3MoeSparseMoeBlock",
)
def gated_experts(call: Call) -> Value:
    """Experts move with the rows of their router; each has hidden units of its own, between gate, up and down."""
    x = call.inputs[0]
    router = call.parameters["gate.weight"]
    gate_up, down = (call.parameters[f"experts.{name}"] for name in ("gate_up_proj", "down_proj"))
    stream = call.axis(x, -1)
    for weight, axis in ((router, 1), (gate_up, 2), (down, 1)):
        stream = call.unify(stream, call.axis(weight, axis))
    experts = call.axis(router, 0)
    for weight in (gate_up, down):
        experts = call.unify(experts, call.axis(weight, 0))
    hidden = call.axis(down, 2)
    if hidden is not None:
        call.unify(call.axis(gate_up, 1), call.algebra.concat([hidden, hidden]))
    call.space.together(axis for axis in (experts, hidden) if axis is not None)
    call.produced(experts, router)
    call.produced(hidden, gate_up)
    call.produced(call.axis(down, 1), down)
    return Value(x.shape, list(x.groups))
