"""``rebasin-fast apply``: a saved permutation applied to a model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from rebasin_fast._terminal.legible import legible
from rebasin_fast.cli.options import (
    entry_option,
    input_path,
    output_options,
    output_path,
    read_spec,
    refuse_shared_paths,
    spec_options,
)
from rebasin_fast.files import check_output, load_params, load_permutation, output_files, save_params
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
    spec_name: str,
    trace: Callable[[], Any] | None,
    heads: int | None,
    norm_groups: int | None,
    layers: str | None,
    force: bool,
    entry: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Reorder the units of MODEL_B as the file PERMUTATION says.

    PERMUTATION is what match --save-permutation wrote; it holds its spec, so that --spec is needed only for
    files that do not.

    \b
    Example:
      rebasin-fast match a.npz b.npz -o b_aligned.npz --save-permutation ab.safetensors
      rebasin-fast apply ab.safetensors b.npz -o b_again.npz
    """
    saved = load_permutation(permutation)
    params = load_params(model_b, entry=entry)
    refuse_shared_paths([permutation, model_b], output_files(output, like=params))
    check_output(output, like=params, overwrite=force)
    if saved.spec_json is not None and spec_name == "auto" and trace is None:
        spec = PermutationSpec.from_json(saved.spec_json)
    else:
        spec = read_spec(spec_name, params, heads=heads, norm_groups=norm_groups, layers=layers, trace=trace)
        saved.check_spec(spec.to_json())
    indices = invert_permutation(saved.permutation, spec) if invert else saved.permutation
    save_params(output, permuted_params(spec, indices, params), like=params, overwrite=force)
    left = [name for name in params if name not in spec.axes_to_perm and params.shape(name)]
    applied = len(spec.sizes(params))
    if as_json:
        account = {"permutations": applied, "left_in_place": left, "output": str(output)}
        click.echo(json.dumps(account))
    else:
        lines = [f"  left in place: {legible(name)} (not in the spec)" for name in left]
        click.echo("\n".join([f"{applied} permutations applied", *lines, f"saved {output}"]))
