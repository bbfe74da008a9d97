"""Models that files hold, under the names that the other model has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from rebasin_fast._pretrained.form import ClassParams
from rebasin_fast.cli.pretrained import by_its_class
from rebasin_fast.files import LoadedParams, load_params
from rebasin_fast.specs.renaming import RenamedParams, change_of_names, names_like, shapes_of, without_prefix
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.specs.tracing import TracedSpec
from rebasin_fast.typing import Params


@dataclass(frozen=True)
class NamedModel:
    """A file, and its parameters under the names that the command works with."""

    file: LoadedParams
    params: Params

    def restored(self, result: Params) -> Params:
        """``result`` under the file's own names."""
        view, chain = self.params, []
        while isinstance(view, RenamedParams | ClassParams):
            chain.append(view)
            view = view.params
        for renamed in chain:
            result = renamed.restored(result)
        return result

    def restored_spec(self, spec: PermutationSpec) -> PermutationSpec:
        """``spec`` for the file's own names."""
        view = self.params
        while isinstance(view, RenamedParams | ClassParams):
            if view.names is None:
                break  # experts that the file holds one by one: the spec is for the names of the class
            spec = spec.renamed({name: own for name, own in view.names.items() if name in spec.axes_to_perm})
            view = view.params
        return spec


@dataclass(frozen=True)
class LoadOptions:
    """Which parameters of a file, and under which names."""

    entry: str | None
    prefix: str | None

    def load(
        self, paths: Sequence[Path], memory_limit: int | None = None, *, by_class: bool = False
    ) -> list[NamedModel]:
        """Load files; names that differ from those of the first by the prefixes of wrappers are mapped, with a note.

        ``memory_limit`` bounds the bytes of arrays that must be unpacked, those of all files together. ``by_class``:
        folders of transformers and diffusers under the names of their classes.
        """
        models: list[NamedModel] = []
        for path in paths:
            file = load_params(path, entry=self.entry, memory_limit=memory_limit)
            if memory_limit is not None:
                memory_limit -= file.bytes_to_unpack
            params: Params = file
            if self.prefix is not None:
                params = without_prefix(file, self.prefix) or file
            elif by_class and self.entry is None:
                params = by_its_class(file) or file
            if models:
                names = names_like(shapes_of(params), shapes_of(models[0].params))
                if names is not None:
                    click.echo(f"Note: {path}: {change_of_names(names)}", err=True)
                    params = RenamedParams(params, names)
            models.append(NamedModel(file, params))
        return models


def spec_for(spec: PermutationSpec, params: Params) -> PermutationSpec:
    """``spec`` under the names of ``params`` where these differ by the prefixes of wrappers, with a note."""
    if not params:
        return spec
    shapes = (
        dict(spec.shapes)
        if isinstance(spec, TracedSpec)
        else {n: None if e else () for n, e in spec.axes_to_perm.items()}
    )
    ties = spec.ties if isinstance(spec, TracedSpec) else {}
    names = names_like(shapes_of(params), {name: shape for name, shape in shapes.items() if name not in ties})
    if names is None:
        return spec
    click.echo(f"Note: the spec: {change_of_names(names)}", err=True)
    return spec.renamed(names)
