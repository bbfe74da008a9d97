"""The symmetries of a program beyond permutations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from rebasin_fast.specs.axis import Entry, Joined, Slice, chains_of, leaves_of, permutations_of
from rebasin_fast.specs.symmetry import Group, Role, Symmetry
from rebasin_fast.specs.tracing.algebra.forms import Reason
from rebasin_fast.specs.tracing.algebra.values import Value
from rebasin_fast.specs.tracing.contraction import snapshot
from rebasin_fast.specs.tracing.interpret import Interpreter
from rebasin_fast.specs.tracing.structure import Structure
from rebasin_fast.specs.tracing.symmetries import (  # noqa: F401  handlers register themselves
    elementwise,
    movement,
    normalisation,
    products,
    reductions,
)
from rebasin_fast.specs.tracing.symmetries.equations import Equations
from rebasin_fast.specs.tracing.symmetries.handlers import Operation, apply
from rebasin_fast.specs.tracing.symmetries.laws import Law, Laws
from rebasin_fast.specs.tracing.symmetries.norms import NormOutput, Norms
from rebasin_fast.specs.tracing.symmetries.ports import Port, Ports

Exponents = dict[tuple[int, int], Fraction]


@dataclass(frozen=True)
class Place:
    """One copy of the units on an axis of a parameter, and its exponent's unknown."""

    parameter: str
    axis: int
    unknown: tuple[int, int]


def derived_symmetries(
    interpreter: Interpreter,
    structure: Structure,
    names: Mapping[int, str],
    entries: Mapping[str, Sequence[Entry]],
    buffers: frozenset[str],
) -> tuple[tuple[Symmetry, ...], dict[str, Reason]]:
    """The symmetries of every permutation, and why those without have order alone, or a stream no rotations."""
    parameters = {name: value for name, value in interpreter.parameters.items() if name in interpreter.used}
    numbers = {
        number: name for number, name in names.items() if name in _candidates(structure, names, entries)
    }
    laws = Laws(Ports(structure.space, structure), numbers)
    uses = Counter(
        argument.value.parameter
        for executed in interpreter.executed
        for argument in executed.arguments
        if argument.value.parameter is not None
    )
    norms = Norms(parameters, {name: uses[name] for name in parameters})
    for executed in interpreter.executed:
        apply(Operation(executed, laws, norms))
    found: list[Symmetry] = []
    refused: dict[str, Reason] = {}
    for number, name in numbers.items():
        own, reason = _of_class(laws, norms, number, name, _places(laws, number, parameters), buffers)
        found += own
        if reason is not None:
            refused[name] = reason
    return tuple(with_ties(symmetry, interpreter.program.tied) for symmetry in found), refused


def _candidates(
    structure: Structure, names: Mapping[int, str], entries: Mapping[str, Sequence[Entry]]
) -> set[str]:
    """Permutations whose units are whole on every axis, and in which no others nest."""
    standing = [entry for row in entries.values() for entry in row if entry is not None]
    outers = {outer for outers in structure.outers_in_tensors().values() for outer in outers}
    cut = {leaf.permutation for entry in standing for leaf in leaves_of(entry) if isinstance(leaf, Slice)}
    joined = {
        name
        for row in entries.values()
        if any(isinstance(entry, Joined) for entry in row)
        for entry in row
        for name in permutations_of(entry)
    }
    nesting = {names[number] for number in outers if number in names} & _outer_in(entries)
    return {
        name
        for number, name in names.items()
        if len(structure.classes[number]) == 1 and name not in cut | joined | nesting
    }


def _outer_in(entries: Mapping[str, Sequence[Entry]]) -> set[str]:
    """Permutations that others nest in on some axis."""
    return {
        name
        for row in entries.values()
        for entry in row
        if entry is not None
        for chain in chains_of(entry)
        for name in chain[:-1]
    }


def _places(laws: Laws, number: int, parameters: Mapping[str, Value]) -> list[Place]:
    found = []
    for name, value in parameters.items():
        ports: list[Port] = laws.ports(snapshot(value)).get(number, [])
        found += [Place(name, port.axes[0], (id(value), i)) for i, port in enumerate(ports)]
    return found


