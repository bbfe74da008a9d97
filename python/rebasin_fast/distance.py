"""How far apart two sets of parameters are."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

from rebasin_fast.arrays import library_of
from rebasin_fast.interpolation import check_same_names, is_interpolated

if TYPE_CHECKING:
    from rebasin_fast.typing import Params


def l2_distance(params_a: Params, params_b: Params) -> float:
    """Euclidean distance over all floating-point parameters, float64.

    Raises ParamsError where names or shapes differ. One difference of one array at a time is held in memory.
    """
    check_same_names(params_a, params_b)
    total = 0.0
    for name, a in params_a.items():
        if is_interpolated(a):
            library = library_of(a)
            difference = library.blend([library.widen(a), library.widen(params_b[name])], [1.0, -1.0])
            total += library.dot(difference, difference)
    return sqrt(total)
