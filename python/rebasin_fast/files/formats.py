"""The file formats, and the one of a file. A new format is a file with a `FORMAT` and a line here."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import FileFormatError
from . import keras_format, numpy_format, safetensors_format
from .contents import FileFormat
from .foreign_formats import refuse_foreign
from .torch import format as torch_format

FORMATS: tuple[FileFormat, ...] = (
    safetensors_format.FORMAT,
    numpy_format.FORMAT,
    keras_format.FORMAT,
    torch_format.FORMAT,
)

INDEX_SUFFIX = ".index.json"


def all_suffixes() -> tuple[str, ...]:
    """Every extension that a file of weights may have."""
    return tuple(suffix for known in FORMATS for suffix in known.suffixes)


def format_of_name(path: Path) -> FileFormat | None:
    """The format of a file name's extension; None for an unknown one."""
    suffix = path.suffix.lower()
    return next((known for known in FORMATS if suffix in known.suffixes), None)


def format_of_file(path: Path) -> FileFormat:
    """The format of an existing file, by its first bytes, which must agree with its name.

    Raises
    ------
    FileFormatError
        Empty, a Git LFS pointer, a web page, another format than that of the name, or an unknown one.
    """
    with open(path, "rb") as file:
        head = file.read(512) if os.fstat(file.fileno()).st_size else b""  # of /proc, it may never come
    _refuse_failed_downloads(path, head)
    refuse_foreign(path, head)
    announced = format_of_name(path)
    found = next((known for known in FORMATS if known.recognises(head)), None)
    if announced is None and found is None:
        raise FileFormatError(f"{path}: neither its name nor its content is of a known format ({_known()}).")
    if announced is not None and found is not None and announced is not found:
        raise FileFormatError(
            f"{path} is named as a file of {announced.name}, and its content is of {found.name}. "
            f"Rename it: {path.with_suffix(found.suffixes[0]).name}"
        )
    if announced is not None and found is None:
        raise FileFormatError(
            f"{path} is named as a file of {announced.name}, and its content is not "
            f"(it begins with {head[:8]!r}). It is damaged or of another kind ({_known()}): fetch it again."
        )
    assert found is not None
    return found


def _refuse_failed_downloads(path: Path, head: bytes) -> None:
    if not head:
        raise FileFormatError(f"{path} is empty: it was not written to its end. Fetch or write it again.")
    if head.startswith(b"version https://git-lfs"):
        raise FileFormatError(
            f"{path} is a Git LFS pointer, not the weights. Fetch them in its clone, with "
            "git-lfs installed: git lfs pull"
        )
    if head.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
        raise FileFormatError(f"{path} is a web page, not weights: the download failed or needs a login.")


def _known() -> str:
    return "; ".join(f"{known.name}: {', '.join(known.suffixes)}" for known in FORMATS)
