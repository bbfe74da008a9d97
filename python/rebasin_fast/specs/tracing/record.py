"""Operations as they were executed: arguments and results with their groups after the rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rebasin_fast.specs.tracing.algebra.values import values_in
from rebasin_fast.specs.tracing.contraction import Contraction, Snapshot, snapshot

if TYPE_CHECKING:
    from rebasin_fast.specs.tracing.registry import Call


@dataclass(frozen=True, slots=True, eq=False)
class Executed:
    """One operation."""

    call: Call
    arguments: tuple[Snapshot, ...]
    results: tuple[Snapshot, ...]
    contractions: tuple[Contraction, ...]
    stale: bool = False  # the result is written to before it is read


def snapshots(argument: Any) -> tuple[Snapshot, ...]:
    """All values in ``argument`` as they are now."""
    return tuple(snapshot(value) for value in values_in(argument))
