"""Soft permutations acting on the parameters of a model, through the layouts of their axes, differentiably."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rebasin_fast._models.functional import Tensors
from rebasin_fast._models.inference import import_torch
from rebasin_fast.matching.soft_axes import Part, SoftLayout, acted, soft_layout

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Params


class SoftApplication:
    """``take(w, perm[p], axis)`` with each index array replaced by a doubly stochastic matrix.

    A permutation of n units takes a matrix (n, n), one within parents of k, l, ... units (k, l, ..., n, n), by A's
    slots: row i holds the shares of B's units in slot i of A. At permutation matrices the result is that of
    :func:`rebasin_fast.apply_permutation`.
    """

    def __init__(
        self, spec: PermutationSpec, params: Params, sizes: Mapping[str, int], device: Any = None
    ) -> None:
        self._torch = torch = import_torch("sinkhorn")
        self._spec = spec
        self._layouts: dict[str, SoftLayout] = {}
        for name, entries in spec.axes_to_perm.items():
            if name in params:
                layout = soft_layout(
                    entries, params[name].shape, sizes, lambda block: [(p,) for p in block.permutations],
                    as_index=lambda positions: torch.as_tensor(positions, device=device),
                )  # fmt: skip
                if layout.axes:
                    self._layouts[name] = layout

    @property
    def moved(self) -> list[str]:
        """Names of the parameters that some permutation moves."""
        return list(self._layouts)

    def __call__(self, tensors: Tensors, soft: Mapping[str, Any]) -> Tensors:
        """``tensors`` with those that move averaged by ``soft``; the others are the same objects."""
        moved = dict(tensors)
        for name, layout in self._layouts.items():
            if name in tensors:
                value = tensors[name].reshape(layout.shape)
                for axis in layout.axes:
                    value = acted(
                        self._torch, value, axis, lambda units, part: self._mixed(units, part, soft),
                        copied=self._torch.clone,
                    )  # fmt: skip
                moved[name] = value.reshape(tensors[name].shape)
        return moved

    def _mixed(self, units: Any, part: Part, soft: Mapping[str, Any]) -> Any:
        """(units of each permutation, ..., the rest), mixed by one after the other, outermost first."""
        names = [name for (name,) in part.chains]
        for axis, name in enumerate(names):
            parents = [names.index(parent) for parent in self._spec.parents[name]]
            if parents:
                letters = "abcdefghijklmnop"[: units.ndim]
                outer = "".join(letters[parent] for parent in parents)
                mixed = f"{outer}z{letters[axis]},{letters}->{letters.replace(letters[axis], 'z')}"
                units = self._torch.einsum(mixed, soft[name], units)
            else:
                front = self._torch.moveaxis(units, axis, 0)
                product = soft[name] @ front.reshape(len(front), -1)
                units = self._torch.moveaxis(product.reshape(front.shape), 0, axis)
        return units
