"""Errors of reading and writing that are also the operating system's errors of the same meaning.

A caller may catch `rebasin_fast.errors.RebasinError` for everything this package says, or the builtin class
(`FileNotFoundError`, `FileExistsError`, `OSError`) as with any other library.
"""

import errno

from ..errors import RebasinError


class MissingFileError(RebasinError, FileNotFoundError):
    """No file of that name; the message holds the nearest names in the folder."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.errno = errno.ENOENT


class OutputExistsError(RebasinError, FileExistsError):
    """The output exists and was not to be overwritten."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.errno = errno.EEXIST


class UnwritableOutputError(RebasinError, OSError):
    """The output cannot be written there: no such folder, no permission, no space."""
