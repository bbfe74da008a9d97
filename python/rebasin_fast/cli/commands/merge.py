"""``rebasin-fast merge``: several models matched onto the first, and averaged."""

from __future__ import annotations

import json
from math import inf
from pathlib import Path
from typing import Any

import click

from rebasin_fast._terminal.legible import legible
from rebasin_fast.cli.alignment import (
    Alignment,
    account_of,
    align,
    kinship_lines,
    warn_of_batch_norm,
    warn_of_guess,
    warn_of_left_out,
)
from rebasin_fast.cli.choices import MatchingChoices
from rebasin_fast.cli.named import load_named, prefix_option
from rebasin_fast.cli.options import (
    entry_option,
    input_path,
    matching_options,
    output_options,
    output_path,
    read_spec,
    refuse_shared_paths,
)
from rebasin_fast.cli.progress import MatchingProgress, telling_of_resume
from rebasin_fast.cli.proof import standing_of
from rebasin_fast.files import (
    check_output,
    check_permutation_output,
    check_writable,
    output_files,
    save_params,
)
from rebasin_fast.matching import ManyMatching, merge_many
from rebasin_fast.matching.kinship import kinship
from rebasin_fast.merging.averaging import averaged_params
from rebasin_fast.merging.partial_average import averaged_where_shared, not_shared
from rebasin_fast.typing import Params

# Options of ``matching_options`` that not every method has a use for.
_HEARD_BY = {"--restarts": ("first",)}


@click.command()
@click.argument("models", type=input_path, nargs=-1, required=True, metavar="A B [C ...]")
@click.option("-o", "--output", type=output_path, required=True, help="Where the merged model goes.")
@click.option(
    "--weights", metavar="W,W,...", help="Share of each model, divided by their sum; equal by default."
)
@click.option(
    "--match/--no-match", "matched", default=True, show_default=True, help="Match before averaging."
)
@click.option(
    "--method",
    default="first",
    show_default=True,
    type=click.Choice(["first", "merge-many", "cycle-consistent"]),
    help="Match each model to A, each to the mean of the others, or all at once.",
)
@click.option(
    "--save-permutations",
    type=output_path,
    metavar="FILE",
    help="Keep where each model's units went, with merge-many.",
)
@click.option(
    "--resume",
    type=output_path,
    metavar="FILE",
    help="Keep the state of merge-many in FILE (.safetensors, .npz), and go on from it where it exists.",
)
@click.option("--allow-nonfinite", is_flag=True, help="Write NaN and infinities, instead of refusing them.")
@matching_options
@entry_option
@prefix_option
@output_options
def merge(
    models: tuple[Path, ...],
    output: Path,
    weights: str | None,
    matched: bool,
    method: str,
    save_permutations: Path | None,
    resume: Path | None,
    allow_nonfinite: bool,
    force: bool,
    entry: str | None,
    prefix: str | None,
    as_json: bool,
    quiet: bool,
    **choices: Any,
) -> None:
    """Match every further model onto A and save the average of all.

    With three models or more, --method merge-many brings them closer to one another: each in turn is matched to
    the mean of the others. The result is in A's order of units, format and dtypes either way. What
    --save-permutations wrote, rebasin_fast.ManyMatching.load reads.

    \b
    Examples:
      rebasin-fast merge a.safetensors b.safetensors -o merged.safetensors
      rebasin-fast merge a.pt b.pt c.pt -o merged.pt --weights 2,1,1
      rebasin-fast merge a.pt b.pt c.pt -o merged.pt --method merge-many
    """
    if len(models) < 2:
        raise click.UsageError(f"a merge takes two models or more; got {len(models)}")
    how = MatchingChoices(**choices)
    how.refuse_unheard(method, _HEARD_BY)
    together = method != "first"
    if together and not matched:
        raise click.UsageError(f"--no-match and --method {method} contradict one another; give one of them")
    beside = {"--save-permutations": save_permutations, "--resume": resume}
    for option, value in beside.items():
        if value is not None and not together:
            raise click.UsageError(f"{option} is for --method merge-many and cycle-consistent")
    shares = _parse_weights(weights, len(models))
    named_first = load_named(models[0], entry=entry, prefix=prefix)
    first = named_first.params
    others = [load_named(path, entry=entry, prefix=prefix, like=named_first).params for path in models[1:]]
    refuse_shared_paths(models, output_files(output, like=named_first.file), beside)
    check_output(output, like=named_first.file, overwrite=force)
    if together:
        if save_permutations is not None:
            check_permutation_output(save_permutations, overwrite=force)
        if resume is not None:
            check_writable(resume, overwrite=True)
        with telling_of_resume(resume):
            many, standing = _merge_many(
                method, [first, *others], shares, how,
                resume=resume, allow_nonfinite=allow_nonfinite, quiet=quiet,
            )  # fmt: skip
        if save_permutations is not None:
            many.save(save_permutations, overwrite=force)
        save_params(output, named_first.restored(many.merged), like=named_first.file, overwrite=force)
        warn_of_batch_norm(many.merged)
        warn_of_left_out(named_first.file)
        _warn_of_not_averaged([first, *others])
        relatives = {
            path: kinship(many.spec, first, params, many.between(0, number))
            for number, (path, params) in enumerate(zip(models[1:], others, strict=True), 1)
        }
        told = {str(path): account_of(found) for path, found in relatives.items() if account_of(found)}
        account = {
            **many.to_dict(),
            **({"spec": standing} if standing else {}),
            **({"relatives": told} if told else {}),
            "output": str(output),
        }
        lines = [repr(many), *([f"  spec  {legible(standing)}"] if standing else [])]
        for path, found in relatives.items():
            lines += [f"{path}:\n{line}" for line in kinship_lines(found)]
        lines.append(f"saved {output}")
        click.echo(json.dumps(account) if as_json else "\n".join(lines))
        return
    alignments: list[Alignment] = []
    if matched:
        for path, params in zip(models[1:], others, strict=True):
            alignments.append(align(first, path, params, how, quiet=quiet))
    aligned = [first, *([a.aligned for a in alignments] if matched else others)]
    averaged = averaged_where_shared if how.no_strict else averaged_params
    merged = averaged(aligned, shares, allow_nonfinite=allow_nonfinite)
    save_params(output, named_first.restored(merged), like=named_first.file, overwrite=force)
    warn_of_batch_norm(merged)
    warn_of_left_out(named_first.file)
    _warn_of_not_averaged([first, *others])
    if as_json:
        click.echo(json.dumps({"alignments": [a.to_dict() for a in alignments], "output": str(output)}))
    else:
        click.echo("\n".join([*(a.summary() for a in alignments), f"saved {output}"]))


