"""``rebasin-fast mergekit``: mergekit's own command, with the methods that align models first."""

from __future__ import annotations

import click

from rebasin_fast.compat.mergekit import register


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="RECIPE OUT [OPTIONS]")
def mergekit(arguments: tuple[str, ...]) -> None:
    """Run mergekit-yaml with the further methods rebasin_linear, rebasin_ties, ….

    Each is mergekit's method of the name behind the prefix, for models that weight matching has moved onto the base, or
    onto the first. The arguments are those of mergekit-yaml, which must be installed: pip install mergekit.

    \b
    Example:
      rebasin-fast mergekit recipe.yaml merged/
    """
    register()
    from mergekit.scripts.run_yaml import main

    main(list(arguments), prog_name="rebasin-fast mergekit", standalone_mode=False)
