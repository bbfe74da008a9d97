"""Laws of operations entry by entry."""

from __future__ import annotations

from rebasin_fast.specs.tracing.contraction import Snapshot
from rebasin_fast.specs.tracing.symmetries.functions import (
    EVEN,
    IDENTITY,
    NEITHER,
    POSITIVE,
    Function,
    clamp,
    function_named,
    power,
)
from rebasin_fast.specs.tracing.symmetries.handlers import Operation, law
from rebasin_fast.specs.tracing.symmetries.laws import Unknown

_UNARY = """
    acos acosh alias asin asinh atan atanh abs ceil celu clone contiguous cos cosh deg2rad detach dropout
    alpha_dropout feature_dropout elu erf erfc erfinv exp exp2 expm1 floor frac gelu hardshrink hardsigmoid
    hardswish leaky_relu lift lift_fresh lift_fresh_copy log log10 log1p log2 log_sigmoid logit mish neg
    negative positive rad2deg reciprocal relu relu6 round rsqrt selu sgn sigmoid sign silu sin sinc sinh
    softplus softshrink sqrt square tan tanh tanhshrink trunc to type_as _to_copy native_dropout bfloat16 half
    float double atanh requires_grad
"""


@law(_UNARY)
def unary(operation: Operation) -> None:
    """A function of one tensor."""
    argument = operation.argument("self", "input")
    if argument is None:
        operation.give_up()
        return
    of_function(operation, argument, function_named(operation.name))


def of_function(operation: Operation, argument: Snapshot, f: Function) -> None:
    """Every result as a function of the argument."""
    for result in operation.executed.results:
        operation.laws.function(argument, result, f, operation.reason)
        if f is IDENTITY:
            operation.norms.moved(argument, result)
            continue
        operation.norms.used(operation.laws, argument, operation.reason)
        if f.square:
            operation.norms.squared(result)


@law("clamp clip hardtanh clamp_min clamp_max threshold")
def cut(operation: Operation) -> None:
    """Entries cut at constants."""
    call, argument = operation.call, operation.argument("self")
    low, high = call["min"], call["max"]
    if operation.name.startswith("hardtanh"):
        low, high = call["min_val"], call["max_val"]
    if operation.name.startswith("threshold"):
        low, high = (0, None) if call["threshold"] == 0 == call["value"] else (1, None)
    if argument is None or len(operation.executed.arguments) > 1:
        operation.give_up()
    else:
        of_function(operation, argument, clamp(low, high))


@law("add sub subtract rsub")
def added(operation: Operation) -> None:
    """Terms of a sum: each has the exponents of the result; a constant other than 0 has none."""
    laws, result, reason = operation.laws, operation.result, operation.reason
    terms = operation.executed.arguments
    plain = operation.call["other"]
    alone = len(terms) < 2 and not (isinstance(plain, int | float) and plain == 0)
    for number, copies in laws.ports(result).items():
        sources = [laws.unknowns(term, number) for term in terms]
        if alone or not all(sources):
            laws.broken(result, [number], reason)
            for term in terms:
                laws.broken(term, [number], reason)
            continue
        if any(len(source) != len(copies) for source in sources):
            laws.drop(number, reason)
            continue
        for source in sources:
            for x, y in zip(source, laws.unknowns(result, number), strict=True):
                laws.of[number].function(x, y, IDENTITY, reason)
    for term in terms:
        operation.norms.used(laws, term, reason)


