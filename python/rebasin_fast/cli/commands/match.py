"""``rebasin-fast match``: one model moved onto another."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from rebasin_fast.cli.alignment import align, warn_of_left_out
from rebasin_fast.cli.choices import MatchingChoices
from rebasin_fast.cli.methods import HEARD_BY, Method, method_options
from rebasin_fast.cli.named import load_named, prefix_option
from rebasin_fast.cli.options import (
    entry_option,
    input_path,
    matching_options,
    output_options,
    output_path,
    refuse_shared_paths,
)
from rebasin_fast.cli.progress import telling_of_resume
from rebasin_fast.files import (
    check_output,
    check_permutation_output,
    check_writable,
    output_files,
    save_params,
)
from rebasin_fast.files import save_permutation as write_permutation


@click.command()
@click.argument("model_a", type=input_path)
@click.argument("model_b", type=input_path)
@click.option("-o", "--output", type=output_path, required=True, help="Where the aligned B goes.")
@click.option("--save-permutation", type=output_path, help="Keep the permutation as a file, for apply.")
@click.option("--report", type=output_path, help="Write an HTML page that shows what the matching did.")
@click.option(
    "--resume",
    type=output_path,
    metavar="FILE",
    help="Keep the state of the matching in FILE (.safetensors, .npz), and go on from it where it exists.",
)
@method_options
@matching_options
@entry_option
@prefix_option
@output_options
def match(
    model_a: Path,
    model_b: Path,
    output: Path,
    save_permutation: Path | None,
    report: Path | None,
    resume: Path | None,
    method: str,
    model: Callable[[], Any] | None,
    data: Callable[[], Any] | None,
    force: bool,
    entry: str | None,
    prefix: str | None,
    as_json: bool,
    quiet: bool,
    **choices: Any,
) -> None:
    """Move the units of MODEL_B onto those of MODEL_A and save the aligned B.

    The aligned model computes the same function as B; its weights are as close to A's as weight matching
    brings them, or its units behave as much like A's as activation matching finds. It is written in B's format and
    dtypes.

    \b
    Examples:
      rebasin-fast match a.safetensors b.safetensors -o b_aligned.safetensors
      rebasin-fast match a.pt b.pt -o b_aligned.pt --report matching.html
      rebasin-fast match a.pt b.pt -o b_aligned.pt --resume matching.safetensors
      rebasin-fast match a.pt b.pt -o b_aligned.pt --method activation --model my:net --data my:batches
      rebasin-fast match a.pt b.pt -o b_aligned.pt --trace mymodels:unet
    """
    chosen = Method(method, model, data, resume)
    how = MatchingChoices(**choices)
    how.refuse_unheard(method, HEARD_BY)
    beside = {"--save-permutation": save_permutation, "--report": report, "--resume": resume}
    named_a = load_named(model_a, entry=entry, prefix=prefix)
    named_b = load_named(model_b, entry=entry, prefix=prefix, like=named_a)
    params_a, params_b = named_a.params, named_b.params
    refuse_shared_paths([model_a, model_b], output_files(output, like=named_b.file), beside)
    check_output(output, like=named_b.file, overwrite=force)
    if save_permutation is not None:
        check_permutation_output(save_permutation, overwrite=force)
    if report is not None:
        check_writable(report, overwrite=force)
    if resume is not None:
        check_writable(resume, overwrite=True)
    with telling_of_resume(resume):
        alignment = align(params_a, model_b, params_b, how, quiet=quiet, method=chosen)
    if save_permutation is not None:
        write_permutation(
            save_permutation,
            alignment.matching.permutation,
            named_b.restored_spec(alignment.spec).to_json(),
            overwrite=force,
        )
    save_params(output, named_b.restored(alignment.aligned), like=named_b.file, overwrite=force)
    if report is not None:
        from rebasin_fast.report import write_report

        names = (model_a.name, model_b.name)
        write_report(
            report, alignment.spec, params_a, params_b, alignment.matching, names=names, overwrite=force
        )
    warn_of_left_out(named_b.file)
    if as_json:
        click.echo(json.dumps({**alignment.to_dict(), "output": str(output)}))
    else:
        click.echo(f"{alignment.summary()}\nsaved {output}")
