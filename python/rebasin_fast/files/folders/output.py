"""Output that is a folder of files: prepared aside, then put in place."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO

from ..._untrusted import parse_json, read_small_file
from ..errors import OutputExistsError
from ..writing.atomic import check_writable
from ..writing.faults import writing
from ..writing.leftovers import clear_leftovers, remove, temporary_name
from ..writing.names import exists_error, give_name, sync_folder
from ..writing.together import outputs_of_block
from .locate import is_weights

MAX_INDEX = 100_000_000
_MAX_COPIED = 64 << 20
_TURN = ".alt"
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

    `texts` are further small files, by name: a model card.

    A new folder appears at once with everything in it, the companions of the weights in the folder `model`
    (config.json, tokenizer, …) included. Into an existing one the files are moved one by one, the last one
    created last: for a set of files that is the index, which takes the place of the one before in one step. Its
    files stand under names that the index before does not list (`free_names`), so that at every moment the index in the
    folder names a whole set: the old one, or the new one. The files of the old set are removed after.
    """
    aside = temporary_name(folder)
    outputs = outputs_of_block()
    waits = False

    def put_in_place() -> None:
        with writing(folder):
            _publish(aside, new.names, folder, overwrite)
        sync_folder(folder.parent)

    def clear() -> None:
        remove(aside)

    try:
        with writing(folder):
            aside.mkdir()
            new = NewFolder(aside)
            yield new
            if model is not None:
                _copy_companions(model, aside, folder)
            for name, text in (texts or {}).items():
                (aside / name).write_text(text, encoding="utf-8", newline="\n")
            sync_folder(aside)
        if outputs is None:
            put_in_place()
        else:
            outputs.cleaning.append(clear)
            outputs.folders.append(put_in_place)
            waits = True
    finally:
        if not waits:
            clear()


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


def _publish(aside: Path, names: list[str], folder: Path, overwrite: bool) -> None:
    if not folder.exists():
        with contextlib.suppress(FileExistsError, NotADirectoryError):
            _rename_new(aside, folder)
            return
    taken = [name for name in names if (folder / name).exists()]
    if taken and not overwrite:
        raise exists_error(folder / taken[0])
    for companion in sorted(p.name for p in aside.iterdir() if p.name not in names):
        os.replace(aside / companion, folder / companion)
    try:
        for name in names:
            if name == names[-1]:
                sync_folder(folder)  # the names that the index lists are on the disk before it
            give_name(aside / name, folder / name, overwrite)
    except BaseException:
        _take_back(aside, folder, names)
        raise
    sync_folder(folder)
    if len(names) > 1:
        _remove_superseded(folder, names[:-1])


def _take_back(aside: Path, folder: Path, names: list[str]) -> None:
    """Remove the files of a set that has no index, as it was not switched."""
    listed = _listed(folder / names[-1])
    for name in names[:-1]:
        placed = not (aside / name).exists() or _same_file(aside / name, folder / name)
        if placed and name not in listed:
            with contextlib.suppress(OSError):
                (folder / name).unlink()


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def free_names(folder: Path, names: Iterable[str], index: str) -> dict[str, str]:
    """For each file of a set a name that the index in the folder does not list: its own, or `other_name`."""
    listed = _listed(folder / index)
    plain = {name: other_name(name) if Path(name).stem.endswith(_TURN) else name for name in names}
    return {name: other_name(own) if own in listed else own for name, own in plain.items()}


def other_name(name: str) -> str:
    """The name of a file that takes turns with ``name`` when a set is replaced, and the reverse."""
    path = Path(name)
    stem = path.stem
    return (stem.removesuffix(_TURN) if stem.endswith(_TURN) else stem + _TURN) + path.suffix


def _listed(index: Path) -> set[str]:
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
