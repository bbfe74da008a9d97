"""A folder of files that is complete beside its name, put in place: whole at once, or into one that exists."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable
from pathlib import Path

from ..._untrusted import parse_json, read_small_file
from .names import exists_error, give_name, sync_folder

MAX_INDEX = 100_000_000
_TURN = ".alt"


def publish(aside: Path, names: list[str], folder: Path, overwrite: bool) -> None:
    """Rename ``aside`` to ``folder``, or move its files there where that exists, the last of ``names`` last.

    A second call goes on where a killed one was.

    Raises
    ------
    OutputExistsError
        One of them has been taken, and ``overwrite`` is false.
    """
    if not folder.exists():
        with contextlib.suppress(FileExistsError, NotADirectoryError):
            _rename_new(aside, folder)
            return
    waiting = [name for name in names if (aside / name).exists()]
    taken = [
        name for name in waiting if (folder / name).exists() and not _same_file(aside / name, folder / name)
    ]
    if taken and not overwrite:
        raise exists_error(folder / taken[0])
    for companion in sorted(p.name for p in aside.iterdir() if p.name not in names):
        os.replace(aside / companion, folder / companion)
    try:
        for name in waiting:
            if name == names[-1]:
                sync_folder(folder)  # the names that the index lists are on the disk before it
            if name in taken or not (folder / name).exists():
                give_name(aside / name, folder / name, overwrite)
    except BaseException:
        _take_back(aside, folder, names)
        raise
    sync_folder(folder)
    if len(names) > 1:
        _remove_superseded(folder, names[:-1])


def _take_back(aside: Path, folder: Path, names: list[str]) -> None:
    """Move the files of a set that has no index, as it was not switched, to where they were."""
    old = listed(folder / names[-1])
    for name in names[:-1]:
        if name not in old:
            with contextlib.suppress(OSError):
                if _same_file(aside / name, folder / name):
                    (folder / name).unlink()
                elif not (aside / name).exists():
                    os.replace(folder / name, aside / name)


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def free_names(folder: Path, names: Iterable[str], index: str) -> dict[str, str]:
    """For each file of a set a name that the index in the folder does not list: its own, or `other_name`."""
    old = listed(folder / index)
    plain = {name: other_name(name) if Path(name).stem.endswith(_TURN) else name for name in names}
    return {name: other_name(own) if own in old else own for name, own in plain.items()}


def other_name(name: str) -> str:
    """The name of a file that takes turns with ``name`` when a set is replaced, and the reverse."""
    path = Path(name)
    stem = path.stem
    return (stem.removesuffix(_TURN) if stem.endswith(_TURN) else stem + _TURN) + path.suffix


def listed(index: Path) -> set[str]:
    """Files that an index names; none where it cannot be read."""
    try:
        files = parse_json(read_small_file(index, MAX_INDEX))["weight_map"].values()
        return {name for name in files if isinstance(name, str)}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return set()


def _remove_superseded(folder: Path, names: list[str]) -> None:
    for name in names:
        if other_name(name) not in names:
            with contextlib.suppress(OSError):
                (folder / other_name(name)).unlink()


def _rename_new(aside: Path, folder: Path) -> None:
    try:
        os.rename(aside, folder)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise FileExistsError(error.errno, "taken meanwhile") from error
        raise
