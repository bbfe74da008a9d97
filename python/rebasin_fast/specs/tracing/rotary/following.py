"""Outputs of projections, followed to the products of queries and keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rebasin_fast.specs.tracing.algebra.forms import Reason
from rebasin_fast.specs.tracing.algebra.values import Value
from rebasin_fast.specs.tracing.contraction import Contraction
from rebasin_fast.specs.tracing.record import Executed
from rebasin_fast.specs.tracing.rotary.entries import Entries
from rebasin_fast.specs.tracing.rotary.movement import SAME, Numbers, moved
from rebasin_fast.specs.tracing.rotary.tables import Tables, changes_in_place, joined
from rebasin_fast.specs.tracing.symmetries.handlers import packet


@dataclass(frozen=True)
class Projection:
    """A linear map by a parameter: its outputs are the sources from ``first`` on."""

    weight: str
    bias: str | None
    first: int
    length: int


@dataclass(frozen=True, eq=False)
class Site:
    """Queries and keys of one product, (terms, heads, dims) each: entry by entry they are multiplied and summed."""

    queries: Entries
    keys: Entries
    reason: Reason


class Following:
    """The entries that hold outputs of projections, operation by operation.

    Attributes
    ----------
    projections : list[Projection]
    sites : list[Site]
    lost : dict[int, Reason]
        Sources that another operation reads, each with the first.
    refused : dict[str, Reason]
        Weights whose outputs are not followed.
    """

    def __init__(
        self,
        executed: Sequence[Executed],
        parameters: Mapping[str, Value],
        projecting: Callable[[str], bool],
        outputs: Sequence[Value],
    ) -> None:
        self.projections: list[Projection] = []
        self.sites: list[Site] = []
        self.lost: dict[int, Reason] = {}
        self.refused: dict[str, Reason] = {}
        self._names = {id(value): name for name, value in parameters.items()}
        self._uses = Counter(id(argument.value) for one in executed for argument in one.arguments)
        self._projecting = projecting
        self._tables = Tables(executed)
        self._entries: dict[int, Entries] = {}
        for one in executed:
            self._read(one)
        for value in outputs:
            if id(value) in self._entries:
                self._lose(self._entries[id(value)], Reason("output of the model"))

    def _read(self, executed: Executed) -> None:
        given = [self._entries.get(id(argument.value)) for argument in executed.arguments]
        held = [own for own in given if own is not None]
        name = packet(executed.call.operation)
        if name == "_assert_tensor_metadata":
            return
        if not held:
            if name == "linear":
                self._begin(executed)
            return
        found: list[Entries] | None = None
        if not executed.stale and not changes_in_place(executed):
            try:
                if executed.contractions and name != "linear" and self._meet(executed, name):
                    return
                found = None if executed.contractions else self._results(executed, name, given)
            except (KeyError, IndexError, TypeError, ValueError):  # a call of another form than is read here
                found = None
        if found is None:
            self._lose_all(held, executed.call.reason)
            return
        for result, entries in zip(executed.results, found, strict=False):
            self._entries[id(result.value)] = entries

    def _begin(self, executed: Executed) -> None:
        weight, bias = executed.call["weight"], executed.call["bias"]
        names = [self._names.get(id(part)) for part in (weight, bias) if part is not None]
        if names[0] is None or not self._projecting(names[0]):
            return
        twice = [part for part in (weight, bias) if part is not None and self._uses[id(part)] > 1]
        if twice or None in names or changes_in_place(executed):
            again = [self._names.get(id(part)) for part in twice]
            reason = Reason(f"{again[0]!r}, which is used more than once") if again else executed.call.reason
            self.refused.setdefault(names[0], reason)
            return
        first = sum(projection.length for projection in self.projections)
        length = weight.shape[0]
        self.projections.append(Projection(names[0], (*names, None)[1], first, length))
        value = executed.results[0].value
        self._entries[id(value)] = Entries.of_axis(len(value.shape), first, length)

    def _results(
        self, executed: Executed, name: str, given: Sequence[Entries | None]
    ) -> list[Entries] | None:
        arguments, own = executed.arguments, [entries for entries in given if entries is not None]
        if name in ("cat", "concat", "concatenate", "stack"):
            return self._joined(executed, name, own) if len(own) == len(arguments) else None
        if name in ("neg", "negative"):
            return [own[0].negated()]
        if name in ("add", "sub", "subtract") and len(own) == len(arguments) == 2:
            if executed.call["alpha"] not in (None, 1):
                return None
            total = own[0].plus(own[1] if name == "add" else own[1].negated())
            return None if total is None else [total]
        if name in ("mul", "multiply", "div", "divide"):
            return self._scaled(executed, name, given)
        if name == "view_as_complex" and own[0].sources.shape[-1] == 2:
            return [Entries(own[0].sources, own[0].factors, is_complex=True)]
        if name == "view_as_real" and own[0].is_complex:
            return [Entries(own[0].sources, own[0].factors)]
        if own[0].is_complex and name not in SAME:
            return None
        return own[0].viewed(lambda numbers: moved(executed, numbers)) if len(arguments) == 1 else None

    def _joined(self, executed: Executed, name: str, parts: Sequence[Entries]) -> list[Entries] | None:
        if any(part.is_complex for part in parts):
            return None
        most = max(len(part.sources) for part in parts)
        parts = [part.padded(most) for part in parts]
        shapes = [argument.value.shape for argument in executed.arguments]
        axis = executed.call["dim"] or 0
        found = [
            [joined(name, axis, [kind[term] for kind in kinds], shapes) for term in range(most)]
            for kinds in ([part.sources for part in parts], [part.factors for part in parts])
        ]
        sources, factors = ([term for term in terms if term is not None] for terms in found)
        whole = len(sources) == len(factors) == most
        return [Entries(np.stack(sources), np.stack(factors))] if whole else None

    def _scaled(self, executed: Executed, name: str, given: Sequence[Entries | None]) -> list[Entries] | None:
        """Times a number, or a table; divided by a number."""
        call, divided = executed.call, name.startswith("div")
        (entries, *others) = [own for own in given if own is not None]
        if others or call["rounding_mode"] is not None:
            return None
        table = next((a.value for a, own in zip(executed.arguments, given, strict=True) if own is None), None)
        if table is None:  # the same for all entries
            return [entries]
        if divided or len(table.shape) > entries.rank:
            return None
        numbers = self._tables.numbers(table)
        times = Entries.times_complex if entries.is_complex else Entries.times
        product = times(entries, numbers, self._tables)
        return None if product is None else [product]

    def _meet(self, executed: Executed, name: str) -> bool:
        """Whether a product sums over the last entries of two operands that are followed; noted as a site."""
        met = False
        for contraction in executed.contractions:
            first, second = (operand[0].value for operand in contraction.operands[:2])
            entries = [self._entries.get(id(value)) for value in (first, second)]
            if name == "scaled_dot_product_attention" and contraction is executed.contractions[0]:
                key = executed.call["key"]
                entries[1] = self._repeated(self._entries.get(id(key)), key.shape, second.shape)
            if all(own is None for own in entries):
                continue
            met = True
            site = None if None in entries else _site(contraction, entries, executed.call.reason)
            if site is None:
                self._lose_all([own for own in entries if own is not None], executed.call.reason)
            else:
                self.sites.append(site)
        return met

    def _repeated(self, entries: Entries | None, given: Sequence[int], used: Sequence[int]) -> Entries | None:
        """Keys that several heads of queries share, in fused attention."""
        if entries is None or tuple(given) == tuple(used):
            return entries
        axis = len(given) - 3
        if entries.sources.shape[1 + axis] != given[axis]:
            self._lose(entries, Reason("keys that are repeated"))
            return None
        times = used[axis] // given[axis]
        return Entries(
            np.repeat(entries.sources, times, 1 + axis), np.repeat(entries.factors, times, 1 + axis)
        )

    def _lose_all(self, entries: Sequence[Entries], reason: Reason) -> None:
        for own in entries:
            self._lose(own, reason)

    def _lose(self, entries: Entries, reason: Reason) -> None:
        for source in entries.held:
            self.lost.setdefault(int(source), reason)


def _site(contraction: Contraction, entries: Sequence[Entries | None], reason: Reason) -> Site | None:
    """The two operands with aligned heads; None where they are not summed over one axis that both hold."""
    (_, of_queries), (_, of_keys) = contraction.operands
    summed = [label for label in of_queries if label in of_keys and label not in contraction.labels]
    if len(summed) != 1:
        return None
    batch = [label for label in of_queries if label in of_keys and label in contraction.labels]
    aligned = []
    for own, labels in zip(entries, (of_queries, of_keys), strict=True):
        if own is None or own.is_complex:
            return None
        places = {label: axis + 1 for axis, label in enumerate(labels)}
        alone = [places[label] for label in labels if label not in batch and label != summed[0]]
        if any(own.sources.shape[axis] != 1 for axis in alone) or len(places) != len(labels):
            return None
        order = [0, *(places[label] for label in batch), places[summed[0]], *alone]
        aligned.append(Entries(own.sources.transpose(order), own.factors.transpose(order)))
    shape = np.broadcast_shapes(*(own.sources.shape[1 : len(batch) + 2] for own in aligned))

    def flat(part: Numbers) -> Numbers:
        heads = part.reshape(part.shape[: len(batch) + 2])
        return np.broadcast_to(heads, (len(part), *shape)).reshape(len(part), -1, shape[-1])

    queries, keys = (Entries(flat(own.sources), flat(own.factors)) for own in aligned)
    return Site(queries, keys, reason)