@law("mul multiply div divide true_divide")
def multiplied(operation: Operation) -> None:
    """Factors: the exponents of the result are their sum; a factor without the units leaves them as they are."""
    laws, result, reason = operation.laws, operation.result, operation.reason
    first, second = operation.argument("self"), operation.argument("other")
    divided = operation.name.startswith(("div", "true_div"))
    if operation.call["rounding_mode"] is not None:
        operation.give_up()
        return
    if first is not None and second is not None and first.value is second.value and not divided:
        of_function(operation, first, power(2))
        return
    gain = None if divided else operation.norms.gained(laws, first, second, result)
    for number, copies in laws.ports(result).items():
        a = laws.unknowns(first, number) if first is not None else []
        b = laws.unknowns(second, number) if second is not None else []
        if any(given and len(given) != len(copies) for given in (a, b)):
            laws.drop(number, reason)
            continue
        for i, z in enumerate(laws.unknowns(result, number)):
            _factors(
                operation, number, a[i] if a else None, b[i] if b else None, z, -1 if divided else 1, gain
            )
    for factor in (first, second):
        if factor is not None and gain is None:
            _scaled(operation, factor, result)


def _factors(
    operation: Operation,
    number: int,
    a: Unknown | None,
    b: Unknown | None,
    z: Unknown,
    sign: int,
    gain: Snapshot | None,
) -> None:
    law = operation.laws.of[number]
    if a is not None and b is not None:
        before = law.barred
        law.product(a, b, z, operation.reason, sign)
        if gain is not None:
            law.barred = before
            law.matrices.equal(z, b if gain.value is operation.call["self"] else a)
    elif a is not None:
        law.function(a, z, IDENTITY, operation.reason)
    elif b is not None:
        law.function(b, z, IDENTITY if sign == 1 else function_named("reciprocal"), operation.reason)


def _scaled(operation: Operation, factor: Snapshot, result: Snapshot) -> None:
    """A norm's output times a number a token is no output of the norm any more: its gain reaches further."""
    one_number = len(operation.executed.arguments) == 1
    if one_number:
        operation.norms.moved(factor, result)
    else:
        operation.norms.used(operation.laws, factor, operation.reason)


@law("pow")
def powered(operation: Operation) -> None:
    """A constant power."""
    argument, exponent = operation.argument("self"), operation.call["exponent"]
    if argument is None or len(operation.executed.arguments) > 1:
        operation.give_up()
        return
    of_function(operation, argument, power(exponent))


@law("maximum minimum fmax fmin max min")
def extreme(operation: Operation) -> None:
    """The larger or smaller of two, or the extreme along an axis."""
    from rebasin_fast.specs.tracing.symmetries.reductions import reduced

    if operation.argument("other") is None:
        reduced(operation)
        return
    for term in operation.executed.arguments:
        operation.norms.used(operation.laws, term, operation.reason)
        operation.laws.function(term, operation.result, POSITIVE, operation.reason)
    _uniform_terms(operation)


def _uniform_terms(operation: Operation) -> None:
    """A term that lacks units of the result is the same for all of them."""
    laws = operation.laws
    for number in laws.ports(operation.result):
        if not all(laws.unknowns(term, number) for term in operation.executed.arguments):
            laws.broken(operation.result, [number], operation.reason)


@law("prelu")
def prelu(operation: Operation) -> None:
    """Slopes of the negative part, which are positive numbers of no unit's scale."""
    laws, value, slope = operation.laws, operation.argument("self"), operation.argument("weight")
    if value is None or slope is None:
        operation.give_up()
        return
    of_function(operation, value, POSITIVE)
    laws.broken(slope, laws.ports(slope), operation.reason)


@law(
    "eq ne gt ge lt le greater greater_equal less less_equal not_equal isnan isinf isfinite logical_not sign_bit"
)
def compared(operation: Operation) -> None:
    """Truth values."""
    for argument in operation.executed.arguments:
        of_function(operation, argument, NEITHER if len(operation.executed.arguments) > 1 else EVEN)
        operation.laws.give_up([argument, operation.result], operation.reason)


@law("_assert_tensor_metadata zeros ones full empty new_zeros new_ones new_full new_empty zeros_like ones_like "
     "full_like empty_like scalar_tensor arange sym_size size linspace eye")  # fmt: skip
def nothing_read(operation: Operation) -> None:
    """The entries of the arguments are not read."""
