"""The command line ``rebasin-fast``: one file a command."""

from __future__ import annotations

import click

from rebasin_fast import __version__
from rebasin_fast.cli.commands.adapters import adapters
from rebasin_fast.cli.commands.align import align
from rebasin_fast.cli.commands.apply import apply
from rebasin_fast.cli.commands.completion import completion
from rebasin_fast.cli.commands.curve import curve
from rebasin_fast.cli.commands.demo import demo
from rebasin_fast.cli.commands.info import info
from rebasin_fast.cli.commands.match import match
from rebasin_fast.cli.commands.merge import merge
from rebasin_fast.cli.commands.mergekit import mergekit
from rebasin_fast.cli.commands.reset import repair, reset
from rebasin_fast.cli.commands.spec import spec
from rebasin_fast.cli.errors import ReportingGroup

__all__ = ["main"]


@click.group(
    cls=ReportingGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, package_name="rebasin-fast")
def main() -> None:
    """Match, align and merge neural networks by permuting their hidden units.

    Results go to standard output, progress and messages to standard error.

    \b
    Exit codes: 0 done; 1 the job could not be done, the message gives the reason;
    2 the command was misused; 130 interrupted, 143 terminated: no file is left half-written.
    """


for _command in (
    demo, match, align, apply, merge, reset, repair, adapters, mergekit, curve, spec, info, completion,
):  # fmt: skip
    main.add_command(_command)
