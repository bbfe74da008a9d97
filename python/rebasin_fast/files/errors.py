"""Errors of reading and writing that are also the operating system's errors of the same meaning.

A caller may catch `rebasin_fast.errors.RebasinError` for all errors of this package, or the builtin class
(`FileNotFoundError`, `FileExistsError`, `OSError`) as with any other library.
"""

import errno as os_errors

from ..errors import FileFormatError, RebasinError


class MissingFileError(RebasinError, FileNotFoundError):
    """No file of that name; the message holds the nearest names in the folder."""

    errno = os_errors.ENOENT


class OutputExistsError(RebasinError, FileExistsError):
    """The output exists and was not to be overwritten."""

    errno = os_errors.EEXIST


class ChangedFileError(FileFormatError):
    """A file was shortened or rewritten in place while its arrays were in use: they are neither the old nor the new."""


class UnwritableOutputError(RebasinError, OSError):
    """The output cannot be written there: no such folder, no permission, no space."""
