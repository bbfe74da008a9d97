"""Entries of tensors as sums of a projection's outputs, each times an entry of a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from rebasin_fast.specs.tracing.rotary.movement import Numbers
from rebasin_fast.specs.tracing.rotary.tables import ONE, Tables

NOTHING = -1
_MOST_TERMS = 4


@dataclass(frozen=True, eq=False)
class Entries:
    """For each entry up to four terms: a source, or NOTHING, and the number of its factor.

    Attributes
    ----------
    sources, factors : (terms, ...) array of int64
        After the first axis those of the tensor, each of its length or open (1). ``is_complex``: and an axis of two,
        the real and the imaginary part.
    """

    sources: Numbers
    factors: Numbers
    is_complex: bool = False

    @classmethod
    def of_axis(cls, rank: int, first: int, length: int) -> Entries:
        """Sources along the last axis of a tensor, all other indices open."""
        sources = np.arange(first, first + length).reshape(1, *[1] * (rank - 1), length)
        return cls(sources, np.full_like(sources, ONE))

    @property
    def rank(self) -> int:
        """Axes of the tensor."""
        return self.sources.ndim - 1 - self.is_complex

    @property
    def held(self) -> Numbers:
        """Every source that occurs."""
        return np.unique(self.sources[self.sources != NOTHING])

    def viewed(self, view: Callable[[Numbers], list[Numbers] | None]) -> list[Entries] | None:
        """The results of a view, term by term."""
        sources = [view(term) for term in self.sources]
        factors = [view(term) for term in self.factors]
        results = []
        for number in range(len(sources[0] or ())):
            parts = [[own[number] for own in terms if own is not None] for terms in (sources, factors)]
            results.append(replace(self, sources=np.stack(parts[0]), factors=np.stack(parts[1])))
        return results or None

    def times(self, numbers: Numbers, tables: Tables) -> Entries:
        """The product with a table; what it depends on along open axes is one number."""
        shape = self.sources.shape[1:]
        rank = len(shape)
        numbers = numbers.reshape((1,) * (rank - numbers.ndim) + numbers.shape)
        numbers = tables.of_columns(numbers, [axis for axis in range(rank) if shape[axis] == 1])
        factors = tables.product(self.factors, numbers[None])
        return replace(self, sources=np.broadcast_to(self.sources, factors.shape), factors=factors)

    def times_complex(self, numbers: Numbers, tables: Tables) -> Entries | None:
        """The complex product with a complex table; None for more terms than are followed."""
        real, imaginary = (tables.function(part, numbers) for part in ("real part", "imaginary part"))
        x, y = (Entries(self.sources[..., i], self.factors[..., i]) for i in (0, 1))
        first = x.times(real, tables).plus(y.times(imaginary, tables).negated())
        second = x.times(imaginary, tables).plus(y.times(real, tables))
        if first is None or second is None:
            return None
        sources = np.stack([first.sources, second.sources], -1)
        return Entries(sources, np.stack([first.factors, second.factors], -1), is_complex=True)

    def negated(self) -> Entries:
        """With the other sign."""
        return replace(self, factors=-self.factors)

    def plus(self, other: Entries) -> Entries | None:
        """The sum; None for more terms than are followed."""
        unlike = self.is_complex != other.is_complex or self.rank != other.rank
        if unlike or len(self.sources) + len(other.sources) > _MOST_TERMS:
            return None
        shape = np.broadcast_shapes(self.sources.shape[1:], other.sources.shape[1:])
        parts = [
            np.concatenate([np.broadcast_to(part, (len(part), *shape)) for part in both])
            for both in ((self.sources, other.sources), (self.factors, other.factors))
        ]
        return replace(self, sources=parts[0], factors=parts[1])

    def padded(self, terms: int) -> Entries:
        """With so many terms, the further ones empty."""
        missing = ((0, terms - len(self.sources)), *[(0, 0)] * (self.sources.ndim - 1))
        return replace(
            self,
            sources=np.pad(self.sources, missing, constant_values=NOTHING),
            factors=np.pad(self.factors, missing, constant_values=ONE),
        )
