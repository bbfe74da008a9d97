"""Parity and homogeneity of functions that act entry by entry.

A sign or a positive scale of a unit passes a function when f(s x) = s^k f(x): k = 1 for odd functions and signs, for
homogeneous functions and scales; k = 0 for even functions and signs.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Function:
    """Exponents that pass from the argument to the result; None where the argument may have none."""

    sign: int | None = None
    scale: Fraction | None = None
    linear: bool = False  # the identity, or a multiple of it: matrices pass
    square: bool = False  # a sum of them all is the same in every orthonormal basis


_ONE = Fraction(1)
IDENTITY = Function(1, _ONE, linear=True)
ODD = Function(1, None)
EVEN = Function(0, None)
POSITIVE = Function(None, _ONE)  # positively homogeneous
NEITHER = Function()

_BY_NAME = {
    **dict.fromkeys(
        [
            "alias",
            "clone",
            "contiguous",
            "detach",
            "lift",
            "lift_fresh",
            "lift_fresh_copy",
            "to",
            "type_as",
            "_to_copy",
            "dropout",
            "feature_dropout",
            "native_dropout",
            "bfloat16",
            "half",
            "float",
            "double",
            "neg",
            "negative",
            "data",
            "positive",
            "conj",
            "resolve_conj",
            "resolve_neg",
            "deg2rad",
            "rad2deg",
            "requires_grad",
        ],
        IDENTITY,
    ),
    **dict.fromkeys(
        [
            "asin",
            "asinh",
            "atan",
            "erf",
            "erfinv",
            "sin",
            "sinh",
            "tan",
            "tanh",
            "tanhshrink",
            "atanh",
            "round",
            "trunc",
            "softshrink",
            "hardshrink",
            "frac",
        ],
        ODD,
    ),
    **dict.fromkeys(["cos", "cosh", "sinc", "isfinite", "isinf", "isnan"], EVEN),
    **dict.fromkeys(["relu", "leaky_relu"], POSITIVE),
    "abs": Function(0, _ONE),
    "square": Function(0, Fraction(2), square=True),
    "sqrt": Function(None, Fraction(1, 2)),
    "rsqrt": Function(None, Fraction(-1, 2)),
    "reciprocal": Function(1, Fraction(-1)),
    "sign": Function(1, Fraction(0)),
    "sgn": Function(1, Fraction(0)),
}


def function_named(name: str) -> Function:
    """The function of an operation's packet, such as ``tanh``; in-place forms too."""
    return _BY_NAME.get(name, _BY_NAME.get(name.removesuffix("_"), NEITHER))


def power(exponent: object) -> Function:
    """X to a constant power."""
    if isinstance(exponent, int | float) and not isinstance(exponent, bool):
        if float(exponent).is_integer():
            whole = int(exponent)
            return Function(whole % 2, Fraction(whole), linear=whole == 1, square=whole == 2)
        return Function(None, Fraction(exponent).limit_denominator(1024))
    return NEITHER


def clamp(lowest: object, highest: object) -> Function:
    """X cut at constants: ReLU where the one bound is 0, odd where the bounds are opposite."""
    if (highest is None and lowest == 0) or (lowest is None and highest == 0):
        return POSITIVE
    if isinstance(lowest, int | float) and isinstance(highest, int | float) and lowest == -highest:
        return ODD
    return NEITHER
