"""Laws of sums, means and extremes over axes, and of softmax."""

from __future__ import annotations

from fractions import Fraction

from rebasin_fast.specs.tracing.symmetries.functions import IDENTITY, NEITHER, POSITIVE, Function
from rebasin_fast.specs.tracing.symmetries.handlers import Operation, law

_LENGTH = Function(0, Fraction(1))
_OVER = {
    "sum": IDENTITY, "mean": IDENTITY, "nansum": IDENTITY, "amax": POSITIVE, "amin": POSITIVE, "max": POSITIVE,
    "min": POSITIVE, "std": _LENGTH, "linalg_vector_norm": _LENGTH, "norm": _LENGTH,
    "var": Function(0, Fraction(2)),
}  # fmt: skip


@law("sum mean nansum amax amin std var linalg_vector_norm norm prod logsumexp any all count_nonzero")
def reduced(operation: Operation) -> None:
    """Units that stay pass as through a function; units that are summed over have no exponent."""
    laws, result, reason = operation.laws, operation.result, operation.reason
    argument = operation.argument("self", "input")
    if argument is None or (len(operation.executed.results) > 1 and operation.name not in ("max", "min")):
        operation.give_up()
        return
    f = _OVER.get(operation.name, NEITHER)
    kept, before = laws.ports(result), laws.ports(argument)
    for number, copies in kept.items():
        own = laws.unknowns(argument, number)
        if len(own) != len(copies):
            laws.drop(number, reason)
            continue
        for x, z in zip(own, laws.unknowns(result, number), strict=True):
            laws.of[number].function(x, z, f, reason)
    for number in before.keys() - kept.keys():
        _summed(operation, number)
    if operation.name == "mean" and kept.keys() == before.keys():
        operation.norms.moved(
            argument, result
        )  # gain and bias pass a mean of tokens, the bias no sum of them
    elif operation.name not in ("sum", "mean") or not operation.norms.is_square(argument):
        operation.norms.used(laws, argument, reason)


def _summed(operation: Operation, number: int) -> None:
    """Over all units: the squares of a vector have one sum in every orthonormal basis."""
    argument = operation.argument("self", "input")
    if argument is None:
        return
    laws, law_ = operation.laws, operation.laws.of[number]
    own = laws.unknowns(argument, number)
    whole = len(own) == 1
    if operation.name in ("sum", "mean") and whole and operation.norms.is_square(argument):
        law_.no_scales(own)
        law_.signs.zero(own[0])
        operation.norms.isometric(number)
    elif operation.name in ("linalg_vector_norm", "norm") and whole and _euclidean(operation):
        law_.no_scales(own)
        operation.norms.isometric(number)
    elif operation.name in ("linalg_vector_norm", "norm"):
        law_.no_scales(own)
        law_.bar(operation.reason)
    else:
        law_.nothing(own, operation.reason)


def _euclidean(operation: Operation) -> bool:
    order = operation.call["ord"] if "ord" in operation.call.arguments else operation.call["p"]
    return order is None or order == 2


@law("softmax log_softmax _softmax _log_softmax _safe_softmax cumsum cumprod")
def normalised(operation: Operation) -> None:
    """Softmax reads entries as they are."""
    operation.give_up()
    for argument in operation.executed.arguments:
        operation.norms.used(operation.laws, argument, operation.reason)
