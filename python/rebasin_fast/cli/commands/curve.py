"""``rebasin-fast curve``: loss along the line between two models."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click

from rebasin_fast.cli.alignment import align
from rebasin_fast.cli.choices import MatchingChoices
from rebasin_fast.cli.factories import FACTORY, made_model
from rebasin_fast.cli.named import load_named, prefix_option
from rebasin_fast.cli.options import entry_option, input_path, matching_options, output_options, output_path
from rebasin_fast.cli.progress import StageProgress
from rebasin_fast.evaluation.curve import Barrier, LossCurve, loss_curve
from rebasin_fast.evaluation.evaluator import Evaluator
from rebasin_fast.typing import Params

_DEFINITIONS: tuple[Barrier, ...] = ("mean", "linear", "midpoint")


@click.command()
@click.argument("model_a", type=input_path)
@click.argument("model_b", type=input_path)
@click.option("--model", type=FACTORY, required=True, help="Makes the torch model.")
@click.option(
    "--data", type=FACTORY, required=True, help="Gives the (inputs, targets) batches to measure on."
)
@click.option("--loss", type=FACTORY, help="loss(outputs, targets); cross-entropy by default.")
@click.option(
    "--reset-batch-norm", "training_data", type=FACTORY, help="Gives training batches; BatchNorm is reset."
)
@click.option("--match", "matched", is_flag=True, help="Add the line to B matched onto A.")
@click.option("--points", default=25, show_default=True, type=click.IntRange(2), help="Points on the line.")
@click.option("-o", "--output", type=output_path, help="Draw the curves (.png, .pdf, .svg).")
@matching_options
@entry_option
@prefix_option
@output_options
def curve(
    model_a: Path,
    model_b: Path,
    model: Callable[[], Any],
    data: Callable[[], Any],
    loss: Callable[..., Any] | None,
    training_data: Callable[[], Any] | None,
    matched: bool,
    points: int,
    output: Path | None,
    force: bool,
    entry: str | None,
    prefix: str | None,
    as_json: bool,
    quiet: bool,
    **choices: Any,
) -> None:
    """Measure loss and accuracy on the line from MODEL_A to MODEL_B, and the barriers on it.

    Factories are named as module:name, found in the current folder too, and are called without arguments.

    \b
    Example:
      rebasin-fast curve a.pt b.pt --model mymodels:net --data mydata:test_batches --match -o curve.png
    """
    if output is not None:
        from rebasin_fast.plots import check_figure

        check_figure(output, overwrite=force)
    named_a = load_named(model_a, entry=entry, prefix=prefix)
    params_a, params_b = named_a.params, load_named(model_b, entry=entry, prefix=prefix, like=named_a).params
    evaluate = Evaluator(made_model(model), data, loss=loss, batch_norm_batches=training_data)
    ends: dict[str, Params] = {"as they are": params_b}
    if matched:
        how = MatchingChoices(**choices)
        alignment = align(params_a, model_b, params_b, how, quiet=quiet, proving=(model, data))
        ends["matched"] = alignment.aligned
        if alignment.standing is not None:
            click.echo(f"Note: the spec is {alignment.standing}", err=True)
    curves = {}
    for name, end in ends.items():
        with StageProgress(quiet=quiet) as progress:
            report = partial(progress, f"loss on the line, B {name}")
            report(0, points)
            curves[name] = loss_curve(evaluate, params_a, end, points, progress=report)
    if output is not None:
        from rebasin_fast.plots import plot_loss_curves

        plot_loss_curves(curves, output, overwrite=force)
    if as_json:
        click.echo(json.dumps({name: _account(line) for name, line in curves.items()}))
    else:
        click.echo("\n".join(_table(curves)))
        if output is not None:
            click.echo(f"saved {output}")


def _account(line: LossCurve) -> dict[str, Any]:
    return {**line.to_dict(), "barriers": _barriers(line)}


def _barriers(line: LossCurve) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for metric in line.values:
        found[metric] = {}
        for definition in _DEFINITIONS:
            if definition == "midpoint" and len(line.ts) % 2 == 0:
                continue
            found[metric][definition] = line.barrier(definition, metric)
    return found


def _table(curves: dict[str, LossCurve]) -> Iterator[str]:
    columns = [(name, metric) for name, line in curves.items() for metric in line.values]
    first = next(iter(curves.values()))
    rows = [["t", *(f"{metric}, {name}" for name, metric in columns)]]
    for i, t in enumerate(first.ts):
        rows.append([f"{t:.3f}", *(f"{curves[name].values[metric][i]:.4f}" for name, metric in columns)])
    for definition in _DEFINITIONS:
        barriers = [_barriers(curves[name])[metric].get(definition) for name, metric in columns]
        if None not in barriers:
            rows.append([f"{definition} barrier", *(f"{barrier:.4f}" for barrier in barriers)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
