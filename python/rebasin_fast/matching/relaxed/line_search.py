"""The highest point of a polynomial on [0, 1], from its values and its slope at 0."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def best_step(
    value: float, slope: float, end: float, between: Sequence[tuple[float, float]] = ()
) -> tuple[float, float]:
    """Where on [0, 1] the polynomial through the given data is highest, and its value there.

    Parameters
    ----------
    value, slope : float
        At 0.
    end : float
        Its value at 1.
    between : sequence of (float, float)
        Points within (0, 1) and values there; the degree is 2 plus their number.
    """
    points = [(1.0, end), *between]
    # f(t) - value - slope t = t² (c_0 + c_1 t + …)
    powers = np.array([[t**k for k in range(len(points))] for t, _ in points])
    rest = np.array([(f - value - slope * t) / (t * t) for t, f in points])
    curve = np.polynomial.Polynomial([value, slope, *np.linalg.solve(powers, rest)])
    inner = [float(root.real) for root in curve.deriv().trim().roots() if 0.0 < root.real < 1.0]
    candidates = [0.0, *inner, 1.0]
    values = curve(np.array(candidates))
    highest = int(np.argmax(values))
    return candidates[highest], float(values[highest])
