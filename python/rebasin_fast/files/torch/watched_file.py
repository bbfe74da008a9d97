"""A file that remembers the exception of its first write that failed."""

from __future__ import annotations

from typing import IO, Any


class WatchedFile:
    """What `torch.save` needs of a file. ``failure`` is the exception that ended a write, if one did."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.failure: BaseException | None = None

    def write(self, data: Any) -> int:
        """Write, and remember a failure."""
        try:
            return self._file.write(data)
        except BaseException as failure:
            self.failure = self.failure or failure
            raise

    def flush(self) -> None:
        """Pass the call on."""
        self._file.flush()
