"""``rebasin-fast apply``: a saved permutation or transform applied to a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

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
from rebasin_fast.cli.spec_source import SpecSource
from rebasin_fast.files import LoadedParams, holds_transform, load_params, load_permutation
from rebasin_fast.permutation import (
    invert_permutation,
    invert_transform,
    load_transform,
    normalise,
    permuted_params,
    transformed_params,
)
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
    params = load_params(model_b, entry=entry)
    destination = Destination(output, like=NamedModel(params, params), force=out.force)
    destination.check([permutation, model_b])
    moved = _transformed if holds_transform(permutation) else _permuted
    spec, results = moved(permutation, params, source, invert)
    destination.write(results)
    left = [name for name in params if name not in spec.axes_to_perm and params.shape(name)]
    applied = len(spec.sizes(params))
    lines = [f"  left in place: {legible(name)} (not in the spec)" for name in left]
    out.show(
        {"permutations": applied, "left_in_place": left, "output": str(output)},
        "\n".join([f"{applied} permutations applied", *lines, f"saved {output}"]),
    )


def _permuted(
    path: Path, params: LoadedParams, source: SpecSource, invert: bool
) -> tuple[PermutationSpec, Params]:
    saved = load_permutation(path)
    if saved.spec_json is not None and _is_left_open(source):
        spec = PermutationSpec.from_json(saved.spec_json)
    else:
        spec = source.read(params)
        saved.check_spec(spec.to_json())
    indices = invert_permutation(saved.permutation, spec) if invert else saved.permutation
    return spec, permuted_params(spec, indices, params)


def _transformed(
    path: Path, params: LoadedParams, source: SpecSource, invert: bool
) -> tuple[PermutationSpec, Params]:
    saved = load_transform(path)
    spec = saved.spec if _is_left_open(source) else source.read(params)
    saved.check_spec(spec)
    transform = invert_transform(saved.transform, spec) if invert else saved.transform
    return spec, transformed_params(spec, transform, normalise(spec, params, balance=False).params)


def _is_left_open(source: SpecSource) -> bool:
    return source.spec_name == "auto" and source.trace is None
