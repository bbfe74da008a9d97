"""Ctrl-C during native work: heard soon, and the process goes on as if nothing had been."""

import signal
import subprocess
import sys
import textwrap

import pytest

PROGRAM = """
    import sys, threading, time
    import numpy as np
    import rebasin_fast as rf

    rng = np.random.default_rng(0)
    spec = rf.specs.mlp(["0", "1", "2"])
    widths = [64, {width}, {width}, 10]
    def model():
        params = {{}}
        for i in range(3):
            params[f"{{i}}.weight"] = rng.standard_normal((widths[i + 1], widths[i]), dtype=np.float32)
            params[f"{{i}}.bias"] = rng.standard_normal(widths[i + 1], dtype=np.float32)
        return params
    a, b = model(), model()
    before = set(threading.enumerate())
    try:
        print("ready", flush=True)
        while True:
            rf.weight_matching(spec, a, b)
    except KeyboardInterrupt:
        print("heard", flush=True)
    assert set(threading.enumerate()) == before
    small = {{name: w[:8, :8] if w.ndim == 2 else w[:8] for name, w in a.items()}}
    assert rf.weight_matching(spec, small, small).converged
    print("alive", flush=True)
"""


@pytest.mark.parametrize("width", [40, 2500], ids=["between-visits", "within-a-visit"])
def test_an_interrupt_is_heard(width):
    """The time limit is far above the second that is promised: only never hearing it fails here."""
    program = textwrap.dedent(PROGRAM.format(width=width))
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            process.send_signal(signal.SIGINT)
            rest, _ = process.communicate(timeout=30)
        finally:
            process.kill()
    assert rest == "heard\nalive\n"
    assert process.returncode == 0
