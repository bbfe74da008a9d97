"""``rebasin-fast merge``: several models matched onto the first, and averaged."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from pathlib import Path

import click
from click.core import ParameterSource

from rebasin_fast._pretrained.card import model_card
from rebasin_fast._terminal.legible import legible
from rebasin_fast.cli.alignment import align, note_statistics
from rebasin_fast.cli.combined import TOGETHER, CombinedModels, merge_together
from rebasin_fast.cli.destination import Destination, resumable
from rebasin_fast.cli.measured_merge import MEASURED, MeasureOptions, measure_options, place_of
from rebasin_fast.cli.named import LoadOptions
from rebasin_fast.cli.options import (
    MatchingOptions,
    OutputOptions,
    check_options_apply,
    input_path,
    load_options,
    matching_options,
    output_options,
    output_path,
)
from rebasin_fast.cli.recipes.running import is_recipe, merge_recipe
from rebasin_fast.cli.rules import RuleOptions, rule_options
from rebasin_fast.files import together
from rebasin_fast.merging.averaging import averaged_params, averaged_where_shared, not_shared
from rebasin_fast.typing import Params

# Options that not every method takes.
_OPTION_METHODS = {"--restarts": ("first",), "--save-permutations": TOGETHER, "--resume": TOGETHER}


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
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "first", "merge-many", "cycle-consistent", *MEASURED[1:]]),
    help="Match each model to A (auto), each to the mean of the others, or all at once; with --data the best of "
    "identity, weights, activations and both (auto), or one of these.",
)
@click.option(
    "--save-permutations",
    type=output_path,
    metavar="FILE",
    help="Save each model's permutation, with merge-many.",
)
@click.option(
    "--resume",
    type=output_path,
    metavar="FILE",
    help="Keep the state of merge-many, or of a merge with --data, in FILE (.safetensors, .npz), and go on from it "
    "where it exists.",
)
@click.option("--allow-nonfinite", is_flag=True, help="Write NaN and infinities, instead of refusing them.")
@measure_options
@rule_options
@matching_options
@load_options
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
    measuring: MeasureOptions,
    rules: RuleOptions,
    options: MatchingOptions,
    loading: LoadOptions,
    out: OutputOptions,
) -> None:
    """Match every further model onto A and save the average of all, or what --rule makes of them.

    With --model and --data several ways are measured, and the best is saved: units matched by weights, activations
    or both, BatchNorm reset, REPAIR. The table of all is printed.

    With three models or more, --method merge-many brings them closer to one another: each in turn is matched to
    the mean of the others. The result is in A's order of units, format and dtypes either way. The
    file of --save-permutations is read by rebasin_fast.ManyMatching.load.

    A recipe of mergekit in place of the models is merged as it stands, and after a matching with --match.

    \b
    Examples:
      rebasin-fast merge a.safetensors b.safetensors -o merged.safetensors
      rebasin-fast merge a.pt b.pt -o merged.pt --model mymodels:net --data mydata:batches --report merge.html
      rebasin-fast merge a.pt b.pt c.pt -o merged.pt --weights 2,1,1
      rebasin-fast merge a.pt b.pt c.pt -o merged.pt --method merge-many
      rebasin-fast merge recipe.yaml -o merged/ --match
      rebasin-fast merge a/ b/ -o merged/ --rule ties --base base/ --density 0.5 --no-match
    """
    if is_recipe(models):
        if weights is not None or rules.rule is not None or method not in ("auto", "first"):
            raise click.UsageError(
                "a recipe has its rule and weights; --rule, --weights and --method are not for it"
            )
        asked = click.get_current_context().get_parameter_source("matched") is not ParameterSource.DEFAULT
        merge_recipe(
            models[0],
            output,
            options,
            loading,
            out,
            matched=matched and asked,
            max_shard_size=rules.max_shard_size,
            allow_nonfinite=allow_nonfinite,
        )
        return
    measuring.check(method, options)
    if measuring.given:
        _merge_measured(
            models,
            output,
            weights,
            matched,
            method,
            save_permutations,
            resume,
            measuring,
            rules,
            options,
            loading,
            out,
        )
        return
    method = "first" if method == "auto" else method
    options.check_symmetries(method, ("first",))
    rules.check(method)
    models = rules.with_base(models)
    if len(models) < 2:
        raise click.UsageError(f"a merge takes two models or more; got {len(models)}")
    check_options_apply(method, _OPTION_METHODS)
    if method in TOGETHER and not matched:
        raise click.UsageError(f"--no-match and --method {method} contradict one another; give one of them")
    shares = None if rules.rule is not None else _parse_weights(weights, len(models))
    parameters = rules.parameters(weights, len(models))
    named = loading.load(models, options.memory_limit, by_class=options.is_left_open)
    first, *others = params = [model.params for model in named]
    destination = Destination(output, named[0], out.force, rules.dtype, rules.max_shard_size)
    destination.check(models, {"--save-permutations": save_permutations, "--resume": resume})
    if method in TOGETHER:
        with resumable(resume):
            merged = merge_together(
                method, models, params, shares, options, out, resume=resume, allow_nonfinite=allow_nonfinite
            )
    else:
        pairs = zip(models[1:], others, strict=True)
        alignments = [align(first, path, other, options, out) for path, other in pairs if matched]
        if alignments:
            first, others = alignments[0].first, [alignment.aligned for alignment in alignments]
        aligned = [first, *others]
        if rules.rule is not None:
            result = rules.merged(aligned, parameters, options, allow_nonfinite=allow_nonfinite)
        else:
            average = averaged_where_shared if options.no_strict else averaged_params
            result = average(aligned, shares, allow_nonfinite=allow_nonfinite)
        merged = CombinedModels(
            result,
            {**rules.account(), "alignments": [alignment.to_dict() for alignment in alignments]},
            [alignment.summary() for alignment in alignments],
        )
    with together():
        if save_permutations is not None and merged.many is not None:
            merged.many.save(save_permutations, overwrite=out.force)
        how = {"combined by": rules.rule or "average", "weights": weights or "equal"}
        how["matching"] = method if matched else "none"
        destination.write(merged.params, model_card("Merged model", models, how, tags=["merge"]))
    note_statistics(merged.params)
    _note_not_averaged(params)
    out.show({**merged.account, "output": str(output)}, "\n".join([*merged.lines, f"saved {output}"]))


def _merge_measured(
    paths: Sequence[Path], output: Path, weights: str | None, matched: bool, method: str, permutations: Path | None,
    resume: Path | None, measuring: MeasureOptions, rules: RuleOptions, options: MatchingOptions, loading: LoadOptions,
    out: OutputOptions,
) -> None:  # fmt: skip
    """The best of the candidates that ``--data`` measures."""
    if len(paths) < 2:
        raise click.UsageError(f"a merge takes two models or more; got {len(paths)}")
    if permutations is not None:
        raise click.UsageError("--save-permutations is for --method merge-many and cycle-consistent")
    shares, place = _parse_weights(weights, len(paths)), place_of(rules.t)
    named = loading.load(paths, options.memory_limit)
    destination = Destination(output, named[0], out.force, rules.dtype, rules.max_shard_size)
    destination.check(paths, {"--report": measuring.report, "--resume": resume})
    with resumable(resume):
        found = measuring.merged(
            [model.params for model in named], method, shares, place, options, out, resume, matched=matched
        )
    with together():
        if measuring.report is not None:
            from rebasin_fast.report.candidates import write_candidates

            write_candidates(measuring.report, found, [path.name for path in paths], overwrite=out.force)
        how = {
            "combined by": "the best of what was measured",
            "weights": weights or "equal",
            "method": method,
        }
        destination.write(found.params, model_card("Merged model", paths, how, tags=["merge"]))
    out.show({**found.to_dict(), "output": str(output)}, f"{found}\nsaved {output}")


def _note_not_averaged(models: list[Params]) -> None:
    """With --no-strict: which parameters of the result are A's own, and which are not in it."""
    for name in not_shared(models):
        fate = (
            "A's own in the merged model" if name in models[0] else "not in the merged model, as A lacks it"
        )
        click.echo(f"Note: {legible(name)} is not in every model; it is {fate}", err=True)


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
