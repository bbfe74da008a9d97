"""``rebasin-fast align``: ``match`` under the name of its result."""

from __future__ import annotations

import click

from rebasin_fast.cli.commands.match import match

align = click.Command(
    "align",
    params=match.params,
    callback=match.callback,
    help=f"As match: the aligned B is merged with A by any tool, mergekit included.\n\n{match.help}",
    short_help="As match: B in the order of A's units, to be merged with A by any tool.",
)
