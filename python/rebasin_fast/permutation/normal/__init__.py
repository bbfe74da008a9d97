"""Normal form: gains in their readers, writers centred, scales and linear maps balanced."""

from rebasin_fast.permutation.normal.method import normalise
from rebasin_fast.permutation.normal.result import Normalised, Step

__all__ = ["Normalised", "Step", "normalise"]
