"""The interface of a file format, and the contents that its writer gets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from .._arrays.derived import described_by
from ..errors import FileFormatError
from .arrays import cast, element_code, shape_of
from .guard import check_names, reading
from .mapping.unchanged import unchanged_file
from .params import LoadedParams, ReadOptions


class Outgoing(Mapping[str, Any]):
    """Arrays to be written to a file, each converted to its element type only when it is taken.

    Parameters
    ----------
    arrays : mapping of arrays
        Arrays of any library.
    codes : mapping of str, optional
        The element type of each (a key of `ELEMENT_TYPES`). Default: its own.
    names : iterable of str, optional
        The names of the arrays to write, in order. Default: all.
    """

    def __init__(
        self,
        arrays: Mapping[str, Any],
        codes: Mapping[str, str] | None = None,
        names: Iterable[str] | None = None,
    ) -> None:
        self.arrays, self.codes = arrays, codes or {}
        self.names = dict.fromkeys(arrays if names is None else names)

    def __getitem__(self, name: str) -> Any:
        array = self.arrays[name]
        return cast(array, self.codes[name], name) if name in self.codes else array

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __len__(self) -> int:
        return len(self.names)

    def code(self, name: str) -> str:
        """The element type of an array as it will be written, without converting it."""
        if name in self.codes:
            return self.codes[name]
        known = described_by(self.arrays)
        return known.entry(name).code if isinstance(known, LoadedParams) else element_code(known[name], name)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of an array."""
        known = described_by(self.arrays)
        return known.shape(name) if isinstance(known, LoadedParams) else shape_of(known[name])

    def part(self, names: Iterable[str]) -> Outgoing:
        """Some of the arrays; none is read or converted for it."""
        return Outgoing(self.arrays, self.codes, names)


@dataclass(frozen=True)
class Contents:
    """Arrays in order, the names tied to others, metadata, and the dictionaries around the input's state dict."""

    arrays: Outgoing
    ties: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    layout: Any = None


def _refuse_writing(file: IO[bytes], contents: Contents) -> None:
    raise FileFormatError("files of this format are read, not written; write .npz or .safetensors")


@dataclass(frozen=True)
class FileFormat:
    """A file format: its name, its extensions (the first is the usual one), and its functions.

    `recognises` decides by the first bytes of a file; `read` takes a path and options; `write` writes `Contents` to a
    binary file. `library` names the arrays that its files give by default.
    `needs` names a package without which it cannot be written. `has_entries`: a file may hold several sets of
    parameters, of which one is chosen by its name.
    """

    name: str
    suffixes: tuple[str, ...]
    recognises: Callable[[bytes], bool]
    read: Callable[[Path, ReadOptions], LoadedParams]
    write: Callable[[IO[bytes], Contents], None] = _refuse_writing
    library: str = "numpy"
    needs: str | None = None
    has_entries: bool = False

    @property
    def read_only(self) -> bool:
        """Whether files of this format are never written."""
        return self.write is _refuse_writing

    def load(self, path: Path, options: ReadOptions) -> LoadedParams:
        """Read a file; FileFormatError where it is damaged, or for an entry that its format cannot have."""
        if options.entry is not None and not self.has_entries:
            raise FileFormatError(
                f"{path}: a file of {self.name} has no inner entries, so entry={options.entry!r} is not there."
            )
        with unchanged_file(path), reading(path):
            params = self.read(path, options)
            check_names(iter(params), path)
        return params
