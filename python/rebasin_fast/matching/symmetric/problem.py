"""A spec with symmetries and two models in normal form, compiled to arrays and the places of units in them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._arrays import numbers_on_host
from rebasin_fast.errors import ParamsError
from rebasin_fast.matching.compilation import refuse_nonfinite
from rebasin_fast.matching.matched import real_entries, real_view, refuse_integers_alone
from rebasin_fast.matching.symmetric.places import Place, acted_positions, copies_in, place_of
from rebasin_fast.matching.symmetric.rotations import TurnedPlace, without_pairs
from rebasin_fast.permutation.transforms.rotations import paired_places
from rebasin_fast.specs.axis import merge_joined
from rebasin_fast.specs.layout import Block, blocks_of, merged_shape

if TYPE_CHECKING:
    from rebasin_fast.matching.pair import CheckedPair
    from rebasin_fast.specs.symmetry import Symmetry

# How a unit moves once models are in normal form: by orders alone, with signs, by an orthogonal matrix, and by one that
# maps the vector of ones to itself.
Isometry: TypeAlias = Literal["order", "signs", "matrix", "centred"]
_ENTRIES_A_CHUNK = 1 << 20


@dataclass(eq=False)
class Family:
    """A permutation, and where it moves units.

    Attributes
    ----------
    name : str
    size : int
        Units n.
    parents : tuple of str
    copies : tuple of int
        The sizes of the parents.
    isometry : Isometry
    moved : list[Place]
        All places, for orders.
    acted : list[Place]
        Those that signs or matrices act on.
    compared : list[Place]
        Those that an order alone moves, and whose units no matrix of ``inner`` mixes: they are compared as they are.
    turned : list[TurnedPlace]
        Pairs within each unit that rotations act on.
    rotations : int
        Of each unit.
    inner : list[str]
        The permutations within each unit that move by matrices.
    arrays : dict[int, frozenset[str]]
        The arrays on which it stands, and the other permutations there.
    is_quadratic : bool
        It stands on two axes of an array, or acts there beside its inner matrices, so that the similarity is a slope.
    """

    name: str
    size: int
    parents: tuple[str, ...]
    copies: tuple[int, ...]
    isometry: Isometry
    moved: list[Place] = field(default_factory=list)
    acted: list[Place] = field(default_factory=list)
    compared: list[Place] = field(default_factory=list)
    turned: list[TurnedPlace] = field(default_factory=list)
    rotations: int = 0
    inner: list[str] = field(default_factory=list)
    arrays: dict[int, frozenset[str]] = field(default_factory=dict)
    is_quadratic: bool = False

    @property
    def mixes(self) -> bool:
        """Whether it moves by matrices; its order stays then."""
        return self.isometry in ("matrix", "centred")


@dataclass(frozen=True)
class _Axis:
    """An axis of an array whose joined axes are merged, and the axes of the parameter that it spans."""

    array: int
    axis: int
    length: int
    of_parameter: range


class SymmetricProblem:
    """Arrays of A and B in one dtype, and a :class:`Family` for each permutation.

    ``symmetries`` are those that act on both models, by default the spec's.

    Raises
    ------
    ParamsError
        A matched entry is NaN or infinite, nothing that moves is of floating point, or products overflow.

    Attributes
    ----------
    bound : float
        The sum of |A| |B| over arrays, which no objective exceeds.
    """

    def __init__(self, pair: CheckedPair, symmetries: Sequence[Symmetry] | None = None) -> None:
        refuse_integers_alone(pair.spec, pair.matched, pair.models)
        refuse_nonfinite(pair)
        self.spec, self.sizes = pair.spec, pair.sizes
        self.symmetries = pair.spec.symmetries if symmetries is None else symmetries
        self.names = [name for name, *_ in pair.matched]
        pairs = [tuple(real_view(numbers_on_host(array)) for array in arrays) for _, *arrays in pair.matched]
        wide = any(array.dtype.itemsize > 4 and array.dtype.kind == "f" for both in pairs for array in both)
        self.dtype = np.dtype(np.float64 if wide else np.float32)
        self.families = self._families()
        self.a: list[NDArray[Any]] = []
        self.given_b: list[NDArray[Any]] = []
        for number, ((name, array_a, _), (a, b)) in enumerate(zip(pair.matched, pairs, strict=True)):
            merged = merge_joined(real_entries(pair.spec.axes_to_perm[name], array_a))
            shape = merged_shape(a.shape, merged)
            self.a.append(np.ascontiguousarray(a, self.dtype).reshape(shape))
            self.given_b.append(b.reshape(shape))
            first = 0
            for axis, (entry, joined) in enumerate(merged):
                blocks = () if entry is None else blocks_of(entry, self.sizes)
                self._add_blocks(_Axis(number, axis, shape[axis], range(first, first + joined)), blocks)
                first += joined
        self._add_rotations()
        self._note_neighbours()
        with np.errstate(over="ignore"):
            pairs_of_norms = (
                (np.linalg.norm(a.ravel()), np.linalg.norm(b.astype(self.dtype, copy=False).ravel()))
                for a, b in zip(self.a, self.given_b, strict=True)
            )
            self.bound = float(sum(of_a * of_b for of_a, of_b in pairs_of_norms))
        if not np.isfinite(self.bound):
            raise ParamsError(
                f"products of these weights overflow {self.dtype}: no objective can be computed"
            )

    def fresh_b(self) -> list[NDArray[Any]]:
        """Copies of B's arrays, to be moved."""
        return [np.array(b, self.dtype, order="C") for b in self.given_b]

    def _families(self) -> dict[str, Family]:
        families = {}
        for name in self.spec.permutations:
            if name in self.sizes:
                parents = self.spec.parents[name]
                copies = tuple(self.sizes[parent] for parent in parents)
                isometry = _isometry([s for s in self.symmetries if s.permutation == name])
                families[name] = Family(name, self.sizes[name], parents, copies, isometry)
        for family in families.values():
            if family.mixes and family.parents:
                parent = families[family.parents[-1]]
                if parent.parents == family.parents[:-1] and parent.isometry == "order":
                    parent.inner.append(family.name)
        return families

    def _add_blocks(self, at: _Axis, blocks: Collection[Block]) -> None:
        """Note the places of all permutations on one axis of an array."""
        counted: dict[str, int] = {}
        for block in blocks:
            acts = {}
            for name in block.permutations:
                before = counted.get(name, 0)
                counted[name] = before + copies_in(block, name)
                acts[name] = acted_positions(block, name, self._exponents(self.families[name], at), before)
            for name in block.permutations:
                family = self.families[name]
                mixed = next((inner for inner in family.inner if inner in block.dims), name)
                for places, chosen in (
                    (family.moved, None),
                    (family.acted, acts[name]),
                    (family.compared, ~acts[mixed]),
                ):
                    place = place_of(at.array, at.axis, at.length, block, name, family.parents, chosen)
                    places += [] if place is None else [place]

    def _add_rotations(self) -> None:
        """Note the pairs of units that rotate, which are no longer compared as they are."""
        numbers = {name: number for number, name in enumerate(self.names)}
        for symmetry in self.symmetries:
            if symmetry.group != "rotations":
                continue
            family = self.families[symmetry.permutation]
            family.rotations = symmetry.rotations
            for paired in paired_places(self.spec, symmetry, self.sizes):
                if paired.parameter in numbers:
                    family.turned.append(TurnedPlace(numbers[paired.parameter], paired))
            family.compared = [
                place
                for compared in family.compared
                if (place := without_pairs(compared, family.turned)) is not None
            ]

    def _exponents(self, family: Family, at: _Axis) -> tuple[int, ...]:
        """Of the group by which the units move on an axis; 0 where an order alone moves them."""
        groups = {"order": (), "signs": ("signs",)}.get(family.isometry, ("orthogonal", "linear"))
        roles = (
            role.exponents
            for symmetry in self.symmetries
            if symmetry.permutation == family.name and symmetry.group in groups
            for role in symmetry.roles
            if role.parameter == self.names[at.array] and role.axis in at.of_parameter
        )
        return next(roles, (0,))

    def _note_neighbours(self) -> None:
        standing: dict[int, set[str]] = {}
        for family in self.families.values():
            for place in family.moved:
                standing.setdefault(place.array, set()).add(family.name)
        for family in self.families.values():
            arrays = {place.array for place in family.moved}
            family.arrays = {array: frozenset(standing[array] - {family.name}) for array in sorted(arrays)}
            acting = [
                (place.array, place.axis, family.name)
                for place in (family.acted if family.mixes else family.moved)
            ]
            inner = {
                (place.array, place.axis, name)
                for name in family.inner
                for place in self.families[name].acted
            }
            inner |= {(place.array, place.axis, family.name) for place in family.turned}
            family.is_quadratic = any(
                len({axis for there, axis, _ in [*acting, *inner] if there == array}) > 1
                or len({name for there, _, name in inner if there == array}) > 1
                for array in arrays
            )


def inner_product(a: NDArray[Any], b: NDArray[Any]) -> float:
    """vec(a) . vec(b), summed in float64."""
    if a.dtype == np.float64:
        return float(np.vdot(a, b))
    flat_a, flat_b = a.ravel(), b.ravel()
    starts = range(0, flat_a.size, _ENTRIES_A_CHUNK)
    chunks = (slice(start, start + _ENTRIES_A_CHUNK) for start in starts)
    return float(sum(np.vdot(flat_a[part].astype(float), flat_b[part].astype(float)) for part in chunks))


def _isometry(symmetries: list[Symmetry]) -> Isometry:
    groups = {symmetry.group for symmetry in symmetries}
    if groups & {"orthogonal", "linear"}:
        centred = any(norm.kind == "layer" for symmetry in symmetries for norm in symmetry.norms)
        return "centred" if centred else "matrix"
    return "signs" if "signs" in groups else "order"
