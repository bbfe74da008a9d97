"""A traced spec with its report: permutations, frozen axes, and the operations that froze them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rebasin_fast import _arguments
from rebasin_fast.specs.axis import Entry, permutations_of
from rebasin_fast.specs.spec import PermutationSpec, check_renaming
from rebasin_fast.specs.symmetry import Symmetry, renamed_symmetries
from rebasin_fast.typing import Params


@dataclass(frozen=True, slots=True)
class FrozenAxis:
    """``length`` positions on an axis of a parameter that do not move, and the operation that froze them."""

    parameter: str
    axis: int
    length: int
    operation: str
    source: str


class TracedSpec(PermutationSpec):
    """A permutation spec that was derived from a model's program.

    Attributes
    ----------
    residual : frozenset[str]
        Permutations of residual streams.
    unused : tuple[str, ...]
        Parameters that the traced program does not read; they stay.
    frozen : tuple[FrozenAxis, ...]
        Positions that do not move, with the operations that froze them.
    shapes : Mapping[str, tuple[int, ...]]
        Of the parameters of the model that was traced.
    sources : Mapping[str, str]
        ``file:line`` of the first use of a parameter in the program.
    ties : Mapping[str, str]
        Further names of shared tensors, each with the first: a file may hold either, or both.
    order_alone : Mapping[str, str]
        Permutations whose units have no symmetry but their order, each with the operation that allows no other.
    unrotated : Mapping[str, str]
        Permutations of residual streams that have signs or scales alone, and of heads within which dimensions keep
        still, each with the operation that keeps rotations out.
    """

    def __init__(
        self,
        axes: Mapping[str, Sequence[Entry]],
        unmatched: Iterable[str] = (),
        *,
        sizes: Mapping[str, int] | None = None,
        residual: frozenset[str] = frozenset(),
        unused: tuple[str, ...] = (),
        frozen: tuple[FrozenAxis, ...] = (),
        shapes: Mapping[str, tuple[int, ...]] | None = None,
        sources: Mapping[str, str] | None = None,
        ties: Mapping[str, str] | None = None,
        symmetries: Iterable[Symmetry] = (),
        order_alone: Mapping[str, str] | None = None,
        unrotated: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(axes, unmatched, sizes=sizes, symmetries=symmetries)
        self.residual = residual
        self.unused = unused
        self.frozen = frozen
        self.shapes = dict(shapes or {})
        self.sources = dict(sources or {})
        self.ties = dict(ties or {})
        self.order_alone = dict(order_alone or {})
        self.unrotated = dict(unrotated or {})

    def validate(self, params: Params) -> None:
        """Check that the spec fits; of shared tensors one name is enough."""
        either = {**self.ties, **{first: name for name, first in self.ties.items()}}
        axes = self.axes_to_perm
        kept = {name: axes[name] for name in axes if name in params or either.get(name) not in params}
        if len(kept) == len(axes):
            super().validate(params)
            return
        standing = {p for row in kept.values() for entry in row for p in permutations_of(entry)}
        sizes = {name: size for name, size in self.declared_sizes.items() if name in standing}
        PermutationSpec(kept, sizes=sizes).validate(params)

    @_arguments.checked()
    def renamed(self, names: Mapping[str, str]) -> TracedSpec:
        """The same spec and report for other names."""
        check_renaming(self.axes_to_perm, names)

        def new(name: str) -> str:
            return names.get(name, name)

        return TracedSpec(
            {new(name): entries for name, entries in self.axes_to_perm.items()},
            map(new, self.unmatched),
            sizes=self.declared_sizes,
            residual=self.residual,
            unused=tuple(map(new, self.unused)),
            frozen=tuple(replace(axis, parameter=new(axis.parameter)) for axis in self.frozen),
            shapes={new(name): shape for name, shape in self.shapes.items()},
            sources={new(name): place for name, place in self.sources.items()},
            ties={new(name): new(first) for name, first in self.ties.items()},
            symmetries=renamed_symmetries(self.symmetries, names),
            order_alone=self.order_alone,
            unrotated=self.unrotated,
        )

    def without_symmetries(self, symmetries: Iterable[Symmetry], reason: str) -> TracedSpec:
        """The same spec without these symmetries; ``order_alone`` says why where a permutation has no other."""
        gone = tuple(symmetries)
        other = copy(self)
        other._symmetries = tuple(symmetry for symmetry in self.symmetries if symmetry not in gone)
        left = {symmetry.permutation for symmetry in other._symmetries}
        bare = (symmetry.permutation for symmetry in gone if symmetry.permutation not in left)
        other.order_alone = {**self.order_alone, **dict.fromkeys(bare, reason)}
        return other

    @property
    def permutation_sizes(self) -> dict[str, int]:
        """Units of each permutation, in the model that was traced."""
        shaped: Any = {name: np.broadcast_to(np.float32(0), shape) for name, shape in self.shapes.items()}
        return self.sizes(shaped)

    def report(self) -> str:
        """Every permutation, and every axis that does not move, with its source line, as text."""
        return "\n".join(_lines(self))


def _lines(spec: TracedSpec) -> Iterator[str]:
    sizes = spec.permutation_sizes
    moved = sum(any(e is not None for e in entries) for entries in spec.axes_to_perm.values())
    yield f"{len(sizes)} permutations move {moved} of {len(spec.axes_to_perm)} parameters"
    for name, places in spec.perm_to_axes.items():
        within = f" within {', '.join(spec.parents[name])}" if spec.parents[name] else ""
        stream = ", residual stream" if name in spec.residual else ""
        yield f"{name}: {sizes[name]} units{within}{stream}{_groups(spec, name)}"
        for parameter, axis in places:
            yield f"    {parameter} axis {axis}{_located(spec.sources.get(parameter, ''))}"
    if spec.frozen:
        yield "held still"
    for still in spec.frozen:
        yield f"    {still.parameter} axis {still.axis}: {still.length} by {still.operation}{_located(still.source)}"


def _groups(spec: TracedSpec, name: str) -> str:
    """The symmetries of the units, or the operation that allows their order alone."""
    words = {
        "signs": "signs", "scales": "positive scales", "linear": "invertible matrices",
        "rotations": "rotations and scales of pairs within",
    }  # fmt: skip
    found = []
    unrotated = f"; no rotations, by {spec.unrotated[name]}" if name in spec.unrotated else ""
    for symmetry in spec.symmetries:
        if symmetry.permutation == name:
            centred = any(norm.kind == "layer" for norm in symmetry.norms)
            orthogonal = "orthogonal matrices" + (" that keep the mean" if centred else "")
            found.append(words.get(symmetry.group, orthogonal))
    if found:
        return f"; {' and '.join(found)}{unrotated}"
    if unrotated:
        return unrotated
    return f"; order alone, by {spec.order_alone[name]}" if name in spec.order_alone else ""


def _located(source: str) -> str:
    """The place in brackets, relative to the current folder where it lies in it."""
    return f" ({source.removeprefix(os.getcwd() + os.sep)})" if source else ""
