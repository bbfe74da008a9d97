"""``rebasin-fast reset`` and ``repair``: statistics of a merged model, measured again on data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from rebasin_fast._terminal.legible import legible
from rebasin_fast.cli.destination import Destination
from rebasin_fast.cli.named import LoadOptions
from rebasin_fast.cli.option_types import FACTORY, made_model
from rebasin_fast.cli.options import OutputOptions, input_path, load_options, output_options, output_path
from rebasin_fast.evaluation.batch_norm import reset_batch_norm, tracking_layers
from rebasin_fast.evaluation.loading import load_into
from rebasin_fast.evaluation.merge.repairs import with_values_of
from rebasin_fast.evaluation.repair import repair as repair_model
from rebasin_fast.typing import Params

_OUTPUT = click.option("-o", "--output", type=output_path, required=True, help="Where the result goes.")
_MODEL = click.option("--model", type=FACTORY, required=True, help="Makes the torch model (module:name).")
_DATA = click.option(
    "--data",
    type=FACTORY,
    required=True,
    help="Gives training batches: inputs, or (inputs, ...), whose first element is used.",
)


@click.command()
@click.argument("merged", type=input_path)
@_OUTPUT
@_MODEL
@_DATA
@load_options
@output_options
def reset(
    merged: Path,
    output: Path,
    model: Callable[[], Any],
    data: Callable[[], Any],
    loading: LoadOptions,
    out: OutputOptions,
) -> None:
    """Measure the BatchNorm statistics of MERGED again on training data.

    \b
    Example:
      rebasin-fast reset merged.pt -o merged_reset.pt --model mymodels:net --data mydata:train_batches
    """
    named = loading.load([merged])
    destination = Destination(output, like=named[0], force=out.force)
    destination.check([merged])
    network = _holding(made_model(model), named[0].params)
    reset_batch_norm(network, data())
    destination.write(with_values_of(named[0].params, network.state_dict()))
    layers = len(tracking_layers(network))
    out.show(
        {"layers": layers, "output": str(output)},
        f"statistics of {layers} BatchNorm layers measured again\nsaved {output}",
    )


@click.command()
@click.argument("merged", type=input_path)
@click.argument("model_a", type=input_path)
@click.argument("model_b", type=input_path)
@_OUTPUT
@_MODEL
@_DATA
@click.option(
    "--t",
    "place",
    default=0.5,
    show_default=True,
    type=click.FloatRange(0.0, 1.0),
    help="Place of MERGED on the line from A to B.",
)
@click.option(
    "--passes",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="Passes; the first corrects all layers.",
)
@load_options
@output_options
def repair(
    merged: Path,
    model_a: Path,
    model_b: Path,
    output: Path,
    model: Callable[[], Any],
    data: Callable[[], Any],
    place: float,
    passes: int,
    loading: LoadOptions,
    out: OutputOptions,
) -> None:
    """Correct MERGED so that its units have the statistics between those of MODEL_A and MODEL_B (REPAIR).

    MODEL_B is the B that was averaged: the output of match.

    \b
    Example:
      rebasin-fast match a.pt b.pt -o b_aligned.pt
      rebasin-fast merge a.pt b_aligned.pt -o merged.pt --no-match
      rebasin-fast repair merged.pt a.pt b_aligned.pt -o repaired.pt --model mymodels:net --data mydata:train_batches
    """
    paths = [merged, model_a, model_b]
    named = loading.load(paths)
    destination = Destination(output, like=named[0], force=out.force)
    destination.check(paths)
    middle, end_a, end_b = (_holding(made_model(model), one.params) for one in named)
    batches = list(data()) if passes > 1 else data()
    with out.progress("batches") as progress:
        layers = repair_model(middle, end_a, end_b, batches, t=place, passes=passes, progress=progress)
    destination.write(with_values_of(named[0].params, middle.state_dict()))
    shown = ", ".join(legible(name) for name in layers)
    out.show(
        {"layers": layers, "output": str(output)}, f"corrected {len(layers)} layers: {shown}\nsaved {output}"
    )


def _holding(network: Any, params: Params) -> Any:
    load_into(network, params)
    return network
