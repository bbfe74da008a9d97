"""Exceptions as messages and exit codes; the one place where the command line does this."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Any

import click

from rebasin_fast._terminal.legible import legible
from rebasin_fast.errors import RebasinError
from rebasin_fast.files.mapping.unchanged import watching_files

_LINES = "\n\t"
_INTERRUPTED = 130  # 128 + SIGINT, as shells report it
_TERMINATED = 143  # 128 + SIGTERM


class Terminated(BaseException):
    """SIGTERM, as an exception: temporary files are removed on its way out, as after Ctrl-C."""


class ReportingGroup(click.Group):
    """A group whose commands end with a message instead of a traceback when the fault is not ours."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run, report, and exit with the documented code."""
        _spell_out_what_cannot_be_encoded()
        try:
            with _terminated_as_exception(), watching_files():
                return super().main(*args, **{**kwargs, "standalone_mode": False})
        except click.exceptions.Exit as exit_:
            sys.exit(exit_.exit_code)
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except (click.Abort, KeyboardInterrupt):
            click.echo("Interrupted; no file was left half-written.", err=True)
            sys.exit(_INTERRUPTED)
        except Terminated:
            click.echo("Terminated; no file was left half-written.", err=True)
            sys.exit(_TERMINATED)
        except BrokenPipeError:
            # The reader of our output has gone: nothing more can be written, not even while exiting.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        except (RebasinError, OSError, MemoryError) as error:
            click.echo(f"Error: {legible(error, keep=_LINES) or type(error).__name__}", err=True)
            sys.exit(1)


@contextmanager
def _terminated_as_exception() -> Iterator[None]:
    """SIGTERM raises `Terminated` in the main thread; a second one ends the process at once."""

    def terminate(_number: int, _frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _spell_out_what_cannot_be_encoded() -> None:
    """Names of files may hold bytes that are no text, and terminals have encodings without most characters."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