def _warn_of_not_averaged(models: list[Params]) -> None:
    """With --no-strict: which parameters of the result are A's own, and which are not in it."""
    for name in not_shared(models):
        fate = (
            "A's own in the merged model" if name in models[0] else "not in the merged model, as A lacks it"
        )
        click.echo(f"Note: {legible(name)} is not in every model; it is {fate}", err=True)


def _merge_many(
    method: str,
    models: list[Params],
    shares: list[float] | None,
    choices: MatchingChoices,
    *,
    resume: Path | None,
    allow_nonfinite: bool,
    quiet: bool,
) -> tuple[ManyMatching, str | None]:
    spec = read_spec(
        choices.spec_name,
        models[0],
        heads=choices.heads,
        norm_groups=choices.norm_groups,
        layers=choices.layers,
        trace=choices.trace,
    )
    with MatchingProgress(quiet=quiet) as progress:
        many = merge_many(
            spec,
            models,
            method="cycle_consistent" if method == "cycle-consistent" else "merge_many",
            weights=shares,
            rng=choices.seed,
            max_iter=choices.max_iter,
            effort=choices.effort,
            strict=not choices.no_strict,
            threads=choices.threads,
            memory_limit=choices.memory_limit,
            checkpoint=resume,
            allow_nonfinite=allow_nonfinite,
            progress=progress,
        )
    warn_of_guess(spec, quiet=quiet)
    return many, standing_of(spec)


def _parse_weights(text: str | None, count: int) -> list[float] | None:
    if text is None:
        return None
    try:
        shares = [float(part) for part in text.split(",")]
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is not a list of numbers such as 2,1,1", param_hint="--weights"
        ) from None
    if len(shares) != count:
        raise click.BadParameter(
            f"{count} models take {count} weights; got {len(shares)}", param_hint="--weights"
        )
    if not 0.0 < sum(shares) < inf:
        raise click.BadParameter(
            f"the weights {text} must be finite and have a positive sum", param_hint="--weights"
        )
    return shares
