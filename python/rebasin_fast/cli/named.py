"""Models that files hold, under the names that the other model has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from rebasin_fast.files import LoadedParams, load_params
from rebasin_fast.specs.renaming import RenamedParams, change_of_names, names_like, shapes_of, without_prefix
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.specs.tracing import TracedSpec
from rebasin_fast.typing import Params

prefix_option = click.option(
    "--prefix",
    metavar="TEXT",
    help="Take the names that begin with TEXT, such as model. or ema., without it, in files that have any.",
)


@dataclass(frozen=True)
class NamedModel:
    """A file, and its parameters under the names that the command works with."""

    file: LoadedParams
    params: Params

    def restored(self, result: Params) -> Params:
        """``result`` under the file's own names."""
        view, chain = self.params, []
        while isinstance(view, RenamedParams):
            chain.append(view)
            view = view.params
        for renamed in chain:
            result = renamed.restored(result)
        return result

    def restored_spec(self, spec: PermutationSpec) -> PermutationSpec:
        """``spec`` for the file's own names."""
        view = self.params
        while isinstance(view, RenamedParams):
            spec = spec.renamed(view.names)
            view = view.params
        return spec


def load_named(
    path: Path, *, entry: str | None, prefix: str | None, like: NamedModel | None = None
) -> NamedModel:
    """Load a file; names that differ from those of ``like`` by what wrappers add are mapped, and that is said."""
    file = load_params(path, entry=entry)
    params: Params = file
    if prefix is not None:
        params = without_prefix(file, prefix) or file
    if like is not None:
        names = names_like(shapes_of(params), shapes_of(like.params))
        if names is not None:
            click.echo(f"Note: {path}: {change_of_names(names)}", err=True)
            params = RenamedParams(params, names)
    return NamedModel(file, params)


def spec_for(spec: PermutationSpec, params: Params) -> PermutationSpec:
    """``spec`` under the names of ``params``, where they differ by what wrappers add; that is said."""
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
