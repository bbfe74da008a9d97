"""Ctrl-C and SIGTERM while a command runs: exceptions, a message and an exit code, never a traceback."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

from rebasin_fast._terminal.startup import INTERRUPTED, MESSAGES, TERMINATED, end_at_once

_CODES = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}

_SECONDS_TO_LEAVE = 0.05  # an exception of the handler inside of the hook would be dropped, too


class Terminated(BaseException):
    """SIGTERM, as an exception: temporary files are removed on its way out, as after Ctrl-C."""


class Heard:
    """The exit code of the first signal; other exceptions on the way out are its consequences."""

    code: int | None = None

    @property
    def exit_code(self) -> int:
        """That of the signal, of Ctrl-C where an exception alone tells of one."""
        return self.code or INTERRUPTED

    def message(self) -> str:
        """The line at the end of the command."""
        return MESSAGES[self.exit_code]


@contextlib.contextmanager
def raised(heard: Heard) -> Iterator[None]:
    """In the block signals raise KeyboardInterrupt or `Terminated`; a second one ends the process at once.

    Outside of the main thread, and for signals that the caller ignores or handles, nothing is changed.
    """

    def first(number: int, _frame: FrameType | None) -> None:
        heard.code = _CODES[signal.Signals(number)]
        _handle(end_at_once)
        raise KeyboardInterrupt if heard.code == INTERRUPTED else Terminated

    def dropped(unraisable: Any) -> None:
        # Python drops an exception that a destructor raises; the signal it came from counts all the same.
        if heard.code is None or not isinstance(unraisable.exc_value, KeyboardInterrupt | Terminated):
            hook(unraisable)
            return
        _handle(first)
        again = threading.Timer(_SECONDS_TO_LEAVE, os.kill, (os.getpid(), heard.code - 128))
        again.daemon = True
        again.start()

    hook, before = sys.unraisablehook, _handle(first)
    sys.unraisablehook = dropped
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)


def _handle(handler: Any) -> dict[signal.Signals, Any]:
    """Set the handler of both signals, and return the ones before."""
    before = {}
    for number in _CODES:
        found = signal.getsignal(number)
        ours = str(getattr(found, "__module__", "")).startswith("rebasin_fast._terminal")
        if ours or found in (signal.SIG_DFL, signal.default_int_handler):
            with contextlib.suppress(ValueError):  # not in the main thread
                signal.signal(number, handler)
                before[number] = found
    return before
