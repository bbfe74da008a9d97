"""A file that is mapped, with its state at that moment; a page that cannot be read is marked, not fatal, in a watch."""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from weakref import WeakSet

from ... import _core
from ..errors import ChangedFileError

State = tuple[int, int, int, int]
_CURE = "Load it again and start anew; to replace a file that is in use, rename another one to its name."

_living: WeakSet[GuardedMap] = WeakSet()


class GuardedMap(mmap.mmap):
    """The mapping of a whole file. Arrays that are views of it keep it alive."""

    path: Path
    state: State
    guard: _core.GuardedMapping | None = None

    @classmethod
    def of_file(cls, path: Path, access: int) -> GuardedMap | None:
        """The mapping; None for an empty file, which none can have."""
        with open(path, "rb") as file:
            state = state_of(os.fstat(file.fileno()))
            if not state[2]:
                return None
            found = cls(file.fileno(), 0, access=access)
        found.path, found.state = Path(os.path.abspath(path)), state
        found.guard = _core.GuardedMapping(found, access == mmap.ACCESS_COPY)
        _living.add(found)
        return found

    def __del__(self) -> None:
        # Runs before the memory is unmapped: another mapping may stand there afterwards.
        if self.guard is not None:
            self.guard.release()

    def holds(self, address: int) -> bool:
        """Whether the byte at this address is one of the file."""
        return self.guard is not None and 0 <= address - self.guard.begin < self.state[2]

    def check(self) -> None:
        """ChangedFileError where the file is not as it was mapped. One that was replaced by renaming is unchanged."""
        before, now = self.state[2], self.size()
        if now < before:
            raise ChangedFileError(
                f"{self.path} changed while it was read: it was shortened from {before:,} to {now:,} bytes. {_CURE}"
            )
        if self.guard is not None and self.guard.faulted:
            raise ChangedFileError(
                f"{self.path} changed while it was read: a part was missing for a while, or its disk failed. {_CURE}"
            )
        check_state(self.path, self.state)


def state_of(found: os.stat_result) -> State:
    """The identity of a file, its size, and the time of its last change."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def check_state(path: Path, before: State) -> None:
    """ChangedFileError where the file that had this state has another one now; another file of its name is harmless."""
    try:
        now = state_of(os.stat(path))
    except OSError:
        return  # removed or renamed: what is mapped is as it was
    if now[:2] == before[:2] and now != before:
        raise ChangedFileError(f"{path} changed while it was read: it was rewritten in place. {_CURE}")


def living_maps() -> list[GuardedMap]:
    """The mappings of the files whose arrays are in use."""
    return list(_living)
