"""The widths of a RegNet, which its paper (Radosavovic et al. 2020) gives as a quantised line."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from .chains import Chain, grouped, rounded
from .symmetries import Symmetries, units


@dataclass(frozen=True)
class RegNet:
    """Depth, initial width, slope, step and group width of the paper's tables; a share squeezed of block inputs."""

    depth: int
    initial: int
    slope: float
    step: float
    group: int
    squeeze: float = 0.0

    def stages(self) -> list[tuple[int, int, int]]:
        """Blocks, width and group width of each stage."""
        line = self.initial + self.slope * np.arange(self.depth)
        powers = np.round(np.log(line / self.initial) / np.log(self.step))
        widths = np.round(self.initial * self.step**powers / 8).astype(int) * 8
        found = []
        for width, blocks in groupby(widths.tolist()):
            group = min(self.group, width)
            found.append((len(list(blocks)), rounded(width, group), group))
        return found

    def symmetries(self, stem: int = 32) -> Symmetries:
        """A stream per stage; in each block a grouped convolution, and its squeeze."""
        chain = Chain(stem)
        for blocks, width, group in self.stages():
            for block in range(blocks):
                squeezed = round(self.squeeze * chain.channels)
                inner = grouped(width, width // group) + (units(squeezed) if squeezed else Counter())
                chain.block(width, inner, residual=block > 0)
        return chain.found
