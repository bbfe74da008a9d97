"""Coordinates in the plane through three models, in the units of the distance between parameters."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.errors import ParamsError
from rebasin_fast.merging.blending import blended_params
from rebasin_fast.merging.distance import l2_distance
from rebasin_fast.typing import Array, Params

_STATISTICS = ("running_mean", "running_var")  # of BatchNorm layers: measured, not trained
_FLAT = 1e-6  # heights below this share of the base are the rounding of distances


@dataclass(frozen=True)
class PlaneCoordinates:
    """A at (0, 0), B at (``base``, 0), C at (``foot``, ``height``): an orthonormal basis by Gram-Schmidt.

    Everything follows from distances between models, so that no basis vector is held in memory.
    """

    models: tuple[Params, Params, Params]
    base: float
    foot: float
    height: float

    @classmethod
    def through(cls, models: tuple[Params, Params, Params]) -> PlaneCoordinates:
        """The plane through three models.

        Raises
        ------
        ParamsError
            Names or shapes differ, or the models lie on one line.
        """
        a, b, c = models
        base, side, opposite = _distance(a, b), _distance(a, c), _distance(b, c)
        if not 0.0 < base < np.inf or not side + opposite < np.inf:
            raise ParamsError(
                "a plane goes through three different models of finite parameters; their distances are "
                f"{base:g} (A to B), {side:g} (A to C) and {opposite:g} (B to C)"
            )
        foot = (base**2 + side**2 - opposite**2) / (2 * base)
        height = sqrt(max(side**2 - foot**2, 0.0))
        if height <= _FLAT * max(base, side):
            raise ParamsError(
                "the three models lie on one line, through which there are many planes; for the losses on the line "
                "take rebasin_fast.loss_curve"
            )
        return cls(models, base, foot, height)

    @property
    def positions(self) -> NDArray[np.float64]:
        """The coordinates of the three models, (3, 2)."""
        return np.array([[0.0, 0.0], [self.base, 0.0], [self.foot, self.height]])

    def at(self, x: float, y: float, *, allow_nonfinite: bool = False) -> dict[str, Array]:
        """The parameters at (x, y), in the dtypes of A."""
        of_c = y / self.height
        of_b = (x - of_c * self.foot) / self.base
        weights, labels = [1.0 - of_b - of_c, of_b, of_c], ["model A", "model B", "model C"]
        return dict(blended_params(self.models, weights, labels, allow_nonfinite=allow_nonfinite))

    def project(self, params: Params) -> NDArray[np.float64]:
        """The coordinates of the point of the plane that is nearest to ``params``, (2,)."""
        a, b, c = (_distance(params, model) ** 2 for model in self.models)
        x = (a - b + self.base**2) / (2 * self.base)
        along_c = (a - c + self.foot**2 + self.height**2) / 2  # the inner product with C
        return np.array([x, (along_c - x * self.foot) / self.height])


def _distance(params_a: Params, params_b: Params) -> float:
    return l2_distance(_without_statistics(params_a), _without_statistics(params_b))


def _without_statistics(params: Params) -> dict[str, Array]:
    return {name: params[name] for name in params if not name.endswith(_STATISTICS)}
