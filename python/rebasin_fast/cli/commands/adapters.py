"""``rebasin-fast adapters``: LoRA adapters merged with one another, or into their model."""

from __future__ import annotations

from pathlib import Path

import click

from rebasin_fast._terminal.legible import legible
from rebasin_fast.cli.destination import Destination, check_distinct_paths
from rebasin_fast.cli.named import LoadOptions
from rebasin_fast.cli.options import (
    OutputOptions,
    input_path,
    load_options,
    output_options,
    output_path,
)
from rebasin_fast.merging.lora.adapter import CONFIGURATION, WEIGHTS, load_adapter, save_adapter
from rebasin_fast.merging.lora.applied import applied_adapter
from rebasin_fast.merging.lora.products import merged_adapters
from rebasin_fast.typing import Params


@click.command()
@click.argument("paths", type=input_path, nargs=-1, required=True, metavar="ADAPTER [ADAPTER ...]")
@click.option("-o", "--output", type=output_path, required=True, help="Where the adapter or the model goes.")
@click.option("--weights", metavar="W,W,...", help="Factor of each adapter; those of an average by default.")
@click.option(
    "--rank",
    type=click.IntRange(1),
    help="Rank of the merged adapter; the sum of all, without loss, by default.",
)
@click.option("--into", type=input_path, metavar="MODEL", help="Add the products to this model's weights.")
@load_options
@output_options
def adapters(
    paths: tuple[Path, ...],
    output: Path,
    weights: str | None,
    rank: int | None,
    into: Path | None,
    loading: LoadOptions,
    out: OutputOptions,
) -> None:
    """Merge LoRA adapters of PEFT: the sum of their products, never of their factors.

    \b
    Examples:
      rebasin-fast adapters math/ code/ -o both/ --rank 16
      rebasin-fast adapters math/ -o model_for_math/ --into model/ --weights 1
    """
    shares = None if weights is None else _weights(weights, len(paths))
    if into is not None and rank is not None:
        raise click.UsageError("--rank is for a merged adapter; a model has the whole sum")
    loaded = [load_adapter(path) for path in paths]
    if into is None:
        check_distinct_paths(paths, [output / WEIGHTS, output / CONFIGURATION])
        merged, lost = merged_adapters(loaded, shares, rank)
        save_adapter(output, merged, overwrite=out.force)
        worst = max(lost, key=lambda name: lost[name])
        left_out = f"the rank leaves out {lost[worst]:.3g} of {legible(worst)}, the most of all\n"
        out.show(
            {"lost": lost, "output": str(output)}, f"{left_out if rank is not None else ''}saved {output}"
        )
        return
    (model,) = loading.load([into])
    destination = Destination(output, model, out.force)
    destination.check([into, *paths])
    params: Params = model.params
    for adapter, share in zip(loaded, shares or [1.0 / len(loaded)] * len(loaded), strict=True):
        params = applied_adapter(params, adapter, share)
    destination.write(params)
    out.show({"output": str(output)}, f"saved {output}")


def _weights(text: str, count: int) -> list[float]:
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if len(found) != count:
        raise click.BadParameter(f"{text!r} is not {count} numbers, such as 1,0.5", param_hint="--weights")
    return found
