"""The result of `load_params`: the parameters by name, read on access, and the form of their file."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from .. import _arguments
from .._arrays.elements import ELEMENT_TYPES, carrier_of, numpy_dtype
from .arrays import element_code, to_torch
from .guard import reading
from .mapping.guarded_map import GuardedMap
from .mapping.unchanged import unchanged


@dataclass(frozen=True)
class Entry:
    """One parameter in a file: its type and shape, and the function that reads it.

    `load` gets the element type of the view: its own, or an integer of that size where the caller converts the
    bytes itself. `keep`: the array may be kept after its first reading, because it is a view, which
    takes no memory, or was slow to unpack. `unpacked`: reading it takes its size in memory.
    """

    code: str
    shape: tuple[int, ...]
    load: Callable[[str], NDArray[Any]]
    keep: bool = True
    unpacked: bool = False

    @classmethod
    def of_array(cls, array: NDArray[Any], name: str) -> Entry:
        """An array that is read already, in native byte order and read-only; ParamsError for no numbers."""
        code = element_code(array, name)
        native = array.astype(numpy_dtype(code), copy=False)
        native.flags.writeable = False
        return cls(code, native.shape, lambda _: native)

    @property
    def nbytes(self) -> int:
        """Its size in bytes."""
        return ELEMENT_TYPES[self.code].nbytes(self.shape)


@dataclass(frozen=True)
class ReadOptions:
    """The inner entry to read (torch), the library of the arrays, and the most bytes that unpacking them may take."""

    entry: str | None = None
    library: str = "numpy"
    memory_limit: int | None = None


@dataclass(frozen=True)
class Source:
    """The origin of parameters, as far as it is needed to write others in the same form.

    Attributes
    ----------
    path : Path
        The file, index or folder that was read.
    format : str
        Name of the file format: "safetensors", "numpy" or "torch".
    metadata : dict of str
        safetensors' free text entries.
    left_out : dict of str
        Contents of the file besides the parameters, which a new file will lack: ``{entry: reason}``.
    layout : object
        Further data of the format (torch: the dictionaries around the state dict; a set: the file of each parameter).
    folder : Path, optional
        The folder that was read, where it was one: its configuration belongs to the parameters.
    """

    path: Path
    format: str
    metadata: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    layout: Any = None
    folder: Path | None = None


class LoadedParams(Mapping[str, Any]):
    """Parameters of a checkpoint by name, read on access.

    Behaves as a read-only dict of arrays. Where the file allows it (safetensors, torch, uncompressed npz) an
    array is a view of the mapped file: it takes no memory of its own, and is read-only. ``dict(params)``
    gives an ordinary dict of the same arrays. As torch tensors they may be written to: the change stays in
    this process.

    Attributes
    ----------
    source : Source
        Path, format, metadata, and the contents left out.
    ties : dict of str
        Names that are another name of the same array: ``{name: first name}``. Both names are in the mapping.
    library : str
        The library of the arrays: "numpy" or "torch".
    """

    def __init__(
        self,
        entries: dict[str, Entry],
        source: Source,
        ties: dict[str, str] | None = None,
        library: str = "numpy",
        sources: tuple[GuardedMap, ...] = (),
    ) -> None:
        self.source = source
        self.sources = sources  # the mapped files, as of every view of parameters
        self.library = library
        self.ties = ties or {}
        self._entries = entries
        self._kept: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        first = self.ties.get(name, name)
        if first in self._kept:
            return self._kept[first]
        entry = self._entries[first]
        with unchanged(self), reading(self.source.path, f"parameter {first!r}"):
            if self.library == "torch":
                array = to_torch(entry.load(carrier_of(entry.code)), entry.code)
            else:
                array = entry.load(entry.code)
        # A tensor may be written to, and the next access must give the same tensor.
        if entry.keep or self.library == "torch":
            self._kept[first] = array
        return array

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        size = f"{self.parameter_count:,} parameters in {len(self)} arrays"
        return f"<{type(self).__name__} {str(self.source.path)!r}: {self.source.format}, {size}>"

    @_arguments.checked()
    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a parameter, without reading it."""
        return self._entries[name].shape

    @_arguments.checked()
    def dtype(self, name: str) -> str:
        """NumPy's name of a parameter's element type, without reading it."""
        return ELEMENT_TYPES[self._entries[name].code].name

    @_arguments.checked()
    def entry(self, name: str) -> Entry:
        """Type, shape and reader of a parameter, without reading it."""
        return self._entries[name]

    @property
    def parameter_count(self) -> int:
        """How many numbers there are, tied ones counted once."""
        return sum(math.prod(e.shape) for name, e in self._entries.items() if name not in self.ties)

    @property
    def bytes_to_unpack(self) -> int:
        """The memory that reading all of them still takes, beside what is mapped: that of compressed arrays."""
        once = ((n, e) for n, e in self._entries.items() if n not in self.ties and n not in self._kept)
        return sum(entry.nbytes for _, entry in once if entry.unpacked)

    @property
    def nbytes(self) -> int:
        """Their size in bytes, tied ones counted once."""
        return sum(e.nbytes for name, e in self._entries.items() if name not in self.ties)
