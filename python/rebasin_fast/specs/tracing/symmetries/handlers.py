"""The laws of operations by name: a handler a kind, registered on import."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from rebasin_fast.specs.tracing.algebra.values import Value
from rebasin_fast.specs.tracing.contraction import Snapshot
from rebasin_fast.specs.tracing.symmetries.laws import Laws

if TYPE_CHECKING:
    from rebasin_fast.specs.tracing.algebra.forms import Reason
    from rebasin_fast.specs.tracing.record import Executed
    from rebasin_fast.specs.tracing.symmetries.norms import Norms


class Operation:
    """One executed operation, and the laws that it adds to."""

    def __init__(self, executed: Executed, laws: Laws, norms: Norms) -> None:
        self.executed = executed
        self.laws = laws
        self.norms = norms
        self.call = executed.call
        self.name = packet(executed.call.operation)
        self.reason: Reason = executed.call.reason
        self._snapshots = {id(snapshot.value): snapshot for snapshot in executed.arguments}

    @property
    def result(self) -> Snapshot:
        """The first tensor that is returned."""
        return self.executed.results[0]

    def argument(self, *names: str) -> Snapshot | None:
        """The first tensor argument of one of these names."""
        for name in names:
            value = self.call.arguments.get(name)
            if isinstance(value, Value):
                return self._snapshots[id(value)]
        return None

    def given(self, *names: str) -> Iterator[Snapshot]:
        """The tensor arguments of these names."""
        for name in names:
            found = self.argument(name)
            if found is not None:
                yield found

    def all(self) -> tuple[Snapshot, ...]:
        """Arguments and results."""
        return (*self.executed.arguments, *self.executed.results)

    def give_up(self) -> None:
        """Nothing is known."""
        self.laws.give_up(self.all(), self.reason)


Handler = Callable[[Operation], None]

HANDLERS: dict[str, Handler] = {}


def law(names: str) -> Callable[[Handler], Handler]:
    """Register a handler for operations, by their packets: ``"add sub"``."""

    def register(handler: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(names.split(), handler))
        return handler

    return register


def packet(operation: str) -> str:
    """``add`` of ``aten.add.Tensor``; other operations by their whole names."""
    parts = operation.split(".")
    return parts[1] if parts[0] == "aten" and len(parts) > 1 else operation


def apply(operation: Operation) -> None:
    """Add the laws of one operation; without a handler nothing acts on its arguments and results."""
    handler = HANDLERS.get(operation.name) or HANDLERS.get(operation.name.removesuffix("_"))
    if operation.executed.stale or handler is None:
        operation.give_up()
    else:
        handler(operation)
