"""Arithmetic in half precision: numbers held in float32, and rounded after each operation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._arrays.elements import rounded_to_bfloat16
from rebasin_fast.errors import ParamsError

NAMES = ("float16", "bfloat16", "float32", "float64")
# The bits of a float64 behind those of float32: the first alone is half a unit in the last place.
_HALF = 1 << 28
_SPLIT = float((1 << 27) + 1)


@dataclass(frozen=True)
class Precision:
    """The element type in which a rule computes, as torch does on a CPU: operands as they are, results rounded."""

    name: str

    @property
    def wide(self) -> np.dtype[Any]:
        """The type of the arrays that hold such numbers."""
        return np.dtype(np.float64 if self.name == "float64" else np.float32)

    def rounded(self, values: NDArray[Any]) -> NDArray[Any]:
        """``values``, of the type :attr:`wide`, each the nearest number of this precision."""
        if self.name == "bfloat16":
            return rounded_to_bfloat16(values)
        if self.name == "float16":
            with np.errstate(over="ignore", invalid="ignore"):
                return values.astype(np.float16).astype(np.float32)
        return values

    def scalar(self, value: float) -> NDArray[Any]:
        """One number of this precision."""
        return self.rounded(np.asarray(value, self.wide))

    def sum(self, arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """The sum over models, one after the other, rounded once."""
        total = np.zeros_like(arrays[0])
        for term in arrays:
            total = total + term
        return self.rounded(total)


def fused(product_of: NDArray[Any], factor: NDArray[Any], term: NDArray[Any]) -> NDArray[Any]:
    """``product_of * factor + term``, rounded once to their type, as the processor's instruction does it.

    In float64, of which NumPy has no wider type everywhere, the product and the sum are kept in two parts each.
    """
    if term.dtype == np.float32:
        product = product_of.astype(np.float64) * factor  # exact
        total, lost = _sum_and_error(product, term.astype(np.float64))
        # Half-way between two numbers of float32 the part that was lost decides.
        halfway = (total.view(np.uint64) & np.uint64(_HALF * 2 - 1)) == np.uint64(_HALF)
        nudged = np.nextafter(total, np.copysign(np.inf, lost))
        return np.where(halfway & (lost != 0), nudged, total).astype(np.float32)
    high = product_of * factor
    (a, a_low), (b, b_low) = _halves(product_of), _halves(factor)
    low = ((a * b - high) + a * b_low + a_low * b) + a_low * b_low
    total, lost = _sum_and_error(high, term)
    rounded: NDArray[Any] = total + (lost + low)
    return rounded


def _sum_and_error(a: NDArray[Any], b: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The rounded sum, and what rounding took from it (Knuth's two-sum)."""
    total = a + b
    of_b = total - a
    return total, (a - (total - of_b)) + (b - of_b)


def _halves(value: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Two numbers of 26 bits with the sum ``value`` (Dekker's split)."""
    scaled = value * _SPLIT
    high = scaled - (scaled - value)
    return high, value - high


def promoted(name: str, dtypes: Iterable[str]) -> Precision:
    """The precision that holds the numbers of all ``dtypes``; ParamsError where no rule computes in one of them."""
    found = set(dtypes)
    unknown = sorted(found - set(NAMES))
    if unknown:
        raise ParamsError(
            f"parameter {name!r} is of {unknown[0]}, in which no rule computes ({', '.join(NAMES)}). Convert them "
            "first, or give dtype='float16' (--dtype float16)"
        )
    if len(found) == 1:
        return Precision(found.pop())
    return Precision("float64" if "float64" in found else "float32")
