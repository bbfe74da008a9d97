"""The Frank-Wolfe loop: matrices moved in place towards the permutations that the gradient prefers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from rebasin_fast.typing import Index

Key = TypeVar("Key", bound=Hashable)
# Doubly stochastic matrices: [i, j] is the share of slot i that unit j fills.
Soft: TypeAlias = dict[Key, NDArray[Any]]


class Relaxation(Protocol[Key]):
    """An objective of doubly stochastic matrices, of which ``degree`` is the degree as a polynomial."""

    @property
    def degree(self) -> int: ...  # noqa: D102

    def value(self, moves: Mapping[Key, NDArray[Any]]) -> float:
        """The objective at matrices, or at indices in place of permutation matrices."""

    def gradient(self, soft: Mapping[Key, NDArray[Any]]) -> Soft[Key]:
        """The derivatives by every matrix."""


def ascend(
    problem: Relaxation[Key],
    soft: Soft[Key],
    linear_minimizer: Callable[[Soft[Key]], Mapping[Key, Index]],
    most_steps: int,
    smallest_slope: Callable[[float], float],
) -> Iterator[tuple[float, float]]:
    """Move ``soft`` in place, step by step; gives (0, the value there), then each step's size and the value reached.

    Parameters
    ----------
    linear_minimizer : callable
        Gives the permutations for which the sum of <gradient, matrix> is largest.
    smallest_slope : callable
        For a value, the gain to first order below which the ascent ends.

    Notes
    -----
    Jaggi, *Revisiting Frank-Wolfe*, 2013, algorithm 1 with exact line search: along a step the objective is a
    polynomial of known degree, found from its value and slope at 0, its value at the permutations, and one value
    between for each degree above 2.
    """
    value = problem.value(soft)
    yield 0.0, value
    for _ in range(most_steps):
        gradient = problem.gradient(soft)
        units = linear_minimizer(gradient)
        slope = _slope(gradient, units, soft)
        if slope <= smallest_slope(value):
            return
        extra = problem.degree - 2
        points = [(sample + 1.0) / (extra + 1.0) for sample in range(extra)]
        between = [(t, problem.value(_between(soft, units, t))) for t in points]
        step, value = best_step(value, slope, problem.value(units), between)
        if step == 0.0:
            return
        move(soft, units, step)
        yield step, value


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


def move(soft: Soft[Key], units: Mapping[Key, Index], step: float) -> None:
    """Matrices moved in place, by the share ``step`` of the way to permutations."""
    for key, matrix in soft.items():
        matrix *= matrix.dtype.type(1.0 - step)
        matrix[np.arange(len(matrix)), units[key]] += step


def _between(soft: Soft[Key], units: Mapping[Key, Index], step: float) -> Soft[Key]:
    copies = {key: matrix.copy() for key, matrix in soft.items()}
    move(copies, units, step)
    return copies


def _slope(gradient: Soft[Key], units: Mapping[Key, Index], soft: Soft[Key]) -> float:
    gain = 0.0
    for key, table in gradient.items():
        gain += float(table[np.arange(len(table)), units[key]].sum(dtype=np.float64))
        gain -= float(np.einsum("ij,ij->", table, soft[key], dtype=np.float64))
    return gain
