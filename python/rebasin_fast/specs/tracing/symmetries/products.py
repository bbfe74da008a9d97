"""Laws of matrix products, convolutions and attention."""

from __future__ import annotations

from rebasin_fast.specs.tracing.contraction import Contraction, Snapshot
from rebasin_fast.specs.tracing.symmetries.functions import IDENTITY
from rebasin_fast.specs.tracing.symmetries.handlers import Operation, law
from rebasin_fast.specs.tracing.symmetries.laws import Unknown, unknowns


@law("linear addmm baddbmm addmv mm bmm matmul mv dot vdot einsum outer scaled_dot_product_attention")
def product(operation: Operation) -> None:
    """Contractions, and a bias that is added to the last."""
    contractions = operation.executed.contractions
    if not contractions or (operation.call["attn_mask"] is not None and _has_units(operation, "attn_mask")):
        operation.give_up()
        return
    _repeat_shared(operation)
    bias = _bias(operation)
    for contraction in contractions:
        contract(operation, contraction, bias)
    if operation.name == "scaled_dot_product_attention":  # the softmax reads scores as they are
        operation.laws.give_up([contractions[0].product], operation.reason)
    last = contractions[-1].product
    for result in operation.executed.results:
        if result.value is not last.value:
            operation.laws.moved(last, result, operation.reason)
        if bias is not None:
            _add_bias(operation, bias, result)


def _repeat_shared(operation: Operation) -> None:
    """Keys and values that several heads of queries share are repeated in fused attention."""
    if not operation.call["enable_gqa"]:
        return
    for contraction, name in zip(operation.executed.contractions, ("key", "value"), strict=True):
        given, used = operation.argument(name), contraction.operands[1][0]
        if given is not None and given.value is not used.value:
            operation.laws.moved(given, used, operation.reason)


def _bias(operation: Operation) -> Snapshot | None:
    if operation.name in ("addmm", "baddbmm", "addmv"):
        return operation.argument("self")
    return operation.argument("bias") if operation.name == "linear" else None


def _has_units(operation: Operation, name: str) -> bool:
    found = operation.argument(name)
    return found is not None and bool(operation.laws.ports(found))


def contract(operation: Operation, contraction: Contraction, bias: Snapshot | None) -> None:
    """Units that are summed over in two operands have opposite exponents; others pass."""
    laws = operation.laws
    kept: dict[int, list[Unknown]] = {}
    summed: dict[int, list[tuple[Unknown, Snapshot, tuple[int, ...]]]] = {}
    for snapshot, labels in contraction.operands:
        for number, ports in laws.ports(snapshot).items():
            for unknown, port in zip(unknowns(snapshot.value, len(ports)), ports, strict=True):
                if all(labels[axis] in contraction.labels for axis in port.axes):
                    kept.setdefault(number, []).append(unknown)
                else:
                    summed.setdefault(number, []).append((unknown, snapshot, port.axes))
    for number, found in summed.items():
        law_, both = laws.of[number], {id(snapshot.value) for _, snapshot, _ in found}
        if len(found) == 2 and (
            len(both) == 2 or contraction.operands[0][0].value is contraction.operands[1][0].value
        ):
            law_.contracted([unknown for unknown, _, _ in found], operation.reason)
            operation.norms.read(laws, number, found[0][1:], found[1][1:], bias, operation.reason)
        else:
            law_.nothing([unknown for unknown, _, _ in found], operation.reason)
    result = laws.ports(contraction.product)
    for number, copies in result.items():
        own, given = unknowns(contraction.product.value, len(copies)), kept.get(number, [])
        if len(given) == len(own):
            for x, z in zip(given, own, strict=True):
                laws.of[number].function(x, z, IDENTITY, operation.reason)
        elif len(given) == 2 * len(own):
            for i, z in enumerate(own):
                laws.of[number].product(given[i], given[i + len(own)], z, operation.reason)
        else:
            laws.drop(number, operation.reason)


def _add_bias(operation: Operation, bias: Snapshot, result: Snapshot) -> None:
    laws = operation.laws
    for number, copies in laws.ports(result).items():
        own = laws.unknowns(bias, number)
        if len(own) != len(copies):
            laws.broken(result, [number], operation.reason) if not own else laws.drop(
                number, operation.reason
            )
            continue
        for x, z in zip(own, laws.unknowns(result, number), strict=True):
            laws.of[number].function(x, z, IDENTITY, operation.reason)


@law("conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d convolution")
def convolution(operation: Operation) -> None:
    """Inputs are summed over, outputs pass; in a depthwise convolution a factor a channel."""
    call, laws = operation.call, operation.laws
    value, weight = operation.argument("input"), operation.argument("weight")
    if value is None or weight is None:
        operation.give_up()
        return
    groups = int(call["groups"] or 1)
    transposed = "transpose" in operation.name or bool(call["transposed"])
    inputs, outputs = (0, 1) if transposed else (1, 0)
    depthwise = groups > 1 and groups == weight.value.shape[0] and weight.value.shape[1] == 1
    if groups > 1 and not depthwise:
        operation.give_up()
        return
    for number in {*laws.ports(value), *laws.ports(weight)}:
        if depthwise:
            _channelwise(operation, number, value, weight)
        else:
            _convolved(operation, number, value, weight, (inputs, outputs))
    bias = operation.argument("bias")
    if bias is not None:
        _add_bias(operation, bias, operation.result)
    operation.norms.used(laws, value, operation.reason)


def _convolved(
    operation: Operation, number: int, value: Snapshot, weight: Snapshot, axes: tuple[int, int]
) -> None:
    laws, inputs, outputs = operation.laws, *axes
    ports = laws.ports(weight).get(number, [])
    own = list(zip(unknowns(weight.value, len(ports)), ports, strict=True))
    reads = [unknown for unknown, port in own if port.axes == (inputs,)]
    writes = [unknown for unknown, port in own if port.axes == (outputs,)]
    channel = laws.unknowns(value, number)
    if reads or channel:
        if len(reads) != len(channel):
            laws.drop(number, operation.reason)
            return
        for x, y in zip(channel, reads, strict=True):
            laws.of[number].contracted((x, y), operation.reason)
        operation.norms.raw(number, operation.reason)
    results = laws.unknowns(operation.result, number) if writes else []
    if len(results) != len(writes):
        laws.drop(number, operation.reason)
        return
    for x, z in zip(writes, results, strict=True):
        laws.of[number].function(x, z, IDENTITY, operation.reason)


def _channelwise(operation: Operation, number: int, value: Snapshot, weight: Snapshot) -> None:
    laws = operation.laws
    own, factors = laws.unknowns(value, number), laws.unknowns(weight, number)
    results = laws.unknowns(operation.result, number)
    if not len(own) == len(factors) == len(results):
        laws.drop(number, operation.reason)
        return
    for x, y, z in zip(own, factors, results, strict=True):
        laws.of[number].product(x, y, z, operation.reason)
