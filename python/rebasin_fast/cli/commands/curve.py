"""``rebasin-fast curve``: loss along the line between two models."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click

from rebasin_fast._terminal.tables import table
from rebasin_fast.cli.alignment import align
from rebasin_fast.cli.methods import METHODS, NEED_DATA, MethodOptions
from rebasin_fast.cli.named import LoadOptions
from rebasin_fast.cli.option_types import FACTORY, made_model
from rebasin_fast.cli.options import (
    MatchingOptions,
    OutputOptions,
    input_path,
    load_options,
    matching_options,
    output_options,
    output_path,
)
from rebasin_fast.cli.pretrained import ParamsOfClass
from rebasin_fast.evaluation.curve import Barrier, LossCurve, loss_curve
from rebasin_fast.evaluation.evaluator import Evaluator
from rebasin_fast.typing import Params

_DEFINITIONS: tuple[Barrier, ...] = get_args(Barrier)


@click.command()
@click.argument("model_a", type=input_path)
@click.argument("model_b", type=input_path)
@click.option(
    "--model", type=FACTORY, help="Makes the torch model; of a folder of transformers its class by default."
)
@click.option(
    "--data", type=FACTORY, required=True, help="Gives the (inputs, targets) batches to measure on."
)
@click.option("--loss", type=FACTORY, help="loss(outputs, targets); cross-entropy by default.")
@click.option(
    "--reset-batch-norm", "training_data", type=FACTORY, help="Gives training batches; BatchNorm is reset."
)
@click.option(
    "--match",
    "matched",
    is_flag=False,
    flag_value="weight",
    metavar="[METHOD]",
    type=click.Choice(list(METHODS)),
    help=f"Add the line to B matched onto A, by weight or another METHOD of match: {', '.join(METHODS)}.",
)
@click.option(
    "--match-data",
    type=FACTORY,
    help="Gives the batches that METHOD runs on; by default those of --reset-batch-norm, else of --data.",
)
@click.option("--points", default=25, show_default=True, type=click.IntRange(2), help="Points on the line.")
@click.option("-o", "--output", type=output_path, help="Draw the curves (.png, .pdf, .svg).")
@matching_options
@load_options
@output_options
def curve(
    model_a: Path,
    model_b: Path,
    model: Callable[[], Any] | None,
    data: Callable[[], Any],
    loss: Callable[..., Any] | None,
    training_data: Callable[[], Any] | None,
    matched: str | None,
    match_data: Callable[[], Any] | None,
    points: int,
    output: Path | None,
    options: MatchingOptions,
    loading: LoadOptions,
    out: OutputOptions,
) -> None:
    """Measure loss and accuracy on the line from MODEL_A to MODEL_B, and the barriers on it.

    Factories are named as module:name, found in the current folder too, and are called without arguments.

    \b
    Example:
      rebasin-fast curve a.pt b.pt --model mymodels:net --data mydata:test_batches --match -o curve.png
      rebasin-fast curve a.pt b.pt --model mymodels:net --data mydata:test_batches --match activation
      rebasin-fast curve a/ b/ --data mydata:test_batches --match
    """
    if match_data is not None and matched not in NEED_DATA:
        raise click.UsageError(f"--match-data is for --match {', '.join(NEED_DATA)}")
    if output is not None:
        from rebasin_fast.plots import check_figure

        check_figure(output, overwrite=out.force)
    params_a, params_b = (
        named.params
        for named in loading.load([model_a, model_b], options.memory_limit, by_class=options.is_left_open)
    )
    model = model or _class_of(params_a)
    evaluate = Evaluator(made_model(model), data, loss=loss, batch_norm_batches=training_data)
    lines: dict[str, tuple[Params, Params]] = {"as they are": (params_a, params_b)}
    if matched:
        how = _method(matched, model, match_data or training_data or data)
        alignment = align(params_a, model_b, params_b, options, out, how, proving=(model, data))
        lines["matched"] = (alignment.first, alignment.aligned)
        if alignment.statement is not None:
            click.echo(f"Note: the spec is {alignment.statement}", err=True)
    curves = {}
    for name, ends in lines.items():
        with out.progress(f"loss on the line, B {name}") as progress:
            curves[name] = loss_curve(evaluate, *ends, points, progress=progress)
        if fault := curves[name].nonfinite():
            click.echo(f"Warning: B {name}: {fault}; barriers with it are no numbers", err=True)
    if output is not None:
        from rebasin_fast.plots import plot_loss_curves

        plot_loss_curves(curves, output, overwrite=out.force)
    saved = "" if output is None else f"\nsaved {output}"
    out.show({name: _account(line) for name, line in curves.items()}, _table(curves) + saved)


def _class_of(params: Params) -> Callable[[], Any]:
    """What makes the model of a folder's class."""
    if isinstance(params, ParamsOfClass):
        return params.model.build
    raise click.UsageError(
        "give --model module:factory, which makes the torch model. It is not needed for a folder whose config.json "
        "names a class of transformers or diffusers, with that library installed and the spec left open"
    )


def _method(name: str, model: Callable[[], Any], data: Callable[[], Any]) -> MethodOptions:
    """On weights alone where they do."""
    if name in NEED_DATA:
        return MethodOptions(method=name, model=model, data=data)
    return MethodOptions(method=name)


def _account(line: LossCurve) -> dict[str, Any]:
    barriers = {metric: {d: _barrier(line, d, metric) for d in _definitions(line)} for metric in line.values}
    return {**line.to_dict(), "barriers": barriers}


def _barrier(line: LossCurve, definition: Barrier, metric: str) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # told once for the whole curve
        return line.barrier(definition, metric)


def _definitions(line: LossCurve) -> list[Barrier]:
    """The definitions of a barrier that the points allow: an even number of them lacks the midpoint."""
    return [definition for definition in _DEFINITIONS if definition != "midpoint" or len(line.ts) % 2]


def _table(curves: dict[str, LossCurve]) -> str:
    first = next(iter(curves.values()))
    columns = [(name, line, metric) for name, line in curves.items() for metric in line.values]
    rows = [
        [f"{t:.3f}", *(f"{line.values[metric][i]:.4f}" for _, line, metric in columns)]
        for i, t in enumerate(first.ts)
    ]
    rows += [
        [
            f"{definition} barrier",
            *(f"{_barrier(line, definition, metric):.4f}" for _, line, metric in columns),
        ]
        for definition in _definitions(first)
    ]
    return table(rows, ["t", *(f"{metric}, {name}" for name, _, metric in columns)], align="r")
