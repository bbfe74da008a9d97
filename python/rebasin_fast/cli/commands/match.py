"""``rebasin-fast match``: one model moved onto another."""

from __future__ import annotations

from pathlib import Path

import click

from rebasin_fast._pretrained.card import model_card
from rebasin_fast._pretrained.hub import public_name
from rebasin_fast.cli.alignment import align
from rebasin_fast.cli.destination import Destination, resumable
from rebasin_fast.cli.methods import MethodOptions, method_options
from rebasin_fast.cli.named import LoadOptions
from rebasin_fast.cli.options import (
    MatchingOptions,
    OutputOptions,
    input_path,
    load_options,
    matching_options,
    output_options,
    output_path,
)
from rebasin_fast.files import save_permutation as write_permutation
from rebasin_fast.files import together
from rebasin_fast.matching import SymmetricMatching
from rebasin_fast.permutation import save_transform


@click.command()
@click.argument("model_a", type=input_path)
@click.argument("model_b", type=input_path)
@click.option("-o", "--output", type=output_path, required=True, help="Where the aligned B goes.")
@click.option(
    "--save-permutation", type=output_path, help="Keep the permutation, or transform, as a file, for apply."
)
@click.option(
    "--normal-a", type=output_path, help="Where A's normal form goes, with --symmetries all: B's counterpart."
)
@click.option("--report", type=output_path, help="Write an HTML page about the matching.")
@method_options
@matching_options
@load_options
@output_options
def match(
    model_a: Path,
    model_b: Path,
    output: Path,
    save_permutation: Path | None,
    normal_a: Path | None,
    report: Path | None,
    method: MethodOptions,
    options: MatchingOptions,
    loading: LoadOptions,
    out: OutputOptions,
) -> None:
    """Move the units of MODEL_B onto those of MODEL_A and save the aligned B.

    The aligned model computes the same function as B; its weights are as close to A's as weight matching
    brings them, or its units behave as much like A's as activation matching finds. It is written in B's format and
    dtypes.

    With --symmetries all its counterpart is not A, but A's normal form, of the same function: --normal-a writes it.
    merge and curve use both.

    \b
    Examples:
      rebasin-fast match a.safetensors b.safetensors -o b_aligned.safetensors
      rebasin-fast match a.pt b.pt -o b_aligned.pt --report matching.html
      rebasin-fast match a.pt b.pt -o b_aligned.pt --resume matching.safetensors
      rebasin-fast match a.pt b.pt -o b_aligned.pt --method activation --model my:net --data my:batches
      rebasin-fast match a.pt b.pt -o b_aligned.pt --trace mymodels:unet
      rebasin-fast match a.pt b.pt -o b_aligned.pt --trace mymodels:gpt --symmetries all --normal-a a_normal.pt
    """
    method.check()
    options.check_symmetries(method.method, ("weight", "activation", "straight-through"))
    if normal_a is not None and options.symmetries != "all":
        raise click.UsageError(
            "--normal-a is for --symmetries all; by permutations alone B is matched to A as it is"
        )
    a, b = loading.load([model_a, model_b], options.memory_limit, by_class=options.is_left_open)
    destination = Destination(output, like=b, force=out.force)
    further = {
        "--save-permutation": save_permutation,
        "--normal-a": normal_a,
        "--report": report,
        "--resume": method.resume,
    }
    destination.check([model_a, model_b], further)
    with resumable(method.resume):
        alignment = align(a.params, model_b, b.params, options, out, method)
    spec, matching = alignment.spec, alignment.matching
    with together():
        if save_permutation is not None and isinstance(matching, SymmetricMatching):
            restored = b.restored_spec(matching.spec)
            save_transform(save_permutation, restored, matching.transform, overwrite=out.force)
        elif save_permutation is not None:
            spec_json = b.restored_spec(spec).to_json()
            write_permutation(save_permutation, matching.permutation, spec_json, overwrite=out.force)
        if report is not None:
            from rebasin_fast.report import write_report

            names = (model_a.name, model_b.name)
            write_report(report, spec, a.params, b.params, matching, names=names, overwrite=out.force)
        if normal_a is not None:
            Destination(normal_a, like=a, force=out.force).write(alignment.first)
        destination.write(
            alignment.aligned,
            model_card(
                "Permuted model",
                [model_b],
                {
                    "permuted onto": public_name(model_a),
                    "method": method.method,
                    "permutations": len(matching.permutation),
                    "distance of the weights": f"{alignment.distance_before:.6g} -> {alignment.distance_after:.6g}",
                },
            ),
        )
    out.show({**alignment.to_dict(), "output": str(output)}, f"{alignment.summary()}\nsaved {output}")
