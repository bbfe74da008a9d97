"""Outputs of commands: checked before the work, written whole after it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from rebasin_fast._terminal.legible import legible
from rebasin_fast.cli.named import NamedModel
from rebasin_fast.files import (
    check_output,
    check_permutation_output,
    check_writable,
    output_files,
    save_params,
)
from rebasin_fast.typing import Params


@dataclass(frozen=True)
class Destination:
    """The model that a command writes, in the format and under the names of ``like``.

    ``dtype`` and ``max_shard_size`` are those of :func:`save_params`.
    """

    path: Path
    like: NamedModel
    force: bool
    dtype: str | None = None
    max_shard_size: int | None = None

    def check(self, inputs: Sequence[Path], further: Mapping[str, Path | None] | None = None) -> None:
        """Refuse outputs that cannot be written, or that would replace an input or one another.

        ``further`` are the outputs beside the model, by option; the file of --resume may exist.
        """
        further = further or {}
        files = output_files(
            self.path, like=self.like.file, dtype=self.dtype, max_shard_size=self.max_shard_size
        )
        check_distinct_paths(inputs, files, further)
        check_output(
            self.path,
            like=self.like.file,
            dtype=self.dtype,
            max_shard_size=self.max_shard_size,
            overwrite=self.force,
        )
        for option, path in further.items():
            if path is not None:
                check = check_permutation_output if "permutation" in option else check_writable
                check(path, overwrite=self.force or option == "--resume")

    def write(self, params: Params, card: str | None = None) -> None:
        """Save the model, with a note of entries of its original that it lacks.

        ``card``: the README.md of a folder, where the model came from one with a configuration.
        """
        folder = self.like.file.source.folder
        is_model = folder is not None and (folder / "config.json").is_file()
        save_params(
            self.path,
            self.like.restored(params),
            like=self.like.file,
            card=card if is_model else None,
            dtype=self.dtype,
            max_shard_size=self.max_shard_size,
            overwrite=self.force,
        )
        source = self.like.file.source
        for entry, reason in source.left_out.items():
            click.echo(
                f"Note: {source.path}: {legible(entry)} is not carried over ({legible(reason)})", err=True
            )


def check_distinct_paths(
    inputs: Sequence[Path], outputs: Sequence[Path], further: Mapping[str, Path | None] | None = None
) -> None:
    """UsageError where an output would replace an input, or two outputs have one name.

    Parameters
    ----------
    inputs : sequence of Path
        As the user named them: of a folder, and of an index, every file of that folder is an input.
    outputs : sequence of Path
        The files of ``--output``.
    further : mapping
        Outputs beside it, by option.
    """
    taken: dict[object, str] = {}
    for given in inputs:
        folder = given if given.is_dir() else given.parent if given.name.endswith(".index.json") else None
        for file in [given] if folder is None else [file for file in folder.iterdir() if file.is_file()]:
            taken[_identity(file)] = f"the input {file}"
    named = [("--output", path) for path in outputs]
    named += [(option, path) for option, path in (further or {}).items() if path is not None]
    for option, path in named:
        there = taken.get(_identity(path))
        if there is not None:
            raise click.UsageError(f"{option} {path} is the same file as {there}; give it a name of its own")
        taken[_identity(path)] = f"{option} {path}"


def _identity(path: Path) -> object:
    """Equal for two names of one file: links of both kinds, and relative paths."""
    try:
        found = path.stat()
    except OSError:
        return os.path.realpath(path)
    return found.st_dev, found.st_ino


@contextmanager
def resumable(path: Path | None) -> Iterator[None]:
    """Print a note that ``path`` keeps the steps taken, where Ctrl-C ends the block."""
    try:
        yield
    except KeyboardInterrupt:
        if path is not None and path.exists():
            click.echo(f"The steps taken are in {path}: the same command continues from there.", err=True)
        raise
