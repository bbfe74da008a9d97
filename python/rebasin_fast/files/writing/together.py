"""Outputs of one command: all written beside their names first, renamed one after the other at the end."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from .faults import writing
from .leftovers import remove, temporary_name
from .names import WITHOUT_HARD_LINKS, give_name, sync_folder


@dataclass
class Renaming:
    """One file that is complete under a temporary name, and the file before, kept until all have their names."""

    temporary: Path
    path: Path
    overwrite: bool
    _before: Path | None = field(default=None, init=False)
    _begun: bool = field(default=False, init=False)

    def rename(self) -> None:
        """Give the file its name; :meth:`undo` takes it back."""
        if self.overwrite and self.path.exists():
            before = self._before = temporary_name(self.path)
            with writing(self.path):
                _keep(self.path, before)
        self._begun = True
        with writing(self.path):
            give_name(self.temporary, self.path, self.overwrite)

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
class Outputs:
    """The outputs of a block, in the order in which they get their names; a folder is put in place after all files."""

    files: list[Renaming] = field(default_factory=list)
    folders: list[Callable[[], None]] = field(default_factory=list)
    cleaning: list[Callable[[], None]] = field(default_factory=list)

    def put_in_place(self) -> None:
        """Rename all; a fault, Ctrl-C or SIGTERM on the way puts the files before in their places again."""
        try:
            for renaming in self.files:
                renaming.rename()
            for put in self.folders:
                put()
        except BaseException:
            for renaming in reversed(self.files):
                with contextlib.suppress(OSError):
                    renaming.undo()
            raise
        finally:
            self.clear()
        for folder in {renaming.path.parent for renaming in self.files}:
            sync_folder(folder)

    def clear(self) -> None:
        """Remove everything that has no name of its own."""
        for clear in (*(renaming.clear for renaming in self.files), *self.cleaning):
            clear()
        self.cleaning = []


_CURRENT: ContextVar[Outputs | None] = ContextVar("outputs of the block", default=None)


def outputs_of_block() -> Outputs | None:
    """Those of the :func:`together` around, None outside of one."""
    return _CURRENT.get()


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Files and folders written in the block get their names at its end, in the order in which they were written.

    All bytes are on the disk before the first name changes: a full disk, or a fault, Ctrl-C or SIGTERM at any moment,
    leaves the files before. A kill (or a loss of power) between two renames leaves the first ones new and the others
    as they were, each of them whole. Write the principal file last: where it is new, all are.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from rebasin_fast.files import atomic_write, together
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> with together():
    ...     for name in ("report.txt", "result.txt"):
    ...         with atomic_write(folder / name, text=True) as file:
    ...             _ = file.write("complete")
    ...     before = sorted(path.name for path in folder.glob("*.txt"))
    >>> before, sorted(path.name for path in folder.iterdir())
    ([], ['report.txt', 'result.txt'])
    """
    outputs = Outputs()
    token = _CURRENT.set(outputs)
    try:
        yield
        outputs.put_in_place()
    finally:
        _CURRENT.reset(token)
        outputs.clear()


def _keep(path: Path, before: Path) -> None:
    try:
        os.link(path, before)
    except (OSError, NotImplementedError, AttributeError) as error:
        if isinstance(error, OSError) and error.errno not in WITHOUT_HARD_LINKS:
            raise
        shutil.copy2(path, before)
