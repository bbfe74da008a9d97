"""Symmetries beyond permutations: the groups that act on the units of a permutation, and where they act."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from rebasin_fast._untrusted import brief
from rebasin_fast.errors import SpecError

Group: TypeAlias = Literal["signs", "scales", "rotations", "orthogonal", "linear"]
NormKind: TypeAlias = Literal["rms", "layer"]

GROUPS: tuple[Group, ...] = get_args(Group)
NORM_KINDS: tuple[NormKind, ...] = get_args(NormKind)


class Pair(NamedTuple):
    """Two positions of a unit that a rotation mixes, among all that the unit owns along an axis, from left to right.

    ``rotation``: its number within the unit.
    """

    rotation: int
    first: int
    second: int


@dataclass(frozen=True, slots=True)
class Role:
    """How a transform acts along ``axis`` of ``parameter``, once for each copy of the units there.

    ``exponents``: 1 the transform M itself (the axis writes the units), -1 its inverse, transposed (the axis reads
    them), 0 neither (a gate, a variance). Copies are counted from left to right along the axis. ``pairs``: of
    rotations, which have one exponent.
    """

    parameter: str
    axis: int
    exponents: tuple[int, ...]
    pairs: tuple[Pair, ...] = ()


@dataclass(frozen=True, slots=True)
class Reader:
    """``axis`` of ``parameter`` reads the output of a norm; ``bias`` is added to the product, if there is one."""

    parameter: str
    axis: int
    bias: str | None = None


@dataclass(frozen=True, slots=True)
class Norm:
    """A norm over units: its gain and bias, and the axes that read its output.

    The gain can be multiplied into the readers, and the bias added through them where each has a bias.
    """

    kind: NormKind
    gain: str | None
    bias: str | None
    readers: tuple[Reader, ...] = ()


@dataclass(frozen=True, slots=True)
class Symmetry:
    """A group that acts on the units of ``permutation`` and leaves the function of the model as it is.

    Parameters
    ----------
    permutation : str
        The permutation of the spec whose units are transformed; within its parents, each copy by itself.
    group : {"signs", "scales", "rotations", "orthogonal", "linear"}
        ``signs``: a factor of 1 or -1 a unit. ``scales``: a positive factor a unit. ``rotations``: within each unit,
        as in an attention head with rotary embeddings, a rotation and a scale of each pair. ``orthogonal``: an
        orthogonal matrix; with norms of kind ``layer`` one that maps the vector of ones to itself. ``linear``: an
        invertible matrix.
    roles : tuple of Role
        Every axis on which the permutation stands.
    norms : tuple of Norm
        Of an orthogonal group: it acts once their gains are 1 and their biases 0.

    Examples
    --------
    >>> from rebasin_fast.specs.symmetry import Role, Symmetry
    >>> Symmetry("P", "signs", (Role("up", 0, (1,)), Role("down", 1, (1,)))).group
    'signs'
    """

    permutation: str
    group: Group
    roles: tuple[Role, ...]
    norms: tuple[Norm, ...] = field(default=())

    def __post_init__(self) -> None:
        if self.group not in GROUPS:
            raise SpecError(
                f"the group of a symmetry is {' or '.join(map(repr, GROUPS))}; got {brief(self.group)}"
            )
        if self.norms and self.group != "orthogonal":
            raise SpecError(f"norms belong to an orthogonal group; {self.permutation!r} has {self.group!r}")
        if any(bool(role.pairs) != (self.group == "rotations") for role in self.roles):
            raise SpecError(
                f"pairs belong to the roles of rotations, and to each; {self.permutation!r} has {self.group!r}"
            )

    @property
    def rotations(self) -> int:
        """Rotations of each unit."""
        return max((pair.rotation + 1 for role in self.roles for pair in role.pairs), default=0)


class UnshownSymmetryError(SpecError):
    """A model's outputs depend on no parameter that ``symmetries`` act on: nothing is proven, and nothing wrong."""

    def __init__(self, message: str, symmetries: Iterable[Symmetry]) -> None:
        super().__init__(message)
        self.symmetries = tuple(symmetries)


def symmetries_to_json(symmetries: Iterable[Symmetry]) -> list[dict[str, Any]]:
    """The symmetries as JSON values."""
    return [
        {
            "permutation": symmetry.permutation,
            "group": symmetry.group,
            "roles": [_role_to_json(role) for role in symmetry.roles],
            "norms": [
                {
                    "kind": norm.kind,
                    "gain": norm.gain,
                    "bias": norm.bias,
                    "readers": [[reader.parameter, reader.axis, reader.bias] for reader in norm.readers],
                }
                for norm in symmetry.norms
            ],
        }
        for symmetry in symmetries
    ]


def symmetries_from_json(value: Any) -> tuple[Symmetry, ...]:
    """The symmetries of a value of :func:`symmetries_to_json`; SpecError for other values."""
    try:
        return tuple(
            Symmetry(
                fields["permutation"],
                fields["group"],
                tuple(map(_role, fields["roles"])),
                tuple(_norm(norm) for norm in fields["norms"]),
            )
            for fields in value
        )
    except (KeyError, TypeError, ValueError) as error:
        raise SpecError(f"the symmetries of a permutation spec are malformed: {error!r}") from None


