"""Output that is a folder of files: prepared aside, then put in place."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO

from ..atomic import check_writable, exists_error, publish, sync_folder
from ..errors import OutputExistsError, UnwritableOutputError
from .locate import is_weights

_MAX_COPIED = 64 << 20
# Companions of the weights in a folder of transformers or diffusers: configuration, tokenizer, preprocessing, code.
_COMPANIONS = (
    "config.json", "*_config.json", "config.yaml", "added_tokens.json", "special_tokens_map.json", "tokenizer*",
    "vocab*.json", "vocab*.txt", "merges*.txt", "*.model", "*.tiktoken", "chat_template*", "*.jinja",
    "modeling_*.py", "configuration_*.py", "tokenization_*.py", "processing_*.py", "license*", "notice*",
)  # fmt: skip


class NewFolder:
    """Files to be put into a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names: list[str] = []

    @contextlib.contextmanager
    def create(self, name: str) -> Iterator[IO[bytes]]:
        """Open a new file, on the disk when the block ends. The last one created is put in place last."""
        with open(self.path / name, "xb", buffering=1 << 20) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        self.names.append(name)


def check_folder(folder: Path, names: list[str], overwrite: bool, needed_bytes: int) -> None:
    """Check that these files can be put into that folder.

    Raises
    ------
    OutputExistsError
        One of them exists and `overwrite` is false, or other weights are there, which a reader might take
        instead.
    UnwritableOutputError
        The folder cannot be made or written.
    """
    if not folder.exists():
        check_writable(folder, False, needed_bytes=needed_bytes)
        return
    if not folder.is_dir():
        raise exists_error(folder)
    present = [p.name for p in folder.iterdir() if is_weights(p)]
    foreign = sorted(set(present) - set(names))
    if foreign:
        raise OutputExistsError(
            f"{folder} holds other weights ({', '.join(foreign[:4])}), which would be taken for a part of the new "
            "ones. Choose another folder or clear this one."
        )
    if present and not overwrite:
        raise exists_error(folder / present[0])
    check_writable(folder / names[0], overwrite, needed_bytes=needed_bytes)


@contextlib.contextmanager
def write_folder(folder: Path, model: Path | None, overwrite: bool) -> Iterator[NewFolder]:
    """Collect files beside `folder`; put them in place when the block ends without an exception.

    A new folder appears at once with everything in it, the companions of the weights in the folder `model`
    (config.json, tokenizer, …) included. Into an existing one the files are moved one by one, the last one
    created last: for a set of files that is the index, without which no reader finds the others.
    """
    aside = folder.parent / f".{folder.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp"
    try:
        aside.mkdir()
        new = NewFolder(aside)
        yield new
        if model is not None:
            _copy_companions(model, aside, folder)
        sync_folder(aside)
        _publish(aside, new.names, folder, overwrite)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UnwritableOutputError(
                f"cannot write {folder}: no space is left on its file system. Free some or write elsewhere; "
                "nothing was changed."
            ) from error
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    sync_folder(folder.parent)


def _copy_companions(model: Path, aside: Path, folder: Path) -> None:
    for companion in sorted(model.iterdir()):
        small = companion.is_file() and companion.stat().st_size <= _MAX_COPIED
        wanted = small and not is_weights(companion) and _belongs_to_a_model(companion.name)
        if wanted and not (folder / companion.name).exists():
            shutil.copyfile(companion, aside / companion.name)


def _belongs_to_a_model(name: str) -> bool:
    return any(fnmatchcase(name.lower(), pattern) for pattern in _COMPANIONS)


def _publish(aside: Path, names: list[str], folder: Path, overwrite: bool) -> None:
    if not folder.exists():
        with contextlib.suppress(FileExistsError, NotADirectoryError):
            _rename_new(aside, folder)
            return
    taken = [name for name in names if (folder / name).exists()]
    if taken and not overwrite:
        raise exists_error(folder / taken[0])
    # Without its index no reader takes a mixture of old and new files for a set, should this be cut short.
    if len(names) > 1 and taken:
        (folder / names[-1]).unlink(missing_ok=True)
    for companion in sorted(p.name for p in aside.iterdir() if p.name not in names):
        os.replace(aside / companion, folder / companion)
    for name in names:
        publish(aside / name, folder / name, overwrite)
    sync_folder(folder)


def _rename_new(aside: Path, folder: Path) -> None:
    try:
        os.rename(aside, folder)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise FileExistsError(error.errno, "taken meanwhile") from error
        raise
