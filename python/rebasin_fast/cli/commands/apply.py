"""``rebasin-fast apply``: a saved permutation or transform applied to a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rebasin_fast._pretrained.card import model_card
from rebasin_fast._terminal.legible import legible
from rebasin_fast.cli.destination import Destination
from rebasin_fast.cli.named import NamedModel
from rebasin_fast.cli.options import (
    OutputOptions,
    entry_option,
    input_path,
    output_options,
    output_path,
    spec_options,
)
from rebasin_fast.cli.pretrained import by_its_class
from rebasin_fast.cli.spec_source import SpecSource
from rebasin_fast.errors import SpecError
from rebasin_fast.files import LoadedParams, PermutationFile, holds_transform, load_params, load_permutation
from rebasin_fast.permutation import (
    invert_permutation,
    invert_transform,
    normalise,
    permuted_params,
    transformed_params,
)
from rebasin_fast.permutation.transforms import TransformFile, load_transform
from rebasin_fast.specs.renaming import shapes_of
from rebasin_fast.specs.spec import PermutationSpec

if TYPE_CHECKING:
    from rebasin_fast.typing import Params


@click.command()
@click.argument("permutation", type=input_path)
@click.argument("model_b", type=input_path)
@click.option("-o", "--output", type=output_path, required=True, help="Where the permuted model goes.")
@click.option("--invert", is_flag=True, help="Apply the inverse: undo the permutation.")
@spec_options
@entry_option
@output_options
def apply(
    permutation: Path,
    model_b: Path,
    output: Path,
    invert: bool,
    source: SpecSource,
    entry: str | None,
    out: OutputOptions,
) -> None:
    """Reorder the units of MODEL_B by the file PERMUTATION.

    PERMUTATION is written by match --save-permutation; it holds its spec, so that --spec is needed only for
    files that do not. Where match --symmetries all wrote it, gains and biases of norms in MODEL_B are first moved
    into the layers that read them; --invert does not move them back.

    \b
    Example:
      rebasin-fast match a.npz b.npz -o b_aligned.npz --save-permutation ab.safetensors
      rebasin-fast apply ab.safetensors b.npz -o b_again.npz
    """
    file = load_params(model_b, entry=entry)
    saved = load_transform(permutation) if holds_transform(permutation) else load_permutation(permutation)
    own = _own_spec(saved) if _is_left_open(source) else None
    params: Params = file if own is None else _as_named_by(own, file)
    destination = Destination(output, like=NamedModel(file, params), force=out.force)
    destination.check([permutation, model_b])
    spec = source.read(params) if own is None else own
    if isinstance(saved, TransformFile):
        results = _transformed(saved, spec, params, invert)
    else:
        results = _permuted(saved, spec, params, invert)
    how = {"permutation": permutation.name, "inverted": invert}
    destination.write(results, model_card("Permuted model", [model_b], how))
    own_shapes = shapes_of(params)
    left = [name for name in params if name not in spec.axes_to_perm and own_shapes[name]]
    applied = len(spec.sizes(params))
    lines = [f"  left in place: {legible(name)} (not in the spec)" for name in left]
    out.show(
        {"permutations": applied, "left_in_place": left, "output": str(output)},
        "\n".join([f"{applied} permutations applied", *lines, f"saved {output}"]),
    )


def _own_spec(saved: PermutationFile | TransformFile) -> PermutationSpec | None:
    if isinstance(saved, TransformFile):
        return saved.spec
    return None if saved.spec_json is None else PermutationSpec.from_json(saved.spec_json)


def _as_named_by(spec: PermutationSpec, file: LoadedParams) -> Params:
    """``file``; or its parameters in the form of their class, where ``spec`` was found for that."""
    if _fits(spec, file):
        return file
    of_class = by_its_class(file)
    return of_class if of_class is not None and _fits(spec, of_class) else file


def _fits(spec: PermutationSpec, params: Params) -> bool:
    """Whether every name of the spec is there, of one size on all axes."""
    if not all(name in params for name in spec.axes_to_perm):
        return False
    try:
        spec.sizes(params)
    except SpecError:
        return False
    return True


def _permuted(saved: PermutationFile, spec: PermutationSpec, params: Params, invert: bool) -> Params:
    saved.check_spec(spec.to_json())
    return permuted_params(
        spec, invert_permutation(saved.permutation, spec) if invert else saved.permutation, params
    )


def _transformed(saved: TransformFile, spec: PermutationSpec, params: Params, invert: bool) -> Params:
    saved.check_spec(spec)
    transform = invert_transform(saved.transform, spec) if invert else saved.transform
    return transformed_params(spec, transform, normalise(spec, params, balance=False).params)


def _is_left_open(source: SpecSource) -> bool:
    return source.spec_name == "auto" and source.trace is None
