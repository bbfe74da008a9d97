"""Temporary files and folders: recognisable names, and the removal of those that killed processes left."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from pathlib import Path

TEMPORARY = re.compile(r"\..+\.\d+-[0-9a-f]{8}\.rebasin\.tmp", re.DOTALL)
_AGE = 3600.0  # seconds: no writer leaves a file untouched for so long


def temporary_name(path: Path) -> Path:
    """A new name beside ``path``, cut so that it stays under the 255 bytes that file systems allow."""
    stem = os.fsdecode(os.fsencode(path.name)[:200])  # names of any bytes
    return path.with_name(f".{stem}.{os.getpid()}-{secrets.token_hex(4)}.rebasin.tmp")


def remove(leftover: Path) -> None:
    """Remove a temporary file or folder, if it is there; a signal on the way is raised after the removal."""
    try:
        _remove(leftover)
    except BaseException:
        _remove(leftover)
        raise


def clear_leftovers(folder: Path) -> None:
    """Remove temporary files and folders of this user that are an hour old; whatever cannot be removed stays."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if TEMPORARY.fullmatch(name):
                _remove_if_old(folder / name)


def is_own(path: Path) -> bool:
    """Whether it is this user's."""
    return not hasattr(os, "getuid") or path.lstat().st_uid == os.getuid()


def is_stale(path: Path) -> bool:
    """Whether it is so old that no writer is at it any more."""
    return time.time() - path.lstat().st_mtime > _AGE


def _remove_if_old(leftover: Path) -> None:
    with contextlib.suppress(OSError):
        if is_own(leftover) and is_stale(leftover):
            _remove(leftover)


def _remove(leftover: Path) -> None:
    with contextlib.suppress(OSError):
        if not leftover.is_dir() or leftover.is_symlink():
            leftover.unlink()
            return
        # Not shutil.rmtree, which answers Ctrl-C at the closing of the folder by an OSError. The folders are flat.
        for name in os.listdir(leftover):
            with contextlib.suppress(OSError):
                (leftover / name).unlink()
        leftover.rmdir()
