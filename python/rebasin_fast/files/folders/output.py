"""Output that is a folder of files: prepared aside, then put in place."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO

from ..errors import OutputExistsError
from ..writing.atomic import check_writable
from ..writing.faults import writing
from ..writing.journal import finish_interrupted
from ..writing.leftovers import clear_leftovers, temporary_name
from ..writing.names import exists_error, sync_folder
from ..writing.placing import FolderPlacing
from ..writing.publishing import other_name
from ..writing.together import outputs_of_block
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
    with writing(folder):
        _check_folder(folder, names, overwrite, needed_bytes)


def _check_folder(folder: Path, names: list[str], overwrite: bool, needed_bytes: int) -> None:
    finish_interrupted(folder.parent)
    if not folder.exists():
        check_writable(folder, False, needed_bytes=needed_bytes)
        return
    if not folder.is_dir():
        raise exists_error(folder)
    clear_leftovers(folder.parent)
    present = [p.name for p in folder.iterdir() if is_weights(p)]
    foreign = sorted(set(present) - set(names) - {other_name(name) for name in names})
    if foreign:
        raise OutputExistsError(
            f"{folder} holds other weights ({', '.join(foreign[:4])}), which would be taken for a part of the new "
            "ones. Choose another folder or clear this one."
        )
    if present and not overwrite:
        raise exists_error(folder / present[0])
    check_writable(folder / names[0], overwrite, needed_bytes=needed_bytes)


@contextlib.contextmanager
def write_folder(
    folder: Path, model: Path | None, overwrite: bool, texts: Mapping[str, str] | None = None
) -> Iterator[NewFolder]:
    """Collect files beside `folder`; put them in place when the block ends without an exception.

    `texts` are further small files, by name: a model card. Those that are there are replaced with `overwrite` only.

    A new folder appears at once with everything in it, the companions of the weights in the folder `model`
    (config.json, tokenizer, …) included. Into an existing one the files are moved one by one, the last one
    created last: for a set of files that is the index, which takes the place of the one before in one step. Its
    files stand under names that the index before does not list (`free_names`), so that at every moment the index in the
    folder names a whole set: the old one, or the new one. The files of the old set are removed after.
    """
    outputs = outputs_of_block()
    new = NewFolder(temporary_name(folder))
    placing = FolderPlacing(new.path, folder, overwrite, new.names)
    try:
        with writing(folder):
            new.path.mkdir()
            yield new
            if model is not None:
                _copy_companions(model, new.path, folder)
            for name, text in (texts or {}).items():
                if overwrite or not (folder / name).exists():
                    (new.path / name).write_text(text, encoding="utf-8", newline="\n")
            sync_folder(new.path)
        if outputs is None:
            placing.place()
            sync_folder(folder.parent)
        else:
            outputs.folders.append(placing)
    finally:
        if outputs is None or placing not in outputs.folders:
            placing.clear()


def _copy_companions(model: Path, aside: Path, folder: Path) -> None:
    for companion in sorted(model.iterdir()):
        small = companion.is_file() and companion.stat().st_size <= _MAX_COPIED
        wanted = small and not is_weights(companion) and _belongs_to_a_model(companion.name)
        if wanted and not (folder / companion.name).exists():
            _copy(companion, aside / companion.name)


def _copy(companion: Path, copy: Path) -> None:
    if companion.stat().st_size:
        shutil.copyfile(companion, copy)
    else:
        copy.touch()  # a link to a file of /proc, which says so, may never end


def _belongs_to_a_model(name: str) -> bool:
    return any(fnmatchcase(name.lower(), pattern) for pattern in _COMPANIONS)
