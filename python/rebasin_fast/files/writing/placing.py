"""Outputs that are complete under temporary names, and the step that gives them their own."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .faults import writing
from .leftovers import TEMPORARY, remove, temporary_name
from .names import WITHOUT_HARD_LINKS, give_name
from .publishing import publish


@dataclass
class FilePlacing:
    """One file that is complete under a temporary name, and the file before, kept until all have their names."""

    temporary: Path
    path: Path
    overwrite: bool
    replaces: list[int] | None = None
    _before: Path | None = field(default=None, init=False)
    _begun: bool = field(default=False, init=False)

    def to_json(self) -> dict[str, Any]:
        """For a journal in its folder."""
        return {**_names(self), "replaces": _state_of(self.path)}

    def is_due(self) -> bool:
        """Whether nothing else has been written under its name since :meth:`to_json`."""
        return not self.temporary.exists() or self._is_in_place() or _state_of(self.path) == self.replaces

    def place(self) -> None:
        """Give the file its name; :meth:`undo` takes it back."""
        if self.overwrite and self.path.exists():
            before = self._before = temporary_name(self.path)
            with writing(self.path):
                _keep(self.path, before)
        self._begun = True
        with writing(self.path):
            give_name(self.temporary, self.path, self.overwrite)

    def finish(self) -> None:
        """Give the file its name after a kill, whether it has it already or not."""
        if self.temporary.exists() and not self._is_in_place():
            give_name(self.temporary, self.path, self.overwrite)
        remove(self.temporary)

    def undo(self) -> None:
        """Put the file before in its place again."""
        if self._before is not None and self._before.exists():
            os.replace(self._before, self.path)
        elif self._begun and self._is_in_place():
            self.path.unlink()

    def _is_in_place(self) -> bool:
        try:
            return self.temporary.samefile(self.path)
        except FileNotFoundError:
            return not self.temporary.exists()

    def clear(self) -> None:
        """Remove what is left beside the name."""
        for left in (self.temporary, self._before):
            if left is not None:
                remove(left)


@dataclass
class FolderPlacing:
    """A folder that is complete under a temporary name, and its files in the order in which they get theirs."""

    temporary: Path
    path: Path
    overwrite: bool
    names: list[str]
    replaces: list[int] | None = None

    def to_json(self) -> dict[str, Any]:
        """For a journal in the folder around it."""
        names = [as_text(name) for name in self.names]
        return {**_names(self), "names": names, "replaces": _state_of(self.path / self.names[-1])}

    def is_due(self) -> bool:
        """Whether nothing else has been written under the last of its names since :meth:`to_json`."""
        last = self.names[-1]
        return not (self.temporary / last).exists() or _state_of(self.path / last) == self.replaces

    def place(self) -> None:
        """Rename the folder, or move its files into the one that exists; on a fault the set before stays."""
        with writing(self.path):
            publish(self.temporary, self.names, self.path, self.overwrite)

    def finish(self) -> None:
        """Go on where a killed process was."""
        if self.temporary.exists():
            publish(self.temporary, self.names, self.path, self.overwrite)
            remove(self.temporary)

    def clear(self) -> None:
        """Remove what is left beside the name."""
        remove(self.temporary)


Placing = FilePlacing | FolderPlacing


def placing_from_json(entry: dict[str, Any], folder: Path) -> Placing:
    """An output of a journal in ``folder``, where all its names are.

    Raises
    ------
    ValueError, KeyError, TypeError
        This package did not write it: names lead elsewhere, or to no temporary file.
    """
    temporary, path = (folder / _plain(entry[name]) for name in ("temporary", "path"))
    if not TEMPORARY.fullmatch(temporary.name):
        raise ValueError(temporary)
    overwrite, replaces = bool(entry["overwrite"]), entry["replaces"]
    if "names" not in entry:
        return FilePlacing(temporary, path, overwrite, replaces)
    return FolderPlacing(temporary, path, overwrite, [_plain(name) for name in entry["names"]], replaces)


def as_text(path: str | Path) -> str:
    """A name of any bytes as text that every JSON file can hold."""
    return os.fsencode(path).decode("latin-1")


def as_path(text: str) -> Path:
    """The reverse of :func:`as_text`; ValueError for what no path can be."""
    if "\0" in text:
        raise ValueError(text)
    return Path(os.fsdecode(text.encode("latin-1")))


def _names(placing: Placing) -> dict[str, Any]:
    return {
        "temporary": as_text(placing.temporary.name),
        "path": as_text(placing.path.name),
        "overwrite": placing.overwrite,
    }


def _plain(text: str) -> str:
    name = str(as_path(text))
    if name != Path(name).name or name == "..":
        raise ValueError(name)
    return name


def _state_of(path: Path) -> list[int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return [found.st_ino, found.st_size, found.st_mtime_ns]


def _keep(path: Path, before: Path) -> None:
    try:
        os.link(path, before)
    except (OSError, NotImplementedError, AttributeError) as error:
        if isinstance(error, OSError) and error.errno not in WITHOUT_HARD_LINKS:
            raise
        shutil.copy2(path, before)
