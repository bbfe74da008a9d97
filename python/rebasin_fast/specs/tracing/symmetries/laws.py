"""Exponents of units on every value: the equations of signs, scales and matrices that operations impose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rebasin_fast.specs.tracing.algebra.forms import Reason
from rebasin_fast.specs.tracing.algebra.values import Value
from rebasin_fast.specs.tracing.contraction import Snapshot
from rebasin_fast.specs.tracing.symmetries.equations import Equations
from rebasin_fast.specs.tracing.symmetries.functions import IDENTITY, Function
from rebasin_fast.specs.tracing.symmetries.ports import Port, Ports

Unknown = tuple[int, int]  # value, and which of its copies of the class


@dataclass
class Law:
    """The equations of one class. ``barred``: why no matrix acts on its units."""

    signs: Equations = field(default_factory=lambda: Equations(2))
    scales: Equations = field(default_factory=Equations)
    matrices: Equations = field(default_factory=Equations)
    barred: Reason | None = None

    def function(self, x: Unknown, y: Unknown, f: Function, reason: Reason) -> None:
        """Y = f(x), entry by entry."""
        if f.sign is None:
            self.no_signs((x, y))
        else:
            self.signs.total({y: 1, x: -f.sign}) if f.sign != 1 else self.signs.equal(y, x)
        if f.scale is None:
            self.no_scales((x, y))
        elif f.scale == 1:
            self.scales.equal(y, x)
        else:
            self.scales.total({y: 1, x: -f.scale})
        if f.linear:
            self.matrices.equal(y, x)
        elif not f.square:  # which may be used in sums alone
            self.bar(reason)

    def product(self, x: Unknown, y: Unknown, z: Unknown, reason: Reason, sign: int = 1) -> None:
        """Z = x · y, entry by entry, or x / y for a sign of -1."""
        for equations in (self.signs, self.scales):
            equations.total({z: 1, x: -1, y: -sign})
        self.bar(reason)

    def alike(self, x: Unknown, y: Unknown) -> None:
        """X = y."""
        for equations in (self.signs, self.scales, self.matrices):
            equations.equal(x, y)

    def contracted(self, unknowns: Sequence[Unknown], reason: Reason) -> None:
        """The units are summed over in a product of the values."""
        if len(unknowns) == 2:
            x, y = unknowns
            self.signs.equal(x, y)
            self.scales.equal(x, y, -1)
            self.matrices.equal(x, y, -1)
        else:
            self.nothing(unknowns, reason)

    def nothing(self, unknowns: Iterable[Unknown], reason: Reason) -> None:
        """No sign, scale or matrix acts there."""
        listed = list(unknowns)
        self.no_signs(listed)
        self.no_scales(listed)
        self.bar(reason)

    def no_signs(self, unknowns: Iterable[Unknown]) -> None:
        """Signs do not pass."""
        for unknown in unknowns:
            self.signs.zero(unknown)

    def no_scales(self, unknowns: Iterable[Unknown]) -> None:
        """Scales do not pass."""
        for unknown in unknowns:
            self.scales.zero(unknown)

    def bar(self, reason: Reason) -> None:
        """No matrix acts on the units."""
        self.barred = self.barred or reason


class Laws:
    """The laws of all classes that may have more symmetries than permutations."""

    def __init__(self, ports: Ports, numbers: Iterable[int]) -> None:
        self._ports = ports
        self.of: dict[int, Law] = {number: Law() for number in numbers}
        self._copies: dict[tuple[int, int], int] = {}
        self.dropped: dict[int, Reason] = {}  # classes whose copies cannot be told apart

    def ports(self, snapshot: Snapshot) -> dict[int, list[Port]]:
        """The copies of every class that has a law; each time as many, or one that stands for all."""
        found = {c: ports for c, ports in self._ports.of(snapshot).items() if c in self.of}
        for number, ports in found.items():
            before = self._copies.setdefault((id(snapshot.value), number), len(ports))
            if before == len(ports):
                continue
            if 1 not in (before, len(ports)):
                self.drop(number, Reason("an operation that cuts the units"))
            most = max(before, len(ports))
            self._copies[id(snapshot.value), number] = most
            for unknown in unknowns(snapshot.value, most)[1:]:
                self.of[number].alike(unknown, (id(snapshot.value), 0))
        return found

    def unknowns(self, snapshot: Snapshot, number: int) -> list[Unknown]:
        """The exponents of the copies of a class on a value."""
        return unknowns(snapshot.value, len(self.ports(snapshot).get(number, ())))

    def drop(self, number: int, reason: Reason) -> None:
        """The class has permutations only."""
        self.dropped.setdefault(number, reason)

    def give_up(self, snapshots: Iterable[Snapshot], reason: Reason) -> None:
        """Nothing is known of an operation: nothing acts on its arguments and results."""
        for snapshot in snapshots:
            for number, ports in self.ports(snapshot).items():
                self.of[number].nothing(unknowns(snapshot.value, len(ports)), reason)

    def function(self, argument: Snapshot, result: Snapshot, f: Function, reason: Reason) -> None:
        """The result is a function of the argument, entry by entry."""
        self._pass(argument, result, f, reason)
        self.broken(argument, self.ports(argument).keys() - self.ports(result).keys(), reason)

    def moved(self, argument: Snapshot, result: Snapshot, reason: Reason) -> None:
        """The result holds entries of the argument; copies that it leaves out have no equation."""
        self._pass(argument, result, IDENTITY, reason)

    def _pass(self, argument: Snapshot, result: Snapshot, f: Function, reason: Reason) -> None:
        given, before = self.ports(result), self.ports(argument)
        for number in given:
            if number not in before:  # repeated for every unit: the same for all of them
                self.broken(result, [number], reason)
                continue
            pairs = paired(before[number], given[number])
            if pairs is None:
                self.drop(number, reason)
                continue
            for i, k in pairs:
                self.of[number].function((id(argument.value), i), (id(result.value), k), f, reason)

    def broken(self, snapshot: Snapshot, numbers: Iterable[int], reason: Reason) -> None:
        """Nothing acts on these classes of a value."""
        for number in numbers:
            self.of[number].nothing(self.unknowns(snapshot, number), reason)


def unknowns(value: Value, copies: int) -> list[Unknown]:
    """The exponents of the copies of a class on ``value``."""
    return [(id(value), i) for i in range(copies)]


def paired(arguments: Sequence[Port], results: Sequence[Port]) -> list[tuple[int, int]] | None:
    """For each copy in the result, the copy in the argument that it is; None where that is not known."""
    places = [(port.base, port.first) for port in arguments]
    wanted = [(port.base, port.first) for port in results]
    if len(set(places)) == len(places) and set(wanted) <= set(places):
        return [(places.index(place), k) for k, place in enumerate(wanted)]
    if len(arguments) == len(results):
        return [(i, i) for i in range(len(results))]
    if 1 in (
        len(arguments),
        len(results),
    ):  # beside an axis that counts copies, such as a batch, or no longer
        return [(i, k) for i in range(len(arguments)) for k in range(len(results))]
    return None
