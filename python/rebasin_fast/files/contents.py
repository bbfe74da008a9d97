"""The one interface of a file format, and what is handed to its writer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from .params import LoadedParams, ReadOptions


@dataclass(frozen=True)
class Contents:
    """What a writer writes: arrays in order, which of them are tied, and the frame that the input had."""

    arrays: Mapping[str, Any]
    ties: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    layout: Any = None


@dataclass(frozen=True)
class FileFormat:
    """A file format: its name, its extensions (the first is the usual one), and three functions.

    `recognises` looks at the first bytes of a file; `read` takes a path and options;
    `write` writes `Contents` to a binary file. `library` is whose arrays its files give when nothing else is
    asked. `needs` names a package without which it cannot be written.
    """

    name: str
    suffixes: tuple[str, ...]
    recognises: Callable[[bytes], bool]
    read: Callable[[Path, ReadOptions], LoadedParams]
    write: Callable[[IO[bytes], Contents], None]
    library: str = "numpy"
    needs: str | None = None
