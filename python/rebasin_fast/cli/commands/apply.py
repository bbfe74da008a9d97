"""``rebasin-fast apply``: a saved permutation applied to a model."""

from __future__ import annotations

from pathlib import Path

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
from rebasin_fast.files import load_params, load_permutation
from rebasin_fast.permutation import invert_permutation, permuted_params
from rebasin_fast.specs.spec import PermutationSpec


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
    files that do not.

    \b
    Example:
      rebasin-fast match a.npz b.npz -o b_aligned.npz --save-permutation ab.safetensors
      rebasin-fast apply ab.safetensors b.npz -o b_again.npz
    """
    saved = load_permutation(permutation)
    params = load_params(model_b, entry=entry)
    destination = Destination(output, like=NamedModel(params, params), force=out.force)
    destination.check([permutation, model_b])
    if saved.spec_json is not None and source.spec_name == "auto" and source.trace is None:
        spec = PermutationSpec.from_json(saved.spec_json)
    else:
        spec = source.read(params)
        saved.check_spec(spec.to_json())
    indices = invert_permutation(saved.permutation, spec) if invert else saved.permutation
    destination.write(permuted_params(spec, indices, params))
    left = [name for name in params if name not in spec.axes_to_perm and params.shape(name)]
    applied = len(spec.sizes(params))
    lines = [f"  left in place: {legible(name)} (not in the spec)" for name in left]
    out.show(
        {"permutations": applied, "left_in_place": left, "output": str(output)},
        "\n".join([f"{applied} permutations applied", *lines, f"saved {output}"]),
    )
