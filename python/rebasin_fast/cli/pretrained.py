"""Folders of transformers and diffusers on the command line: under the names of their classes, with their specs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rebasin_fast._pretrained.configuration import OtherModelError, configuration_beside
from rebasin_fast._pretrained.form import ClassParams
from rebasin_fast._pretrained.hub import resolved
from rebasin_fast._pretrained.libraries import is_installed
from rebasin_fast._pretrained.model import PretrainedModel
from rebasin_fast._terminal.legible import legible
from rebasin_fast.errors import MissingDependencyError, SpecError
from rebasin_fast.files import LoadedParams


class ModelPath(click.Path):
    """A path that exists, or the name of a repository in the local cache of the Hugging Face Hub."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path."""
        return super().convert(resolved(Path(value)), param, ctx)


class ParamsOfClass(ClassParams):
    """Parameters under the names of their class, and the model that they are of."""

    def __init__(self, model: PretrainedModel) -> None:
        own = model.params
        super().__init__(own.params, own.pieces, own.shapes)
        self.model = model


def by_its_class(file: LoadedParams) -> ParamsOfClass | None:
    """The parameters of a folder whose ``config.json`` names a class; None, with a note, where that does not fit them.

    Raises
    ------
    FileFormatError
        The configuration asks for what must not be done: running code of the folder, more numbers than the file has.
    """
    if file.source.folder is None:
        return None
    configuration = configuration_beside(file)
    if configuration is None:
        return None
    if not is_installed(configuration.library):
        click.echo(
            f"Note: {configuration.path} names {configuration.architecture}; with {configuration.library} installed "
            "its spec would be traced and proven",
            err=True,
        )
        return None
    try:
        return ParamsOfClass(PretrainedModel(file.source.folder, file, configuration))
    except (OtherModelError, SpecError, MissingDependencyError) as error:
        note_recognised(error)
        return None


def note_recognised(error: Exception) -> None:
    """Why the class is left aside, and what takes its place."""
    click.echo(f"Note: {legible(error)}. Without it the spec is recognised by names and shapes", err=True)
