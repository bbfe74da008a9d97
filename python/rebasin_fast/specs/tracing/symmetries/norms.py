"""Norms over units: squares that are summed, gains, and the axes that read the output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rebasin_fast.specs.symmetry import Norm, NormKind, Reader
from rebasin_fast.specs.tracing.algebra.forms import Reason
from rebasin_fast.specs.tracing.algebra.values import Value
from rebasin_fast.specs.tracing.contraction import Snapshot
from rebasin_fast.specs.tracing.symmetries.laws import Laws

_Operand = tuple[Snapshot, tuple[int, ...]]


@dataclass
class NormOutput:
    """One norm, or a gain alone: what reads its output, and why its gain cannot be multiplied into the readers."""

    number: int
    kind: NormKind
    gain: str | None
    bias: str | None
    readers: list[Reader] = field(default_factory=list)
    kept_by: Reason | None = None

    def norm(self) -> Norm:
        """As an entry of the spec."""
        return Norm(self.kind, self.gain, self.bias, tuple(dict.fromkeys(self.readers)))


class Norms:
    """The norms of a program, while its operations are read in order."""

    def __init__(self, parameters: Mapping[str, Value], uses: Mapping[str, int]) -> None:
        self._names = {id(value): name for name, value in parameters.items()}
        self._uses = uses
        self._squares: set[int] = set()
        self._outputs: dict[int, NormOutput] = {}
        self._centred: set[int] = set()  # outputs of layer norms, and what was read of them
        self.found: list[NormOutput] = []
        self.kinds: dict[int, set[NormKind]] = {}
        self.raw_reads: dict[int, Reason] = {}

    # --- squares -------------------------------------------------------------------------------------------------

    def squared(self, result: Snapshot) -> None:
        """The result holds squares, which may be summed, and nothing else."""
        self._squares.add(id(result.value))

    def is_square(self, snapshot: Snapshot) -> bool:
        """Whether the value holds squares."""
        return id(snapshot.value) in self._squares

    def isometric(self, number: int) -> None:
        """The length of the vector of units is used: matrices are orthogonal."""
        self.kinds.setdefault(number, set()).add("rms")

    # --- outputs -------------------------------------------------------------------------------------------------

    def name_of(self, snapshot: Snapshot | None) -> str | None:
        """The parameter that a value is."""
        return None if snapshot is None else self._names.get(id(snapshot.value))

    def layer(
        self, number: int, result: Snapshot, kind: NormKind, gain: str | None, bias: str | None
    ) -> None:
        """A norm over the units of a class, with its gain and bias."""
        self.kinds.setdefault(number, set()).add(kind)
        if kind == "layer":
            self._centred.add(id(result.value))
        self._record(NormOutput(number, kind, gain, bias), result)

    def gained(
        self, laws: Laws, first: Snapshot | None, second: Snapshot | None, result: Snapshot
    ) -> Snapshot | None:
        """The factor that is a vector of one number a unit, and a parameter; recorded as a gain."""
        for factor, other in ((first, second), (second, first)):
            name = self.name_of(factor)
            if factor is None or other is None or name is None or len(factor.value.shape) != 1:
                continue
            numbers = laws.ports(factor)
            if (
                len(numbers) == 1
                and numbers.keys() <= laws.ports(other).keys()
                and self.name_of(other) is None
            ):
                (number,) = numbers
                self._record(NormOutput(number, "rms", name, None), result)
                return factor
        return None

    def _record(self, output: NormOutput, result: Snapshot) -> None:
        for name in (output.gain, output.bias):
            if name is not None and self._uses.get(name, 0) > 1:
                output.kept_by = Reason(f"{name!r}, which is used more than once")
        self.found.append(output)
        self._outputs[id(result.value)] = output

    def moved(self, argument: Snapshot, result: Snapshot) -> None:
        """The result holds entries of the argument."""
        old, new = id(argument.value), id(result.value)
        for known in (self._squares, self._centred):
            if old in known:
                known.add(new)
        if old in self._outputs:
            self._outputs[new] = self._outputs[old]

    def used(self, laws: Laws, snapshot: Snapshot, reason: Reason) -> None:
        """An operation other than a product reads the value."""
        if id(snapshot.value) in self._squares:
            for number in laws.ports(snapshot):
                laws.of[number].bar(reason)
        output = self._outputs.get(id(snapshot.value))
        if output is not None:
            output.kept_by = output.kept_by or reason

    def read(
        self,
        laws: Laws,
        number: int,
        first: _Operand,
        second: _Operand,
        bias: Snapshot | None,
        reason: Reason,
    ) -> None:
        """A product sums over the units of two operands."""
        for (operand, _), (other, axes) in ((first, second), (second, first)):
            if self.name_of(operand) is not None:
                continue
            output = self._outputs.get(id(operand.value))
            if id(operand.value) not in self._centred:
                self.raw(number, reason)
            if id(operand.value) in self._squares:
                laws.of[number].bar(reason)
            if output is not None and output.number == number:
                self._add_reader(output, other, axes, bias, reason)

    def raw(self, number: int, reason: Reason) -> None:
        """The units are read without a layer norm between."""
        self.raw_reads.setdefault(number, reason)

    def _add_reader(
        self,
        output: NormOutput,
        reader: Snapshot,
        axes: tuple[int, ...],
        bias: Snapshot | None,
        reason: Reason,
    ) -> None:
        name = self.name_of(reader)
        if name is None or len(axes) != 1:
            output.kept_by = output.kept_by or reason
        elif self._uses.get(name, 0) > 1:
            output.kept_by = output.kept_by or Reason(f"{name!r}, which is used more than once")
        else:
            added = self.name_of(bias)
            alone = added is not None and self._uses.get(added, 0) == 1
            output.readers.append(Reader(name, axes[0], added if alone else None))