def _role_to_json(role: Role) -> list[Any]:
    pairs = [list(map(list, role.pairs))] if role.pairs else []
    return [role.parameter, role.axis, list(role.exponents), *pairs]


def _role(fields: Sequence[Any]) -> Role:
    name, axis, exponents, *pairs = fields
    return Role(name, axis, tuple(exponents), *(tuple(Pair(*pair) for pair in found) for found in pairs))


def _norm(fields: Mapping[str, Any]) -> Norm:
    if fields["kind"] not in NORM_KINDS:
        raise ValueError(f"a norm is of kind {' or '.join(NORM_KINDS)}, got {brief(fields['kind'])}")
    readers = tuple(Reader(name, axis, bias) for name, axis, bias in fields["readers"])
    return Norm(fields["kind"], fields["gain"], fields["bias"], readers)


def check_symmetries(symmetries: object, places: Mapping[str, list[tuple[str, int]]]) -> tuple[Symmetry, ...]:
    """``symmetries`` as a tuple; SpecError unless each acts on axes where its permutation stands.

    ``places``: for each permutation of the spec, the axes on which it stands.
    """
    if isinstance(symmetries, str | bytes | Mapping) or not isinstance(symmetries, Iterable):
        raise SpecError(f"symmetries is a sequence of Symmetry, got {brief(symmetries)}")
    found = tuple(symmetries)
    for symmetry in found:
        if not isinstance(symmetry, Symmetry):
            raise SpecError(f"symmetries is a sequence of Symmetry; one is {brief(symmetry)}")
        if symmetry.permutation not in places:
            raise SpecError(
                f"a symmetry names the permutation {symmetry.permutation!r}, which stands on no axis"
            )
        for role in symmetry.roles:
            _check_role(symmetry.permutation, role, places[symmetry.permutation])
        for norm in symmetry.norms:
            _check_norm(symmetry.permutation, norm, places[symmetry.permutation])
    pairs = [(symmetry.permutation, symmetry.group) for symmetry in found]
    twice = next((pair for pair in pairs if pairs.count(pair) > 1), None)
    if twice is not None:
        raise SpecError(f"permutation {twice[0]!r} has two symmetries of group {twice[1]!r}")
    return found


def _check_role(permutation: str, role: Role, places: list[tuple[str, int]]) -> None:
    where = f"a symmetry of {permutation!r}"
    if not isinstance(role.axis, int) or (role.parameter, role.axis) not in places:
        raise SpecError(
            f"{where} acts on axis {brief(role.axis)} of {brief(role.parameter)}, where it does not stand"
        )
    if not role.exponents or any(
        type(exponent) is not int or exponent not in (-1, 0, 1) for exponent in role.exponents
    ):
        raise SpecError(
            f"{where} has exponents {brief(role.exponents)} on {role.parameter!r}; they are -1, 0 or 1"
        )

    numbers = [number for pair in role.pairs for number in pair]
    if role.pairs and (len(role.exponents) != 1 or role.exponents == (0,)):
        raise SpecError(f"{where} rotates pairs of {role.parameter!r}: its exponent is 1 or -1")
    if any(type(number) is not int or number < 0 for number in numbers):
        raise SpecError(f"{where} has pairs of {role.parameter!r} that are no whole numbers from 0 on")
    positions = [position for pair in role.pairs for position in pair[1:]]
    if len(set(positions)) < len(positions):
        raise SpecError(f"{where} has two pairs of {role.parameter!r} with one position")


def _check_norm(permutation: str, norm: Norm, places: list[tuple[str, int]]) -> None:
    where = f"a norm of the symmetry of {permutation!r}"
    if norm.kind not in NORM_KINDS:
        raise SpecError(
            f"{where} is of kind {brief(norm.kind)}; {' or '.join(map(repr, NORM_KINDS))} is expected"
        )
    for what, name in (("gain", norm.gain), ("bias", norm.bias)):
        if name is not None and (name, 0) not in places:
            raise SpecError(f"{where} has the {what} {brief(name)}, where its units do not stand")
    for reader in norm.readers:
        if type(reader.axis) is not int or (reader.parameter, reader.axis) not in places:
            raise SpecError(
                f"{where} is read by axis {brief(reader.axis)} of {brief(reader.parameter)}, where its units do not "
                "stand"
            )
        bias: object = reader.bias
        if bias is not None and not isinstance(bias, str):
            raise SpecError(f"{where} has a reader with the bias {brief(bias)}; a name is expected")


def renamed_symmetries(symmetries: Iterable[Symmetry], names: Mapping[str, str]) -> tuple[Symmetry, ...]:
    """The symmetries with other names of parameters: ``names`` maps those that change."""

    def new(name: str | None) -> Any:
        return None if name is None else names.get(name, name)

    return tuple(
        Symmetry(
            symmetry.permutation,
            symmetry.group,
            tuple(replace(role, parameter=new(role.parameter)) for role in symmetry.roles),
            tuple(
                Norm(
                    norm.kind,
                    new(norm.gain),
                    new(norm.bias),
                    tuple(Reader(new(r.parameter), r.axis, new(r.bias)) for r in norm.readers),
                )
                for norm in symmetry.norms
            ),
        )
        for symmetry in symmetries
    )
