"""Permutation specs derived from a model's own program."""

from rebasin_fast.tracing import rules
from rebasin_fast.tracing.report import FrozenAxis, TracedSpec
from rebasin_fast.tracing.trace import trace_spec

__all__ = ["FrozenAxis", "TracedSpec", "rules", "trace_spec"]
