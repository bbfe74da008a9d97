"""Ctrl-C while a native call runs, in a process of its own."""

import signal
import subprocess
import sys
import textwrap
import time

PROGRAM = """
import threading
import numpy as np
import rebasin_fast as rf

{setup}
before = set(threading.enumerate())
try:
    print("ready", flush=True)
    while True:
        {call}
except KeyboardInterrupt:
    print("interrupted", flush=True)
assert set(threading.enumerate()) == before
{after}
"""


def assert_interrupted(setup: str, call: str, after: str = "") -> None:
    """``call``, over and over, ends by SIGINT and leaves no thread; ``after`` runs in the same process.

    The time limit is far above the second that is promised: only an interrupt without effect fails.
    """
    program = PROGRAM.format(setup=textwrap.dedent(setup), call=call, after=textwrap.dedent(after))
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            time.sleep(0.3)  # the call is under way
            process.send_signal(signal.SIGINT)
            rest, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert rest == "interrupted\n"
    assert process.returncode == 0
