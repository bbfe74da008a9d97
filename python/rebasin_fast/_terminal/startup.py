"""Ctrl-C and SIGTERM while the modules of the command ``rebasin-fast`` are imported: the root imports this one first.

Nothing was written yet, so that the process ends at once. In every other program than the command nothing is changed.
"""

import signal
import sys

INTERRUPTED = 130  # 128 + SIGINT, as shells report it
TERMINATED = 143  # 128 + SIGTERM
MESSAGES = {
    INTERRUPTED: "Interrupted; no file was left half-written.",
    TERMINATED: "Terminated; no file was left half-written.",
}
_SCRIPTS = ("rebasin-fast", "rebasin-fast.exe", "rebasin-fast-script.py")


def end_at_once(number: int, _frame: object) -> None:
    """A handler of both signals."""
    import os

    os.write(2, f"{MESSAGES[128 + number]}\n".encode())
    os._exit(128 + number)


def _is_the_command() -> bool:
    # While `python -m` looks for its module, the name of the program is "-m".
    module = sys.argv[:1] == ["-m"] and "rebasin_fast.cli" in sys.orig_argv
    return module or (sys.argv or [""])[0].replace("\\", "/").rpartition("/")[2] in _SCRIPTS


if _is_the_command():
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, end_at_once)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, end_at_once)
