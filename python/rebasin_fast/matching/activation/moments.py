"""Moments of activations, accumulated over batches in float64 and in constant memory."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

# A deviation below this many spacings of the mean's floating-point numbers is rounding, not a signal.
_SPACINGS = 4.0


class UnitMoments:
    """Mean and sum of squared deviations of each of n units.

    Batches are centred on their own means and merged by the parallel formula of Chan, Golub & LeVeque (1979), so
    that large means do not cancel. The arrays lie on the device of the first batch.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean: Any = None
        self.squares: Any = None
        self._spacing = 0.0

    def add(self, rows: Any) -> tuple[Any, Any]:
        """Add (rows, n) samples, at least one; gives them centred, and the mean that rounding leaves."""
        import torch

        rows = rows.to(torch.promote_types(rows.dtype, torch.float32))
        shift = rows.mean(0, dtype=torch.float64).to(rows.dtype)
        centred = rows - shift
        rest = centred.mean(0, dtype=torch.float64)  # left by rounding the mean
        squares = (centred * centred).sum(0, dtype=torch.float64) - len(rows) * rest * rest
        self._spacing = max(self._spacing, torch.finfo(rows.dtype).eps)
        self._merge(len(rows), shift.double() + rest, squares.clamp(min=0.0))
        return centred, rest

    def _merge(self, count: int, mean: Any, squares: Any) -> None:
        if self.count == 0:
            self.count, self.mean, self.squares = count, mean, squares
            return
        total = self.count + count
        step = mean - self.mean
        self.squares = self.squares + squares + step * step * (self.count * count / total)
        self.mean = self.mean + step * (count / total)
        self.count = total

    def deviation(self) -> Any:
        """The standard deviation of each unit (divided by the count); exactly 0 for units that never change."""
        deviation = (self.squares / self.count).sqrt()
        return deviation * (deviation > _SPACINGS * self._spacing * self.mean.abs())


class CrossMoments:
    """Moments of n units of A and n of B on the same samples, and the sums of their products.

    Products are float32 for float32 activations, of centred values, and accumulated in float64: 8 n^2 bytes.
    """

    def __init__(self) -> None:
        self._sides = UnitMoments(), UnitMoments()
        self._cross: Any = None

    @property
    def count(self) -> int:
        """Samples so far."""
        return self._sides[0].count

    def changes(self) -> bool:
        """Whether some unit of A changes over the samples, and some unit of B."""
        return all(bool((side.deviation() > 0.0).any()) for side in self._sides)

    @property
    def product_flop(self) -> float:
        """Multiplications and additions of the cross products so far."""
        return 2.0 * self._sides[0].count * self._cross.numel() if self._sides[0].count else 0.0

    def add(self, x: Any, y: Any) -> None:
        """Add ``x`` and ``y``, (rows, n) tensors of equal shapes: the same samples in both models."""
        import torch

        if len(x) == 0:
            return
        y = y.to(device=x.device, dtype=x.dtype)
        before, means = self._sides[0].count, [side.mean for side in self._sides]
        (x, rest_x), (y, rest_y) = (side.add(z) for side, z in zip(self._sides, (x, y), strict=True))
        cross = (x.T @ y).double() - len(x) * torch.outer(rest_x, rest_y)
        if before == 0:
            self._cross = cross
            return
        # A side's mean has moved by (mean of the batch - old mean) * rows / total.
        steps = [side.mean - mean for side, mean in zip(self._sides, means, strict=True)]
        total = before + len(x)
        self._cross += cross
        self._cross.addr_(steps[0], steps[1], alpha=before * total / len(x))

    def correlation(self) -> Matrix:
        """Pearson's correlation of every unit of A with every unit of B, (n, n); 0 for units that never change."""
        scales = []
        for side in self._sides:
            deviation = side.deviation()
            alive = deviation > 0.0
            scales.append(alive / deviation.where(alive, deviation.new_ones(())))
        matrix = self._cross / self._sides[0].count * scales[0][:, None] * scales[1][None, :]
        return _host(matrix.clamp(-1.0, 1.0))

    def inner_product(self) -> Matrix:
        """The mean product of every unit of A with every unit of B, (n, n); not centred."""
        mean_a, mean_b = (side.mean for side in self._sides)
        return _host(self._cross / self._sides[0].count + mean_a[:, None] * mean_b[None, :])

    def relative_product(self) -> Matrix:
        """The mean products over the root mean squares of all units of A and of B; zeros where one side is zero."""
        squares = [(side.squares / side.count + side.mean**2).mean() for side in self._sides]
        scale = float((squares[0] * squares[1]).sqrt())
        return self.inner_product() / scale if scale > 0.0 else np.zeros_like(self.inner_product())

    def bound(self, similarity: str) -> float:
        """A number that the sum of the similarities of matched units cannot exceed.

        For correlations the number of units; for mean products |X| |Y| / samples, by Cauchy and Schwarz.
        """
        if similarity == "correlation":
            return float(len(self._cross))
        sums = [float((side.squares / side.count + side.mean**2).sum()) for side in self._sides]
        return math.sqrt(sums[0] * sums[1])


def _host(matrix: Any) -> Matrix:
    array: Matrix = matrix.cpu().numpy()
    return array
