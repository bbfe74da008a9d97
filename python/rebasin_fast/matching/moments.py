"""Moments of paired activations, accumulated over batches in constant memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

# A deviation below this many spacings of the mean's floating-point numbers is rounding, not a signal.
_SPACINGS = 4.0


class CrossMoments:
    """Means, sums of squares and of cross products of n units of A and n of B, in float64.

    Batches are centred on their own means before they are multiplied, and merged by the parallel formula of Chan,
    Golub & LeVeque (1979), so that large means do not cancel. Products are float32 for float32 activations.
    Memory: 8 n^2 bytes, on the device of the first batch.
    """

    def __init__(self) -> None:
        self.count = 0
        self._mean: list[Any] = []
        self._squares: list[Any] = []
        self._cross: Any = None
        self._spacing = 0.0

    @property
    def product_flop(self) -> float:
        """Multiplications and additions of the cross products so far."""
        return 2.0 * self.count * self._cross.numel() if self.count else 0.0

    def add(self, x: Any, y: Any) -> None:
        """Take in ``x`` and ``y``, (rows, n) tensors of equal shapes: the same samples in both models."""
        import torch

        wide = torch.promote_types(x.dtype, torch.float32)
        x, y = x.to(wide), y.to(device=x.device, dtype=wide)
        rows = x.shape[0]
        if rows == 0:
            return
        (x, mean_x, rest_x), (y, mean_y, rest_y) = _centred(x), _centred(y)
        means = [mean_x, mean_y]
        squares = [
            (z * z).sum(0, dtype=torch.float64) - rows * r * r for z, r in ((x, rest_x), (y, rest_y))
        ]
        cross = (x.T @ y).double() - rows * torch.outer(rest_x, rest_y)
        self._spacing = max(self._spacing, torch.finfo(wide).eps)
        if self.count == 0:
            self.count, self._mean, self._squares, self._cross = rows, means, squares, cross
            return
        total = self.count + rows
        weight = self.count * rows / total
        steps = [new - old for new, old in zip(means, self._mean, strict=True)]
        for side, step in enumerate(steps):
            self._squares[side] += squares[side] + weight * step * step
            self._mean[side] += step * (rows / total)
        self._cross += cross
        self._cross.addr_(steps[0], steps[1], alpha=weight)
        self.count = total

    def correlation(self) -> Matrix:
        """Pearson's correlation of every unit of A with every unit of B, (n, n); 0 for units that never change."""
        scales = []
        for mean, squares in zip(self._mean, self._squares, strict=True):
            deviation = (squares.clamp(min=0.0) / self.count).sqrt()
            alive = deviation > _SPACINGS * self._spacing * mean.abs()
            scales.append(alive / deviation.where(alive, deviation.new_ones(())))
        matrix = self._cross / self.count * scales[0][:, None] * scales[1][None, :]
        return _host(matrix.clamp(-1.0, 1.0))

    def inner_product(self) -> Matrix:
        """The mean product of every unit of A with every unit of B, (n, n); not centred."""
        return _host(self._cross / self.count + self._mean[0][:, None] * self._mean[1][None, :])


def _centred(x: Any) -> tuple[Any, Any, Any]:
    """``x`` less its rounded mean, its mean in float64, and what of the mean is left in the difference."""
    import torch

    shift = x.mean(0, dtype=torch.float64).to(x.dtype)
    x = x - shift
    rest = x.mean(0, dtype=torch.float64)
    return x, shift.double() + rest, rest


def _host(matrix: Any) -> Matrix:
    array: Matrix = matrix.cpu().numpy()
    return array
