"""Permutation specs derived from a model's own program."""

from rebasin_fast.specs.tracing import rules
from rebasin_fast.specs.tracing.algebra.values import Group, Value
from rebasin_fast.specs.tracing.registry import Call, register_rule
from rebasin_fast.specs.tracing.report import FrozenAxis, TracedSpec
from rebasin_fast.specs.tracing.trace import trace_spec

__all__ = ["Call", "FrozenAxis", "Group", "TracedSpec", "Value", "register_rule", "rules", "trace_spec"]
