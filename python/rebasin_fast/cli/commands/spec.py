"""``rebasin-fast spec``: the permutation spec of a checkpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np

from rebasin_fast._terminal.legible import legible
from rebasin_fast._terminal.tables import table
from rebasin_fast.cli.destination import check_distinct_paths
from rebasin_fast.cli.named import LoadOptions
from rebasin_fast.cli.options import (
    entry_option,
    force_option,
    input_path,
    json_option,
    output_path,
    spec_options,
)
from rebasin_fast.cli.spec_source import SpecSource
from rebasin_fast.files import atomic_write, check_writable
from rebasin_fast.specs.recognised import HOW_TO_PROVE, RecognisedSpec
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.specs.tracing import TracedSpec
from rebasin_fast.typing import Params


@click.command()
@click.argument("model", type=input_path, required=False)
@entry_option
@spec_options
@click.option(
    "-o", "--output", type=output_path, help="Write the spec as JSON, to edit it or to pass it to --spec."
)
@click.option(
    "--why",
    is_flag=True,
    help="With --trace: the reason for which every axis moves or is held, and the line of code.",
)
@force_option
@json_option
def spec(
    model: Path | None,
    source: SpecSource,
    output: Path | None,
    why: bool,
    force: bool,
    entry: str | None,
    as_json: bool,
) -> None:
    """Show the permutation spec of MODEL, check it against the shapes, and count the symmetries.

    With --trace the spec is derived from the program of a PyTorch model and proven on it; MODEL, a file of its
    parameters, is then not needed.

    \b
    Examples:
      rebasin-fast spec model.safetensors
      rebasin-fast spec model.safetensors --spec mine.json
      rebasin-fast spec model.safetensors -o spec.json
      rebasin-fast spec --trace mymodels:unet -o spec.json
    """
    if model is None and source.trace is None:
        raise click.UsageError("give MODEL, a file of parameters, or --trace module:factory")
    if why and source.trace is None:
        raise click.UsageError("--why explains a trace: give --trace module:factory")
    if output is not None:
        check_distinct_paths([] if model is None else [model], [output])
        check_writable(output, overwrite=force)
    params: Params = {}
    if model is not None:
        params = LoadOptions(entry, None).load([model], by_class=source.is_left_open)[0].params
    found = source.read(params)
    if model is None and isinstance(found, TracedSpec):
        params = {name: np.broadcast_to(np.float32(0), shape) for name, shape in found.shapes.items()}
    found.validate(params)
    if output is not None:
        with atomic_write(output, overwrite=force, text=True) as file:
            file.write(found.to_json())
    account = _account(found, params)
    if isinstance(found, RecognisedSpec):
        account["recognised"] = found.family
    if as_json:
        click.echo(json.dumps(account))
        return
    if why and isinstance(found, TracedSpec):
        click.echo(legible(found.report(), keep="\n"))
    if isinstance(found, RecognisedSpec):
        click.echo(legible(f"{found.statement()}: {HOW_TO_PROVE}"))
    click.echo("\n".join(_lines(account)))
    if output is not None:
        click.echo(f"saved {output}")


def _account(found: PermutationSpec, params: Params) -> dict[str, Any]:
    sizes = found.sizes(params)
    return {
        "parameters": len(found.axes_to_perm),
        "unmatched": list(found.unmatched),
        "permutations": {
            name: {
                "size": sizes[name],
                "within": list(found.parents[name]),
                "axes": [[parameter, axis] for parameter, axis in places],
            }
            for name, places in found.perm_to_axes.items()
            if name in sizes
        },
        "log10_symmetries": found.log10_symmetries(params),
        "digest": found.digest(),
    }


def _lines(account: dict[str, Any]) -> Iterator[str]:
    permutations = account["permutations"]
    yield f"{account['parameters']} parameters, {len(permutations)} permutations"
    rows = []
    for name, facts in permutations.items():
        within = f" within {', '.join(facts['within'])}" if facts["within"] else ""
        parameter, axis = facts["axes"][0]
        more = f" and {len(facts['axes']) - 1} more" if len(facts["axes"]) > 1 else ""
        rows.append((f"  {name}", f"{facts['size']:>5} units{within}: {parameter} axis {axis}{more}"))
    if rows:
        yield table(rows, align="l")
    yield f"  moved, not matched: {len(account['unmatched'])} parameters"
    yield f"  equal networks: 10^{account['log10_symmetries']:.2f}"
