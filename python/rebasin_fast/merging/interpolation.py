"""The line, or the arc, between two sets of parameters."""

from __future__ import annotations

from math import acos, isfinite, sin, sqrt
from typing import Literal

from rebasin_fast import _arguments
from rebasin_fast._arrays import library_of, of_one_library
from rebasin_fast.files.mapping.unchanged import refuses_changed_files
from rebasin_fast.merging.blending import blended_params
from rebasin_fast.merging.same_names import check_same_names, is_interpolated
from rebasin_fast.typing import Array, Params

# Below this angle the arc and the line differ by less than the resolution of float32.
_SMALL_ANGLE = 1e-4


@_arguments.checked()
@refuses_changed_files
def interpolate(
    params_a: Params,
    params_b: Params,
    t: float,
    method: Literal["lerp", "slerp"] = "lerp",
    *,
    allow_nonfinite: bool = False,
) -> dict[str, Array]:
    """The parameters at ``t`` between A (t = 0) and B (t = 1).

    Parameters
    ----------
    params_a, params_b : Mapping[str, array]
        Equal names and shapes. Not changed.
    t : float
        Position; values outside [0, 1] extrapolate.
    method : {"lerp", "slerp"}
        The straight line (1 - t) A + t B, or the arc over the whole parameter vector at once (Shoemake 1985).

    allow_nonfinite : bool
        Let NaN and infinities pass, those of a model and those of a blend that is too large for A's dtype.

    Returns
    -------
    dict[str, array]
        New arrays in the dtypes and on the devices of A, computed in float32 or wider. Integer and boolean
        parameters are A's own objects, whether B has them or not. At t = 0 B is not read, at t = 1 A's numbers are not.

    Raises
    ------
    ParamsError
        A name is in one model only, two shapes differ, a parameter is a quantised code or a factor of a low-rank
        product (LoRA), pruning masks differ, or the result is not finite (the parameter and the model are
        named). An infinity that both hold at one place, as masks do, is kept.

    Examples
    --------
    >>> import numpy as np, rebasin_fast as rf
    >>> rf.interpolate({"w": np.array([0.0, 2.0])}, {"w": np.array([1.0, 4.0])}, 0.5)
    {'w': array([0.5, 3. ])}
    """
    t = _arguments.number("t", t, of="a position on the line, 0 at A and 1 at B")
    check_same_names(params_a, params_b)
    models, labels = [params_a, params_b], ["model A", "model B"]
    weights = _weights(params_a, params_b, t, method)
    return dict(blended_params(models, weights, labels, allow_nonfinite=allow_nonfinite))


def _weights(params_a: Params, params_b: Params, t: float, method: str) -> tuple[float, float]:
    if _arguments.choice("method", method, ("lerp", "slerp")) == "lerp":
        return 1.0 - t, float(t)
    square_a = square_b = product = 0.0
    for name, a in params_a.items():
        if is_interpolated(a):
            squares = _dot(a, a), _dot(params_b[name], params_b[name])
            if isfinite(sum(squares)):  # a mask of infinities has no direction
                square_a, square_b = square_a + squares[0], square_b + squares[1]
                product += _dot(a, params_b[name])
    if square_a == 0.0 or square_b == 0.0:
        return 1.0 - t, float(t)
    cosine = product / (sqrt(square_a) * sqrt(square_b))
    angle = acos(max(-1.0, min(1.0, cosine)))
    if sin(angle) < _SMALL_ANGLE:
        return 1.0 - t, float(t)
    return sin((1.0 - t) * angle) / sin(angle), sin(t * angle) / sin(angle)


def _dot(a: Array, b: Array) -> float:
    return library_of(a).dot(*of_one_library([a, b]))
