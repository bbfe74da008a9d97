"""Matrix products, distances and similarities."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from rebasin_fast.specs.tracing.algebra.values import Value
from rebasin_fast.specs.tracing.algebra.views import transposed
from rebasin_fast.specs.tracing.registry import Call, rule
from rebasin_fast.specs.tracing.rules.einsum import contract
from rebasin_fast.specs.tracing.rules.elementwise import combine
from rebasin_fast.specs.tracing.rules.reductions import reduce_axes


@rule("aten.linear")
def linear(call: Call) -> Value:
    """``input @ weight.T + bias``."""
    value, weight = call.value("input"), call.value("weight")
    lead = [("lead", axis) for axis in range(len(value.shape) - 1)]
    outputs = ["out"] * (len(weight.shape) - 1)
    result = contract(call, [(value, [*lead, "in"]), (weight, [*outputs, "in"])], [*lead, *outputs])
    if outputs:
        call.produced(call.axis(weight, 0), weight)
    return _plus(call, result, call["bias"])


@rule("aten.addmm", "aten.baddbmm", "aten.addmv")
def addmm(call: Call) -> Value:
    """``self + mat1 @ mat2``."""
    first, second = call.given("mat1", "mat2", "batch1", "batch2", "mat", "vec")
    return _plus(call, _matmul(call, first, second), call.input)


@rule("aten.mm", "aten.bmm", "aten.matmul", "aten.mv", "aten.dot", "aten.vdot")
def matmul(call: Call) -> Value:
    """``self @ other``, batched or not."""
    (other,) = call.given("mat2", "other", "vec", "tensor")
    return _matmul(call, call.input, other)


@rule("aten.cdist", "aten._cdist_forward", "aten._euclidean_dist")
def distances(call: Call) -> Value:
    """Distances of all rows of one tensor from all of another: sums over their common axis."""
    return _matmul(call, call.value("x1"), transposed(call.value("x2")))


@rule("aten.cosine_similarity", "aten.pairwise_distance")
def similarity(call: Call) -> Value:
    """Entries that meet under broadcasting, then a sum over one axis."""
    first, second = call.given("x1", "x2", "self", "other")
    axis = 1 if call.operation.startswith("aten.cosine") else -1
    axis = axis if call["dim"] is None else call["dim"]
    both = combine(call, [first, second], np.broadcast_shapes(first.shape, second.shape))
    return reduce_axes(call, both, [axis], bool(call["keepdim"]))


@rule("aten.outer")
def outer(call: Call) -> Value:
    """Every entry of one vector with every entry of another."""
    return contract(call, [(call.value("self"), ["a"]), (call.value("vec2"), ["b"])], ["a", "b"])


@rule("aten.bilinear")
def bilinear(call: Call) -> Value:
    """``x1 W x2 + bias``."""
    x, y, weight = call.value("input1"), call.value("input2"), call.value("weight")
    lead = [("lead", axis) for axis in range(len(x.shape) - 1)]
    operands: list[tuple[Value, list[Hashable]]] = [
        (x, [*lead, "i"]),
        (weight, ["o", "i", "j"]),
        (y, [*lead, "j"]),
    ]
    result = contract(call, operands, [*lead, "o"])
    call.produced(call.axis(weight, 0), weight)
    return _plus(call, result, call["bias"])


@rule("aten.einsum")
def einsum(call: Call) -> Value:
    """Einstein's notation, with an ellipsis perhaps."""
    values = list(call["tensors"])
    inputs, arrow, output = call["equation"].replace(" ", "").partition("->")
    terms = inputs.split(",")
    spans = [len(v.shape) - len(t.replace("...", "")) for t, v in zip(terms, values, strict=True)]
    widest = max((span for t, span in zip(terms, spans, strict=True) if "..." in t), default=0)
    labelled = [_labels(term, span, widest) for term, span in zip(terms, spans, strict=True)]
    result: list[Hashable]
    if arrow:
        result = _labels(output, widest, widest)
    else:
        letters = inputs.replace(",", "").replace("...", "")
        single = sorted(letter for letter in set(letters) if letters.count(letter) == 1)
        result = [*(("...", i) for i in range(widest)), *single]
    return contract(call, list(zip(values, labelled, strict=True)), result)


def _labels(term: str, span: int, widest: int) -> list[Hashable]:
    """One label an axis; the axes of an ellipsis are numbered from the right."""
    before, dots, after = term.partition("...")
    if not dots:
        return list(term)
    return [*before, *(("...", widest - span + i) for i in range(span)), *after]


def _matmul(call: Call, a: Value, b: Value) -> Value:
    rank = max(len(a.shape), len(b.shape)) - 2
    lead_a = [("lead", rank - len(a.shape) + 2 + i) for i in range(len(a.shape) - 2)]
    lead_b = [("lead", rank - len(b.shape) + 2 + i) for i in range(len(b.shape) - 2)]
    rows = ["row"] if len(a.shape) > 1 else []
    columns = ["column"] if len(b.shape) > 1 else []
    lead = [("lead", i) for i in range(max(rank, 0))]
    result = contract(
        call, [(a, [*lead_a, *rows, "sum"]), (b, [*lead_b, "sum", *columns])], [*lead, *rows, *columns]
    )
    if columns and b.parameter:
        call.produced(call.axis(b, len(b.shape) - 1), b)
    elif rows and a.parameter:
        call.produced(call.axis(a, len(a.shape) - 2), a)
    return result


def _plus(call: Call, result: Value, bias: Value | None) -> Value:
    return result if bias is None else combine(call, [result, bias], result.shape)
