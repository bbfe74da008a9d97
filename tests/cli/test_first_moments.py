"""Ctrl-C and SIGTERM at any moment of a command, its imports included: one line, the exit code, no traceback.

Before the first lines of the package run, the interpreter starts by itself, and answers as it does for every program.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals"),
    pytest.mark.slow,
]

SCRIPT = """
import sys
from rebasin_fast.cli import main
if __name__ == "__main__":
    sys.exit(main())
"""
# Runs the command, and sends itself the signal when the import of a module begins: the `at`-th of the command's own.
PRELUDE = """
import os, runpy, signal, sys
at, number, how = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
seen = []
def hook(event, arguments):
    if event == "import":
        if seen or str(arguments[0]) == "rebasin_fast._core":
            seen.append(arguments[0])
            if len(seen) == at:
                os.kill(os.getpid(), number)
sys.addaudithook(hook)
if how == "-m":
    sys.argv, sys.orig_argv = ["-m", "info", "--help"], [sys.executable, "-m", "rebasin_fast.cli", "info", "--help"]
    run = lambda: runpy.run_module("rebasin_fast.cli", run_name="__main__", alter_sys=True)
else:
    sys.argv = [how, "info", "--help"]
    run = lambda: runpy.run_path(how, run_name="__main__")
try:
    run()
finally:
    print(len(seen), file=sys.stderr)
"""
SIGNALS = {signal.SIGINT: (130, "Interrupted"), signal.SIGTERM: (143, "Terminated")}


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "rebasin-fast"
    path.write_text(SCRIPT)
    return path


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "OMP_NUM_THREADS": "1"}


def interrupted_at(at: int, number: int, how: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PRELUDE, str(at), str(int(number)), how],
        capture_output=True, text=True, env=environment(), timeout=250, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("how", ["script", "-m"])
def test_a_signal_while_modules_are_imported(how: str, script: Path) -> None:
    how = str(script) if how == "script" else how
    imports = int(interrupted_at(0, 0, how).stderr.split()[-1])
    assert imports > 300
    for share, number in zip(
        (0.005, 0.05, 0.2, 0.5, 0.8, 0.99), [signal.SIGINT, signal.SIGTERM] * 3, strict=True
    ):
        found = interrupted_at(1 + int(share * imports), number, how)
        code, word = SIGNALS[number]
        assert (found.returncode, found.stderr) == (code, f"{word}; no file was left half-written.\n"), share


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_at_any_moment_of_the_first(number: signal.Signals, script: Path) -> None:
    """Where it falls depends on the machine; wherever it does, it is the package's message or none of its frames."""
    for moment in range(0, 400, 50):
        process = subprocess.Popen(
            [sys.executable, str(script), "info", "--help"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
        )  # fmt: skip
        time.sleep(moment / 1000)
        process.send_signal(number)
        _, errors = process.communicate(timeout=250)
        # Not even the package's guard was set: the interpreter started, or that one module was read.
        assert f"{os.sep}rebasin_fast{os.sep}" not in errors or "_terminal.startup" in errors, errors
        code, word = SIGNALS[number]
        if "Traceback" not in errors and process.returncode != -number:  # the interpreter was there
            assert process.returncode in (0, code)
            assert errors in ("", f"{word}; no file was left half-written.\n")
