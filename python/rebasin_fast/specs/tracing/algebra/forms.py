"""Definitions of a variable, and the reason of a frozen one."""

from __future__ import annotations

from dataclasses import dataclass

Var = int


@dataclass(frozen=True, slots=True)
class Reason:
    """The operation that froze a variable, its name in the graph, and the line of the program."""

    operation: str
    node: str = ""
    source: str = ""

    def __str__(self) -> str:
        return f"{self.operation} ({self.source})" if self.source else self.operation


@dataclass(frozen=True, slots=True)
class Concatenation:
    """Variables one after the other."""

    parts: tuple[Var, ...]


@dataclass(frozen=True, slots=True)
class Nested:
    """Every unit of ``outer`` owns a copy of ``inner``."""

    outer: Var
    inner: Var


Form = None | Concatenation | Nested
