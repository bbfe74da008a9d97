"""Similarities in the form of parameters, so that weight matching maximises their sums."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.specs.axis import Entry, Product

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec

    Stand = dict[str, NDArray[np.float64]]


def stand_ins_of(
    spec: PermutationSpec,
    similarities: Iterable[tuple[tuple[str, ...], NDArray[np.float64]]],
    sizes: Mapping[str, int],
) -> tuple[dict[str, tuple[Entry, ...]], Stand, Stand]:
    """Axes and arrays A and B of stand-ins: the product of A = I and B = S^T, permuted, is the similarity matched.

    Zeros beside them keep every permutation within the parents that it has in the whole spec. Names are other than
    those of the spec's parameters; the similarities come first, in their order.
    """
    prefix = ""
    while any(name.startswith((f"{prefix}similarity", f"{prefix}place of ")) for name in spec.axes_to_perm):
        prefix += "_"
    axes: dict[str, tuple[Entry, ...]] = {}
    a: Stand = {}
    b: Stand = {}
    chained: dict[str, None] = {}
    for number, (chain, matrix) in enumerate(similarities):
        name = f"{prefix}similarity{number}"
        axes[name] = (_entry_of(chain), None)
        a[name], b[name] = np.eye(len(matrix)), np.ascontiguousarray(matrix.T)
        chained |= dict.fromkeys(chain)
    for name in chained:
        chain = (*spec.parents[name], name)
        axes[f"{prefix}place of {name}"] = (_entry_of(chain),)
        zeros = np.zeros(prod(sizes[outer] for outer in chain))
        a[f"{prefix}place of {name}"] = b[f"{prefix}place of {name}"] = zeros
    return axes, a, b


def _entry_of(chain: tuple[str, ...]) -> Entry:
    return chain[0] if len(chain) == 1 else Product(chain[0], _entry_of(chain[1:]))
