"""Ctrl-C while a native call runs, in a process of its own."""

import signal
import subprocess
import sys
import textwrap
import time

PROGRAM = """
import threading, time
import numpy as np
import rebasin_fast as rf

{setup}
before = set(threading.enumerate())
try:
    print("ready", flush=True)
    start = time.process_time()
    {call}
except KeyboardInterrupt:
    print(time.process_time() - start, flush=True)
assert set(threading.enumerate()) == before
{after}
"""
THREADS = 2  # at most, of every call


def assert_interrupted(setup: str, call: str, after: str = "") -> None:
    """``call`` ends within a second by SIGINT and leaves no thread; ``after`` runs in the same process.

    The call has to take more than three seconds. Processor time is measured, so that a loaded machine does not
    count; a call that ends by itself, or handles the signal only then, fails.
    """
    program = PROGRAM.format(setup=textwrap.dedent(setup), call=call, after=textwrap.dedent(after))
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            ready = time.monotonic()
            time.sleep(0.3)  # the call is under way
            process.send_signal(signal.SIGINT)
            sent = time.monotonic()
            used, _ = process.communicate(timeout=15)
        finally:
            process.kill()
    assert used, "the call ended before the signal"
    assert float(used) <= THREADS * (sent - ready + 1)
    assert process.returncode == 0
