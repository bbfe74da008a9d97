"""Permutation specs derived from a model's own program."""

from rebasin_fast.tracing import rules
from rebasin_fast.tracing.registry import Call, register_rule
from rebasin_fast.tracing.report import FrozenAxis, TracedSpec
from rebasin_fast.tracing.trace import trace_spec
from rebasin_fast.tracing.values import Group, Value

__all__ = ["Call", "FrozenAxis", "Group", "TracedSpec", "Value", "register_rule", "rules", "trace_spec"]
