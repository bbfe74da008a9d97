"""Files that appear whole or not at all. Every writer of the package goes through `atomic_write`."""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ... import _arguments
from ...errors import RebasinError
from ..errors import OutputExistsError, UnwritableOutputError
from .leftovers import clear_leftovers, temporary_name

PathLike = str | os.PathLike[str]

_WITHOUT_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES}


@contextlib.contextmanager
def atomic_write(path: PathLike, *, overwrite: bool = False, text: bool = False) -> Iterator[IO[Any]]:
    """Open a file for writing that takes its name only once it is complete and on the disk.

    The bytes go to a temporary file in the same folder, are synchronised, and then take the name in one step
    of the file system. An exception inside the block, Ctrl-C included, removes the temporary file and leaves
    an earlier file as it was; a killed process leaves at worst a `.NAME.….tmp` beside it, which the next one removes
    when it is an hour old. Of two writers at once that may not overwrite, one gets the name and the other an error.
    The file that a symbolic link names is replaced, not the link; the new file has the mode of the one that it
    replaces, and its owner where that is permitted.

    Parameters
    ----------
    path : path
        The name that the file shall have. Its folder must exist.
    overwrite : bool
        Replace an existing file; without it, an existing file is an error and stays as it is.
    text : bool
        Give a UTF-8 text file instead of a binary one.

    Yields
    ------
    file
        A file object open for writing, seekable.

    Raises
    ------
    OutputExistsError
        The file exists and `overwrite` is false. (Also a `FileExistsError`.)
    UnwritableOutputError
        No such folder, a folder of that name, no permission, no space left. (Also an `OSError`.)

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from rebasin_fast.files import atomic_write
    >>> path = pathlib.Path(tempfile.mkdtemp(), "report.txt")
    >>> with atomic_write(path, text=True) as file:
    ...     _ = file.write("complete")
    >>> path.read_text()
    'complete'
    """
    path = _arguments.path("path", path)
    _refuse_existing(path, overwrite)
    path = target_of(path)
    temporary, descriptor = _create_temporary(path)
    try:
        with writing(path):
            with _open(descriptor, text) as file:
                _keep_mode_and_owner(descriptor, path)
                yield file
                file.flush()
                os.fsync(file.fileno())
            publish(temporary, path, overwrite)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    sync_folder(path.parent)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Errors of the operating system become UnwritableOutputError; those of this package pass."""
    try:
        yield
    except RebasinError:
        raise
    except OSError as error:
        raise _unwritable(path, error) from error


def target_of(path: Path) -> Path:
    """The file that a symbolic link names, which may not exist yet; any other path as it is."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _keep_mode_and_owner(descriptor: int, path: Path) -> None:
    """Of the file that will be replaced; a file of another owner stays theirs where the system permits it."""
    try:
        earlier = path.stat()
    except OSError:
        return  # there is none: the mode is that of any new file
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, stat.S_IMODE(earlier.st_mode))
    if hasattr(os, "fchown") and (earlier.st_uid, earlier.st_gid) != (os.getuid(), os.getgid()):
        with contextlib.suppress(PermissionError):
            os.fchown(descriptor, earlier.st_uid, earlier.st_gid)


@_arguments.checked()
def check_writable(path: PathLike, overwrite: bool = False, *, needed_bytes: int = 0) -> None:
    """Check, before long work, that `path` can be written in the end.

    A temporary file is created in the folder and removed, because permission bits mislead for the superuser, on
    read-only mounts and on network drives.

    Parameters
    ----------
    path : path
        The output that will be written; its folder must exist.
    overwrite : bool
        Whether an existing output may be replaced.
    needed_bytes : int
        The space that the file system must have left.

    Raises
    ------
    OutputExistsError
        It exists, and `overwrite` is false.
    UnwritableOutputError
        It cannot be written; the message gives the reason and a remedy.

    Examples
    --------
    >>> from rebasin_fast.files import check_writable
    >>> check_writable("report.html", overwrite=False, needed_bytes=1000)
    """
    path = Path(path)
    _refuse_existing(path, overwrite)
    path = target_of(path)
    temporary, descriptor = _create_temporary(path)
    with writing(path):
        try:
            os.close(descriptor)
        finally:
            temporary.unlink()
        free = shutil.disk_usage(path.parent).free
    clear_leftovers(path.parent)
    if free < needed_bytes:
        raise UnwritableOutputError(
            f"{path}: needs {needed_bytes:,} bytes, and the file system of {path.parent} has {free:,} left. "
            "Free some space or write elsewhere."
        )


def publish(temporary: Path, path: Path, overwrite: bool) -> None:
    """Give a complete file its name, in one step of the file system."""
    if overwrite:
        os.replace(temporary, path)
        return
    try:
        # A hard link fails when the name has been taken meanwhile; a rename would destroy the other's file.
        os.link(temporary, path)
    except FileExistsError as error:
        raise exists_error(path) from error
    except (OSError, NotImplementedError, AttributeError) as error:
        if isinstance(error, OSError) and error.errno not in _WITHOUT_HARD_LINKS:
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


def check_name(path: Path) -> None:
    """UnwritableOutputError for a name that the file system cannot have."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return  # its folder is looked at where the temporary file is made
    except OSError as error:
        raise _unwritable(path, error) from error


def _refuse_existing(path: Path, overwrite: bool) -> None:
    if str(path) == "-":
        raise UnwritableOutputError(
            "'-' is no file name: nothing is written to standard output. Name a file."
        )
    check_name(path)
    if path.is_dir() and not path.is_symlink():
        raise UnwritableOutputError(f"{path} is a folder; the output is a file. Give a file name inside it.")
    if not os.path.lexists(path):
        return
    if not path.is_symlink() and not path.is_file():
        raise UnwritableOutputError(f"{path} is neither a file nor free; give the name of a regular file.")
    if not overwrite:
        raise exists_error(path)


def _create_temporary(path: Path) -> tuple[Path, int]:
    # Not tempfile.mkstemp: its mode is 0600, and the result shall have the mode of any file the user creates.
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    temporary = temporary_name(path)
    try:
        return temporary, os.open(temporary, flags, 0o666)
    except OSError as error:
        raise _unwritable(path, error) from error


def _open(descriptor: int, text: bool) -> IO[Any]:
    if text:
        return open(descriptor, "w+", encoding="utf-8", newline="\n")
    return open(descriptor, "w+b", buffering=1 << 20)


def _unwritable(path: Path, error: OSError) -> UnwritableOutputError:
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
