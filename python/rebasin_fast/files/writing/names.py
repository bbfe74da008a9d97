"""Names of files: given to complete ones in one step of the file system, and put on the disk."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from ..errors import OutputExistsError

WITHOUT_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES}


def give_name(temporary: Path, path: Path, overwrite: bool) -> None:
    """Give a complete file its name, in one step of the file system.

    Raises
    ------
    OutputExistsError
        The name has been taken, and ``overwrite`` is false.
    """
    if overwrite:
        os.replace(temporary, path)
        return
    try:
        # A hard link fails when the name has been taken meanwhile; a rename would destroy the other's file.
        os.link(temporary, path)
    except FileExistsError as error:
        raise exists_error(path) from error
    except (OSError, NotImplementedError, AttributeError) as error:
        if isinstance(error, OSError) and error.errno not in WITHOUT_HARD_LINKS:
            raise
        if os.path.lexists(path):
            raise exists_error(path) from error
        os.replace(temporary, path)


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk, where the platform can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def exists_error(path: Path) -> OutputExistsError:
    """The error for an output that exists."""
    return OutputExistsError(
        f"{path} exists already and is left as it is. Choose another name, or allow it to be replaced "
        "(overwrite=True; on the command line --force)."
    )
