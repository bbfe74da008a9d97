"""Paths through the space of parameters, along which losses are measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from rebasin_fast.merging.interpolation import interpolate
from rebasin_fast.merging.same_names import check_same_names
from rebasin_fast.typing import Array, Params


class ParamsPath(Protocol):
    """A path from one model (t = 0) to another (t = 1).

    Examples
    --------
    >>> import numpy as np, rebasin_fast as rf
    >>> class Circle:
    ...     def at(self, t):
    ...         return {"w": np.array([np.cos(np.pi * t), np.sin(np.pi * t)])}
    >>> radius = lambda params: float(np.linalg.norm(params["w"]))
    >>> rf.loss_curve(radius, path=Circle(), ts=3).values["loss"]
    array([1., 1., 1.])
    """

    def at(self, t: float, /) -> dict[str, Array]:
        """The parameters at ``t``."""


def points_of(
    params_a: Params | None,
    params_b: Params | None,
    path: ParamsPath | None,
    method: Literal["lerp", "slerp"],
    *,
    allow_nonfinite: bool,
) -> Callable[[float], dict[str, Array]]:
    """The parameters at t: those of ``path``, or between A and B.

    Raises
    ------
    TypeError
        Both a path and models are given, or neither, or ``path`` has no ``at``.
    ValueError
        ``method`` is given with a path.
    ParamsError
        The models differ in names or shapes.
    """
    if path is None:
        if params_a is None or params_b is None:
            raise TypeError("the ends are missing: pass params_a and params_b, or path=")
        check_same_names(params_a, params_b)
        ends = params_a, params_b
        return lambda t: interpolate(*ends, t, method, allow_nonfinite=allow_nonfinite)
    if params_a is not None or params_b is not None:
        raise TypeError("a path has its own ends: pass path= alone, without params_a and params_b")
    if method != "lerp":
        raise ValueError(f"method={method!r} is for the way between two models; a path has its own")
    if not callable(getattr(path, "at", None)):
        raise TypeError(f"path is an object whose at(t) gives parameters, got {type(path).__qualname__}")
    return path.at
