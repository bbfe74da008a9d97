"""Faults of the operating system while an output is written, as errors that say what to do."""

from __future__ import annotations

import contextlib
import errno
import shlex
from collections.abc import Iterator
from pathlib import Path

from ...errors import RebasinError
from ..errors import UnwritableOutputError


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Errors of the operating system become UnwritableOutputError; those of this package pass."""
    try:
        yield
    except RebasinError:
        raise
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> UnwritableOutputError:
    """The error for an output: the cause, and the cure that belongs to it."""
    folder = path.parent
    if error.errno == errno.ENAMETOOLONG:
        cure = "give a shorter name"
    elif not folder.is_dir():
        cure = f"the folder {folder} does not exist. Create it: mkdir -p {shlex.quote(str(folder))}"
    elif error.errno in (errno.ENOSPC, errno.EDQUOT):
        cure = "no space is left on that file system. Free some or write elsewhere; nothing was changed"
    elif error.errno == errno.EIO:
        cure = "the disk failed. Write elsewhere, and check it; an earlier file is as it was"
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        cure = f"writing in {folder} is not permitted. Write elsewhere or change its permissions"
    else:
        cure = "write elsewhere"
    result = UnwritableOutputError(f"cannot write {path} ({error.strerror or error}): {cure}.")
    result.errno = error.errno
    return result
