"""Permutation specs derived from a model's own program; see :mod:`rebasin_fast.specs.tracing`."""

from rebasin_fast.specs.tracing import (
    Call,
    FrozenAxis,
    Group,
    TracedSpec,
    Value,
    register_rule,
    rules,
    trace_spec,
)

__all__ = ["Call", "FrozenAxis", "Group", "TracedSpec", "Value", "register_rule", "rules", "trace_spec"]
