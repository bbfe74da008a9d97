"""Outputs of one command: all written beside their names first, renamed one after the other at the end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field

from .journal import Journals
from .names import sync_folder
from .placing import FilePlacing, FolderPlacing, Placing


@dataclass
class Outputs:
    """The outputs of a block, in the order in which they get their names; a folder is put in place after all files."""

    files: list[FilePlacing] = field(default_factory=list)
    folders: list[FolderPlacing] = field(default_factory=list)

    def put_in_place(self) -> None:
        """Give all their names; a fault on the way puts the files before in their places again, a signal waits."""
        placings: list[Placing] = [*self.files, *self.folders]
        journals = Journals(placings)
        with contextlib.ExitStack() as at_end:
            at_end.callback(self.clear)
            at_end.callback(journals.remove)
            if len(placings) > 1:
                journals.write()
            try:
                for placing in placings:
                    placing.place()
            except Exception:
                journals.remove()
                self._undo()
                raise
            except BaseException:  # Ctrl-C, SIGTERM: it is decided, and a matter of microseconds
                for placing in placings:
                    placing.finish()
                raise
            for folder in {placing.path.parent for placing in placings}:
                sync_folder(folder)

    def _undo(self) -> None:
        for file in reversed(self.files):
            with contextlib.suppress(OSError):
                file.undo()

    def clear(self) -> None:
        """Remove everything that has no name of its own."""
        placings: list[Placing] = [*self.files, *self.folders]
        for placing in placings:
            placing.clear()


_CURRENT: ContextVar[Outputs | None] = ContextVar("outputs of the block", default=None)


def outputs_of_block() -> Outputs | None:
    """Those of the :func:`together` around, None outside of one."""
    return _CURRENT.get()


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Files and folders written in the block get their names at its end, in the order in which they were written.

    All bytes are on the disk before the first name changes: a full disk or a fault at any moment leaves the files
    before; Ctrl-C and SIGTERM leave those or, once the first name has changed, the new ones. After a kill (or a loss of
    power) between two renames the next reading or writing of this package in one of the folders finishes them.

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
