"""Laws of views, of tensors put side by side, and of pooling."""

from __future__ import annotations

from rebasin_fast.specs.tracing.symmetries.functions import IDENTITY, POSITIVE
from rebasin_fast.specs.tracing.symmetries.handlers import Operation, law

_VIEWS = """
    view reshape _unsafe_view flatten unflatten view_as reshape_as ravel _reshape_alias permute movedim moveaxis
    transpose swapaxes swapdims t numpy_T mT adjoint squeeze unsqueeze expand expand_as broadcast_to repeat tile
    repeat_interleave slice narrow select split split_with_sizes chunk unbind flip roll tensor_split unsafe_split
    unsafe_chunk split_copy unsafe_split_with_sizes index_select
"""


@law(_VIEWS)
def viewed(operation: Operation) -> None:
    """Entries of the argument, elsewhere."""
    argument = operation.argument("self", "input")
    if argument is None:
        operation.give_up()
        return
    for result in operation.executed.results:
        operation.laws.moved(argument, result, operation.reason)
        operation.norms.moved(argument, result)


@law("embedding")
def embedded(operation: Operation) -> None:
    """Rows of a table."""
    table = operation.argument("weight")
    if table is None:
        operation.give_up()
        return
    operation.laws.moved(table, operation.result, operation.reason)
    operation.norms.used(operation.laws, table, operation.reason)


@law("index")
def indexed(operation: Operation) -> None:
    """Rows chosen by positions that are no units."""
    table = operation.argument("self")
    others = [snapshot for snapshot in operation.executed.arguments if snapshot is not table]
    if table is None or any(operation.laws.ports(snapshot) for snapshot in others):
        operation.give_up()
        return
    operation.laws.moved(table, operation.result, operation.reason)
    operation.norms.moved(table, operation.result)


@law("cat concat concatenate stack hstack vstack")
def joined(operation: Operation) -> None:
    """Copies of all, in order; or, side by side along another axis, copies of each."""
    laws, result, reason = operation.laws, operation.result, operation.reason
    parts = operation.executed.arguments
    for number, copies in laws.ports(result).items():
        given = [laws.unknowns(part, number) for part in parts]
        unknowns = laws.unknowns(result, number)
        if all(len(own) == len(copies) for own in given):
            pairs = [pair for own in given for pair in zip(own, unknowns, strict=True)]
        elif sum(map(len, given)) == len(copies):
            pairs = list(zip([x for own in given for x in own], unknowns, strict=True))
        else:
            laws.drop(number, reason)
            continue
        for x, z in pairs:
            laws.of[number].function(x, z, IDENTITY, reason)
    for part in parts:
        operation.norms.used(laws, part, reason)


@law("constant_pad_nd pad")
def padded(operation: Operation) -> None:
    """Zeros around."""
    if operation.call["value"] not in (None, 0, 0.0):
        operation.give_up()
        return
    viewed(operation)


_LINEAR_POOLING = """
    avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d
    _adaptive_avg_pool2d upsample_nearest1d upsample_nearest2d upsample_linear1d upsample_bilinear2d
    upsample_bicubic2d _upsample_nearest_exact1d
"""


@law(_LINEAR_POOLING)
def averaged(operation: Operation) -> None:
    """Weighted means over places."""
    viewed(operation)


@law("max_pool1d max_pool2d max_pool3d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d")
def largest(operation: Operation) -> None:
    """The largest entry of places."""
    argument = operation.argument("self", "input")
    if argument is None or len(operation.executed.results) > 1:
        operation.give_up()
        return
    operation.laws.function(argument, operation.result, POSITIVE, operation.reason)
    operation.norms.used(operation.laws, argument, operation.reason)