def _of_class(
    laws: Laws, norms: Norms, number: int, name: str, places: Sequence[Place], buffers: frozenset[str]
) -> tuple[list[Symmetry], Reason | None]:
    law, outputs = laws.of[number], [output for output in norms.found if output.number == number]
    if number in laws.dropped:
        return [], laws.dropped[number]
    barred = law.barred or _barred_by_norms(norms, number, outputs)
    if barred is None:
        matrix = _by_matrix(law, norms, number, name, places, outputs)
        if matrix is not None:
            return [matrix], None
        barred = Reason("units in several parts")
    groups: list[Symmetry] = []
    for group, equations in (("signs", law.signs), ("scales", law.scales)):
        roles = _best(equations, places, buffers)
        if roles:
            groups.append(Symmetry(name, group, roles))  # type: ignore[arg-type]
    is_stream = bool(norms.kinds.get(number)) or bool(outputs)
    return groups, barred if is_stream or not groups else None


def _barred_by_norms(norms: Norms, number: int, outputs: Sequence[NormOutput]) -> Reason | None:
    kept = next((o.kept_by for o in outputs if o.kept_by is not None and (o.gain or o.bias)), None)
    if kept is not None:
        return kept
    kinds = norms.kinds.get(number, set())
    if "layer" in kinds and "rms" in kinds:
        return Reason("norms of two kinds")
    return norms.raw_reads.get(number) if "layer" in kinds else None


def _by_matrix(
    law: Law, norms: Norms, number: int, name: str, places: Sequence[Place], outputs: Sequence[NormOutput]
) -> Symmetry | None:
    """Orthogonal where a norm or a shared array asks for it, else linear; None where parts are independent."""
    gains = {output.gain for output in outputs}
    moving = [place for place in places if place.parameter not in gains]
    basis = law.matrices.solutions()
    touching = [solution for solution in basis if any(place.unknown in solution for place in moving)]
    isometric = bool(norms.kinds.get(number)) or any(output.gain for output in outputs)
    if len(touching) != 1 or any(abs(touching[0].get(place.unknown, 0)) != 1 for place in moving):
        return None
    exponents = {place.unknown: int(touching[0][place.unknown]) for place in moving}
    first = next(iter(exponents.values()))
    roles = _roles(places, {unknown: value * first for unknown, value in exponents.items()})
    group: Group = "orthogonal" if isometric else "linear"
    return Symmetry(name, group, roles, tuple(o.norm() for o in outputs) if isometric else ())


def _best(equations: Equations, places: Sequence[Place], buffers: frozenset[str]) -> tuple[Role, ...]:
    """The solution that acts on most parameters that are trained; () where none acts on two."""
    unknowns = {place.unknown for place in places}
    trained = {place.unknown for place in places if place.parameter not in buffers}
    basis: list[Exponents] = [
        {unknown: solution[unknown] for unknown in unknowns if unknown in solution}
        for solution in equations.solutions()
    ]
    candidates = [solution for solution in basis if solution]
    best: Exponents = {}
    for solution in candidates:
        scaled = _whole(solution)
        if scaled is not None and len(trained & scaled.keys()) > len(trained & best.keys()):
            best = scaled
    if len(trained & best.keys()) < 2:
        return ()
    first = best[next(place.unknown for place in places if place.unknown in best)]
    return _roles(places, {unknown: int(value * first) for unknown, value in best.items()})


def _whole(solution: Exponents) -> Exponents | None:
    """With exponents of 1 and -1; None where they differ more."""
    largest = max(abs(value) for value in solution.values())
    scaled = {unknown: value / largest for unknown, value in solution.items()}
    return scaled if all(abs(value) == Fraction(1) for value in scaled.values()) else None


def _roles(places: Sequence[Place], exponents: Mapping[tuple[int, int], int]) -> tuple[Role, ...]:
    by_axis: dict[tuple[str, int], list[int]] = {}
    for place in places:
        by_axis.setdefault((place.parameter, place.axis), []).append(exponents.get(place.unknown, 0))
    return tuple(
        Role(parameter, axis, (found[0],) if len(set(found)) == 1 else tuple(found))
        for (parameter, axis), found in by_axis.items()
    )


def with_ties(symmetry: Symmetry, tied: Mapping[str, str]) -> Symmetry:
    """The same roles for further names of shared tensors."""
    further = [
        replace(role, parameter=name)
        for name, first in tied.items()
        for role in symmetry.roles
        if role.parameter == first
    ]
    return Symmetry(symmetry.permutation, symmetry.group, (*symmetry.roles, *further), symmetry.norms)
