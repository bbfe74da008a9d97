"""Files that appear whole or not at all. Every writer of the package goes through `atomic_write`."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ... import _arguments
from ..errors import UnwritableOutputError
from .faults import unwritable, writing
from .journal import finish_interrupted
from .leftovers import clear_leftovers, remove, temporary_name
from .names import exists_error, give_name, sync_folder
from .placing import FilePlacing
from .together import outputs_of_block

PathLike = str | os.PathLike[str]


@contextlib.contextmanager
def atomic_write(path: PathLike, *, overwrite: bool = False, text: bool = False) -> Iterator[IO[Any]]:
    """Open a file for writing that takes its name only once it is complete and on the disk.

    The bytes go to a temporary file in the same folder, are synchronised, and then take the name in one step
    of the file system. An exception inside the block, Ctrl-C included, removes the temporary file and leaves
    an earlier file as it was; a killed process leaves at worst a `.NAME.….tmp` beside it, which the next one removes
    when it is an hour old. Of two writers at once that may not overwrite, one gets the name and the other an error.
    The file that a symbolic link names is replaced, not the link; the new file has the mode of the one that it
    replaces, and its owner where that is permitted. Inside of :func:`together` the name comes at the end of that block.

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
    finish_interrupted(path.parent)
    clear_leftovers(path.parent)
    _refuse_existing(path, overwrite)
    path = target_of(path)
    outputs = outputs_of_block()
    placing = FilePlacing(temporary_name(path), path, overwrite)
    try:
        with writing(path):
            # Opened inside of the block that removes it: a signal may come as soon as it is there.
            with _new_file(placing.temporary, text) as file:
                _keep_mode_and_owner(file.fileno(), path)
                yield file
                file.flush()
                os.fsync(file.fileno())
            if outputs is not None:
                outputs.files.append(placing)
                return
            give_name(placing.temporary, path, overwrite)
    finally:
        if outputs is None or placing not in outputs.files:
            placing.clear()
    sync_folder(path.parent)


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
    finish_interrupted(path.parent)
    _refuse_existing(path, overwrite)
    path = target_of(path)
    temporary = temporary_name(path)
    with writing(path):
        try:
            _new_file(temporary, text=False).close()
            temporary.unlink()
        finally:
            remove(temporary)
        free = shutil.disk_usage(path.parent).free
    clear_leftovers(path.parent)
    if free < needed_bytes:
        raise UnwritableOutputError(
            f"{path}: needs {needed_bytes:,} bytes, and the file system of {path.parent} has {free:,} left. "
            "Free some space or write elsewhere."
        )


def check_name(path: Path) -> None:
    """UnwritableOutputError for a name that the file system cannot have."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return  # its folder is looked at where the temporary file is made
    except OSError as error:
        raise unwritable(path, error) from error


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


def _new_file(temporary: Path, text: bool) -> IO[Any]:
    # Not tempfile.mkstemp: its mode is 0600, and the result shall have the mode of any file the user creates.
    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | getattr(os, "O_BINARY", 0), 0o666)

    if text:
        return open(temporary, "x+", encoding="utf-8", newline="\n", opener=opener)
    return open(temporary, "x+b", buffering=1 << 20, opener=opener)
