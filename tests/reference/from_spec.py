"""Lets the published loop read a `rebasin_fast.PermutationSpec` in which no permutation stands within another."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rebasin_fast.specs.layout import blocks_of

if TYPE_CHECKING:
    from rebasin_fast import PermutationSpec


def reference_axes(
    spec: "PermutationSpec", params: Any
) -> dict[str, tuple[dict[str, npt.NDArray[np.int64]], ...]]:
    """Return the arrays that count in the objective, each axis as the loop's parts (copies, n)."""
    sizes = spec.sizes(params)
    axes = {
        name: tuple(_parts(blocks_of(entry, sizes)) for entry in entries)
        for name, entries in spec.axes_to_perm.items()
        if name not in spec.unmatched
    }
    return {name: parts for name, parts in axes.items() if any(parts)}


def _parts(blocks: Any) -> dict[str, npt.NDArray[np.int64]]:
    copies: dict[str, list[npt.NDArray[np.int64]]] = {}
    for block in blocks:
        names = block.permutations
        if len(names) != 1:
            raise ValueError(f"the published loop has no permutation within a permutation; found {names}")
        units_last = np.moveaxis(block.positions, block.dims.index(names[0]), -1)
        copies.setdefault(names[0], []).append(units_last.reshape(-1, units_last.shape[-1]))
    return {name: np.concatenate(parts) for name, parts in copies.items()}
