"""``rebasin-fast demo``: two small networks, before and after matching."""

from __future__ import annotations

import json
from pathlib import Path

import click

from rebasin_fast.cli.options import json_option, output_path, quiet_option


@click.command()
@click.option(
    "-o",
    "--output",
    type=output_path,
    default=Path("rebasin-demo.png"),
    show_default=True,
    help="The picture.",
)
@click.option("--seed", default=0, show_default=True, help="Seeds both networks.")
@json_option
@quiet_option
def demo(output: Path, seed: int, as_json: bool, quiet: bool) -> None:
    """Train two networks from different seeds, match them, and draw the loss between them.

    Uses scikit-learn's handwritten digits; under a minute on one core. Replaces an earlier picture.

    \b
    Example:
      rebasin-fast demo -o barrier.png
    """
    from rebasin_fast.demo.run import run_demo

    result = run_demo(output, seed=seed, progress=not quiet)
    click.echo(json.dumps(result.to_dict()) if as_json else result.summary())
