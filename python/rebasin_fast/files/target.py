"""The files that a path names, in the form of the input: one file, or a folder of files."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import _arguments
from ..errors import FileFormatError, MissingDependencyError
from .contents import FileFormat
from .folders.output import check_folder
from .folders.sharded import ShardedLayout
from .formats import FORMATS, INDEX_SUFFIX, format_of_name
from .load import load_params
from .params import LoadedParams
from .writing.atomic import check_name, check_writable

Like = str | os.PathLike[str] | LoadedParams


@dataclass(frozen=True)
class Target:
    """One file, or a folder of files, and the model whose form it takes."""

    path: Path
    folder: Path | None
    known: FileFormat
    model: LoadedParams | None
    layout: ShardedLayout | None

    @property
    def names(self) -> list[str]:
        """The files that will be written into the folder."""
        if self.layout is not None:
            return [*self.layout.sources, self.layout.index_name]
        return [self.path.name]

    def check(self, overwrite: bool) -> None:
        """Raise the errors that writing would, before any work is done."""
        needed = self.model.nbytes if self.model is not None else 0
        if self.known.needs and not importlib.util.find_spec(self.known.needs):
            raise MissingDependencyError(
                f"{self.path}: writing a file of {self.known.name} needs {self.known.needs}, which is not "
                f"installed. Install it: pip install 'rebasin-fast[{self.known.needs}]' (or write a .safetensors file)"
            )
        if self.folder is not None:
            check_folder(self.folder, self.names, overwrite, needed)
        else:
            check_writable(self.path, overwrite, needed_bytes=needed)


def find_target(
    path: Path, params: Mapping[str, Any], like: Like | None, max_shard_size: int | None = None
) -> Target:
    """The files that `save_params` writes for a path; FileFormatError where the path names none that can be written.

    With ``max_shard_size`` the folder is found, and not yet its division into files.
    """
    if like is None:
        model = params if isinstance(params, LoadedParams) else None
    else:
        model = (
            like
            if isinstance(like, LoadedParams)
            else load_params(_arguments.path("like", like), library="numpy")
        )
    check_name(path)
    if max_shard_size is not None:
        return _undivided(path, model)
    layout = model.source.layout if model is not None else None
    if not isinstance(layout, ShardedLayout):
        layout = None
    if path.name.endswith(INDEX_SUFFIX):
        if model is None or layout is None:
            raise FileFormatError(
                f"{path}: an index is written only where the input is such a set. Give a file name."
            )
        return Target(path, path.parent, _format_of(model), model, layout)
    known = format_of_name(path)
    if known is not None and known.read_only:
        raise FileFormatError(f"{path}: files of {known.name} are read, not written ({_WRITABLE} are).")
    if known is not None and path.suffix != ".npy":
        return Target(path, None, known, model, None)
    if str(path) == "-":
        raise FileFormatError(
            "'-' is no file: models are not written to standard output. Give a name and an extension: "
            f"{_WRITABLE}."
        )
    of_folder = model is not None and (layout is not None or model.source.folder is not None)
    if path.suffix and not path.is_dir() and not of_folder:
        raise FileFormatError(f"{path}: files of this kind cannot be written ({_WRITABLE} can).")
    if model is None or not of_folder:
        found = "is a folder" if path.is_dir() else "has no extension to give the format"
        kind = "" if model is None else f", and the input {model.source.path} is a single file"
        raise FileFormatError(f"{path} {found}{kind}. Give one: {_WRITABLE}.")
    written = _format_of(model)
    if written.read_only:
        raise FileFormatError(f"{path}: files of {written.name} are not written. Give one: {_WRITABLE}.")
    return Target(path / model.source.path.name, path, written, model, layout)


def _undivided(path: Path, model: LoadedParams | None) -> Target:
    if format_of_name(path) is not None or path.name.endswith(INDEX_SUFFIX):
        raise FileFormatError(
            f"{path}: max_shard_size (--max-shard-size) divides the files of a folder. Give a name without extension."
        )
    usual = model is None or not model.source.path.name.startswith("diffusion_pytorch_model")
    name = "model.safetensors" if usual else "diffusion_pytorch_model.safetensors"
    known = next(known for known in FORMATS if known.name == "safetensors")
    return Target(path / name, path, known, model, None)


def _format_of(model: LoadedParams) -> FileFormat:
    return next(known for known in FORMATS if known.name == model.source.format)


_WRITABLE = ", ".join(
    suffix for known in FORMATS if not known.read_only for suffix in known.suffixes if suffix != ".npy"
)
