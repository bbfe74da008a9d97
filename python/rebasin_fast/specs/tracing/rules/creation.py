"""Tensors made from no other: uniform ones take any order, numbered ones are frozen."""

from __future__ import annotations

from rebasin_fast.specs.tracing.algebra.values import Group, Value
from rebasin_fast.specs.tracing.registry import Call, rule
from rebasin_fast.specs.tracing.rules.elementwise import combine


@rule("aten.zeros", "aten.ones", "aten.full", "aten.empty", "aten.new_zeros", "aten.new_ones", "aten.new_full",
      "aten.new_empty", "aten.zeros_like", "aten.ones_like", "aten.full_like", "aten.empty_like",
      "aten.scalar_tensor", "aten.fill", "aten.zero")  # fmt: skip
def uniform(call: Call) -> Value:
    """The same number everywhere."""
    if call["written"]:  # through a view, later: entries will differ
        groups = [Group(call.algebra.leaf(n), (axis,)) for axis, n in enumerate(call.shape) if n > 1]
        return Value(call.shape, groups, constant=True)
    return Value(call.shape, constant=True)


@rule("aten.rand", "aten.randn", "aten.rand_like", "aten.randn_like", "aten.normal", "aten.exponential",
      "aten.uniform")  # fmt: skip
def noise(call: Call) -> Value:
    """Independent draws of one distribution, which in any order are such draws; drawn about a value, as that is."""
    drawn_about = [value for name in ("mean", "std") if isinstance(value := call[name], Value)]
    return combine(call, drawn_about, call.shape) if drawn_about else uniform(call)


@rule("aten.arange", "aten.linspace", "aten.eye", "aten.tril_indices", "aten.triu_indices", "aten.logspace",
      "aten.randint", "aten.randperm", "aten.hann_window")  # fmt: skip
def numbered(call: Call) -> Value:
    """Entries that differ from one another."""
    value = call.space.frozen(call.shape, call.reason)
    value.constant = True
    return value


@rule("aten.tril", "aten.triu", "aten.diagonal", "aten.diag", "aten.diag_embed", "aten.meshgrid", "aten.one_hot",
      "aten.bucketize", "aten.searchsorted", "aten.unfold", "aten.scatter", "aten.gather")  # fmt: skip
def positional(call: Call) -> object:
    """Results that depend on the numbers of entries: nothing may move."""
    return call.freeze_all()
