"""The parameters of both models, read in slabs: A's entries, B's, and B's after the reordering."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._arrays import numbers_on_host
from rebasin_fast.matching.matched import matched_parameters, real_entries, real_view
from rebasin_fast.specs.axis import merge_joined
from rebasin_fast.specs.layout import Block, Placed, blocks_of, merged_shape, source_index

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Index, Params

Values = NDArray[np.float64]

# Entries of one slab: three arrays of it in float64 are 24 MiB.
_SLAB_ENTRIES = 1 << 20


@dataclass(frozen=True)
class Slab:
    """A piece of one parameter in float64, axes as in :class:`PairedParameter`; ``moved`` is B reordered."""

    start: int
    stop: int
    a: Values
    b: Values
    moved: Values


@dataclass(frozen=True)
class PairedParameter:
    """One parameter of both models, its joined axes merged, with the blocks that move on each axis."""

    name: str
    blocks: tuple[tuple[Block, ...], ...]
    a: NDArray[Any]
    b: NDArray[Any]
    sources: tuple[Index | None, ...]

    def slabs(self, cut: int | None = 0) -> Iterator[Slab]:
        """Pieces along axis ``cut`` that together are the parameter; one piece for None and for scalars."""
        if self.a.ndim == 0:
            yield Slab(0, 1, *(_float64(array).reshape(1) for array in (self.a, self.b, self.b)))
            return
        whole = cut is None
        cut = cut or 0
        length = self.a.shape[cut]
        step = length if whole else max(1, _SLAB_ENTRIES * length // self.a.size)
        for start in range(0, length, step):
            stop = min(start + step, length)
            here = (slice(None),) * cut + (slice(start, stop),)
            b = self.b[here]
            yield Slab(start, stop, _float64(self.a[here]), _float64(b), _float64(self._moved(cut, here)))

    def longest_axis_but(self, axis: int) -> int | None:
        """Where to cut so that ``axis`` stays whole; None where there is no other."""
        others = [other for other in range(self.a.ndim) if other != axis]
        return max(others, key=lambda other: self.a.shape[other], default=None)

    def _moved(self, cut: int, here: tuple[slice, ...]) -> NDArray[Any]:
        source = self.sources[cut]
        # Not take: it copies the whole of an array that is not contiguous.
        chosen: tuple[slice | Index, ...] = here if source is None else (*here[:cut], source[here[cut]])
        piece = self.b[chosen]
        for axis, index in enumerate(self.sources):
            if index is not None and axis != cut:
                piece = piece.take(index, axis=axis)
        return piece


def paired_parameters(
    spec: PermutationSpec,
    sizes: Mapping[str, int],
    lookup: Mapping[str, Placed],
    params_a: Params,
    params_b: Params,
) -> Iterator[PairedParameter]:
    """The parameters that were matched, in A's order; each is read when it is reached and not kept."""
    matched = set(matched_parameters(spec, (params_a, params_b)))
    for name in params_a:
        if name not in matched:
            continue
        array_a, array_b = params_a[name], params_b[name]
        merged = merge_joined(real_entries(spec.axes_to_perm[name], array_a))
        a, b = real_view(numbers_on_host(array_a)), real_view(numbers_on_host(array_b))
        shape = merged_shape(a.shape, merged)
        blocks = tuple(blocks_of(entry, sizes) for entry, _ in merged)
        sources = tuple(
            source_index(found, length, lookup) if found else None
            for found, length in zip(blocks, shape, strict=True)
        )
        if a.size:
            yield PairedParameter(name, blocks, a.reshape(shape), b.reshape(shape), sources)


def _float64(array: NDArray[Any]) -> Values:
    return array.astype(np.float64, order="C")
