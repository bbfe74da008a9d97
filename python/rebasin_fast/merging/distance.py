"""How far apart two sets of parameters are."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod, sqrt

from rebasin_fast._arrays import library_of, of_one_library
from rebasin_fast.files.mapping.unchanged import refuses_changed_files
from rebasin_fast.merging.same_names import check_same_names, is_interpolated
from rebasin_fast.typing import Array, Params

_PIECE = 1 << 20


@refuses_changed_files
def l2_distance(params_a: Params, params_b: Params) -> float:
    """Euclidean distance over all floating-point parameters, in float64.

    Parameters
    ----------
    params_a, params_b : Mapping[str, array]
        Equal names and shapes; NumPy, torch, JAX or CuPy arrays. Not changed.

    Returns
    -------
    float
        The root of the sum of |a - b|^2; integer and boolean parameters do not count.

    Raises
    ------
    ParamsError
        Names or shapes differ.

    Notes
    -----
    O(size of the parameters); arrays are widened in pieces of about a million entries.

    Examples
    --------
    >>> import numpy as np
    >>> from rebasin_fast.merging.distance import l2_distance
    >>> l2_distance({"w": np.array([0.0, 3.0])}, {"w": np.array([4.0, 0.0])})
    5.0
    """
    check_same_names(params_a, params_b)
    total = 0.0
    for name, a in params_a.items():
        if is_interpolated(a):
            total += _squared_distance(a, params_b[name])
    return sqrt(total)


def _squared_distance(a: Array, b: Array) -> float:
    library = library_of(a)
    total = 0.0
    for pieces in _pieces(a, b):
        difference = library.blend([library.widen(piece) for piece in of_one_library(pieces)], [1.0, -1.0])
        total += library.dot(difference, difference)
    return total


def _pieces(a: Array, b: Array) -> Iterator[tuple[Array, Array]]:
    """Both arrays in the same slices of their first axis."""
    rows = a.shape[0] if a.shape else 0
    entries = prod(a.shape)
    if entries <= _PIECE:
        yield a, b
        return
    step = max(1, rows * _PIECE // entries)
    for start in range(0, rows, step):
        yield a[start : start + step], b[start : start + step]
