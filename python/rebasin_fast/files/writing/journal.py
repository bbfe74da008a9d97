"""Journals of outputs that take their names together: a later call finishes what a killed process had begun.

All outputs are complete under temporary names when the journals appear, one in each folder that gets any. The last
one decides: once it is there all outputs will have their names, and before it none of them will.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import IO

from ..._untrusted import parse_json
from ...errors import RebasinError
from .faults import writing
from .leftovers import is_own, is_stale, remove, temporary_name
from .names import sync_folder
from .placing import Placing, as_path, as_text, placing_from_json

fcntl: ModuleType | None
try:
    fcntl = importlib.import_module("fcntl")
except ImportError:  # Windows: the age alone tells that a process is gone
    fcntl = None

_NAME = re.compile(r"\.outputs\.\d+-[0-9a-f]{8}\.rebasin\.journal")
_MOST_BYTES, _MOST_FOLDERS = 10_000_000, 64


class Journals:
    """Those of one set of outputs, until all have their names; the one beside the last output decides."""

    def __init__(self, placings: Sequence[Placing]) -> None:
        self._placings = placings
        self._files = contextlib.ExitStack()

    def write(self) -> None:
        """Put them on the disk, locked, the deciding one last."""
        last = self._placings[-1].path.parent.absolute()
        others = {placing.path.parent.absolute() for placing in self._placings} - {last}
        deciding = _journal_name(last)
        for folder in others:
            self._create(_journal_name(folder), deciding, [])
        self._create(deciding, None, others)

    def remove(self) -> None:
        """The set is complete, or given up."""
        self._files.close()

    def _create(self, path: Path, deciding: Path | None, others: Iterable[Path]) -> None:
        outputs = [p.to_json() for p in self._placings if p.path.parent.absolute() == path.parent]
        content = {
            "decided by": None if deciding is None else as_text(deciding),
            "folders": [as_text(folder) for folder in others],
            "outputs": outputs,
        }
        aside = path.with_suffix(".tmp")
        self._files.callback(remove, path)
        self._files.callback(remove, aside)
        with writing(path):
            file = aside.open("xb")
            self._files.callback(_unlock, file)
            file.write(json.dumps(content).encode())
            file.flush()
            os.fsync(file.fileno())
            _lock(file)
            os.rename(aside, path)
        sync_folder(path.parent)


@dataclass(frozen=True)
class _Content:
    """What a journal says: the one that decides, where it does not itself, and the other folders, where it does."""

    decided_by: Path | None
    folders: list[Path]
    placings: list[Placing]


def finish_interrupted(folder: Path) -> None:
    """Give the outputs of killed processes in a folder their names; nothing where there are none.

    Left alone are outputs of a process that runs, or of another user. Where something else has been written under one
    of the names since, none of that folder is touched. What the system refuses is left for a later call.
    """
    for journal in _journals(folder):
        with contextlib.suppress(OSError, RebasinError):
            _finish(journal)


def _finish(journal: Path) -> None:
    with _taken(journal) as content:
        if content is None:
            return
        if content.decided_by is None:
            for follower in (other for folder in content.folders for other in _journals(folder)):
                with _taken(follower) as further:
                    if further is not None and further.decided_by == journal.absolute():
                        _place(further.placings, follower)
        decided = content.decided_by is None or os.path.lexists(content.decided_by)
        _place(content.placings if decided else [], journal)


def _place(placings: Sequence[Placing], journal: Path) -> None:
    for placing in placings:
        placing.finish()
    sync_folder(journal.parent)
    remove(journal)


def _journals(folder: Path) -> list[Path]:
    """Regular files of such names: a pipe would be waited for."""
    try:
        found = [folder / name for name in os.listdir(folder) if _NAME.fullmatch(name)]
        return [journal for journal in found if stat.S_ISREG(journal.lstat().st_mode)]
    except OSError:
        return []


@contextlib.contextmanager
def _taken(journal: Path) -> Iterator[_Content | None]:
    """The content of a killed process's journal, which no other process can take meanwhile; None for all others."""
    with open(journal, "rb") as file:
        if is_own(journal) and _is_free(file, journal) and journal.exists():
            yield _parsed(file.read(_MOST_BYTES), journal.parent)
        else:
            yield None


def _parsed(text: bytes, folder: Path) -> _Content:
    try:
        value = parse_json(text)
        folders = [as_path(part) for part in value["folders"]]
        placings = [placing_from_json(entry, folder) for entry in value["outputs"]]
        decided_by = None if value["decided by"] is None else as_path(value["decided by"])
    except (ValueError, KeyError, TypeError, AttributeError):  # not written by this package: removed
        return _Content(None, [], [])
    return _Content(
        decided_by, folders[:_MOST_FOLDERS], placings if all(p.is_due() for p in placings) else []
    )


def _lock(file: IO[bytes]) -> None:
    if fcntl is not None:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)


def _unlock(file: IO[bytes]) -> None:
    with contextlib.suppress(OSError):  # of a disk that fails; the content is on it, or nothing was decided
        file.close()


def _is_free(file: IO[bytes], journal: Path) -> bool:
    if fcntl is None:
        return is_stale(journal)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return is_stale(journal)
    return True


def _journal_name(folder: Path) -> Path:
    return temporary_name(folder / "outputs").with_suffix(".journal")
