"""Exceptions as messages and exit codes; the one place where the command line does this."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from typing import Any

import click

from rebasin_fast._terminal import signals
from rebasin_fast._terminal.legible import legible
from rebasin_fast.errors import RebasinError
from rebasin_fast.files.mapping.unchanged import watching_files

_LINES = "\n\t"


class ReportingGroup(click.Group):
    """A group whose commands end with a message instead of a traceback when the fault is not ours."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run, report, and exit with the documented code."""
        heard = signals.Heard()
        try:
            with signals.raised(heard):
                code = self._code_of_run(heard, *args, **kwargs)
        except (KeyboardInterrupt, signals.Terminated):
            code = heard.exit_code  # while the message of an error was written, or at the end
        sys.exit(code)

    def _code_of_run(self, heard: signals.Heard, *args: Any, **kwargs: Any) -> int:
        try:
            _spell_out_what_cannot_be_encoded()
            with watching_files():
                result = super().main(*args, **{**kwargs, "standalone_mode": False})
            sys.stdout.flush()
            return result if isinstance(result, int) else 0
        except click.exceptions.Exit as exit_:
            return exit_.exit_code
        except BaseException as error:
            if heard.code is not None or isinstance(error, click.Abort | KeyboardInterrupt):
                # Whatever the code made of the exception in which it was interrupted, a failed import for instance.
                click.echo(heard.message(), err=True)
                return heard.exit_code
            return _report(error)


def _report(error: BaseException) -> int:
    """The message of an error of the user or the system, and its exit code; others are raised."""
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        # The reader of our output has gone: nothing more can be written, not even while exiting.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if isinstance(error, RebasinError | OSError | MemoryError):
        click.echo(f"Error: {legible(error, keep=_LINES) or type(error).__name__}", err=True)
        return 1
    raise error


def _spell_out_what_cannot_be_encoded() -> None:
    """Names of files may hold bytes that are no text, and terminals have encodings without most characters."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
