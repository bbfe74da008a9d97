"""Similarities of activations as weights: matching these stand-ins is matching the activations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from rebasin_fast.specs.axis import Entry, Product
from rebasin_fast.specs.spec import PermutationSpec

if TYPE_CHECKING:
    from rebasin_fast.typing import Floats


class StandIns:
    """Parameters A = I and B = Sᵀ for each similarity S: the product of A and B, moved, is the similarity matched.

    Zeros beside them keep every permutation within the parents that it has in the whole spec.

    Attributes
    ----------
    spec : PermutationSpec
    a, b : dict[str, float64 array]
    names : list of str
        Of the parameters, in the order of the similarities.
    """

    def __init__(
        self,
        spec: PermutationSpec,
        similarities: Iterable[tuple[tuple[str, ...], Floats]],
        sizes: Mapping[str, int],
    ) -> None:
        axes: dict[str, tuple[Entry, ...]] = {}
        self.a: dict[str, Floats] = {}
        self.b: dict[str, Floats] = {}
        chained: dict[str, None] = {}
        for number, (chain, matrix) in enumerate(similarities):
            name = f"similarity{number}"
            axes[name] = (_entry_of(chain), None)
            self.a[name], self.b[name] = np.eye(len(matrix)), np.ascontiguousarray(matrix.T)
            chained |= dict.fromkeys(chain)
        self.names = list(axes)
        for permutation in chained:
            chain = (*spec.parents[permutation], permutation)
            name = f"place of {permutation}"
            axes[name] = (_entry_of(chain),)
            self.a[name] = self.b[name] = np.zeros(prod(sizes[outer] for outer in chain))
        self.spec = PermutationSpec(axes, sizes={name: sizes[name] for name in chained})


def _entry_of(chain: tuple[str, ...]) -> Entry:
    return chain[0] if len(chain) == 1 else Product(chain[0], _entry_of(chain[1:]))
