"""Kills, signals and faults at every call of the system that a write makes: the old output or the new one.

The calls are those of the C library (tests/helpers/faults.c, loaded before it), so that Python's own files, torch's
writer and everything between come through them. Each call gets a process of its own; a run without a fault counts them.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch  # noqa: F401  of the runs, whose outputs are torch files too

HELPERS = Path(__file__).parents[1] / "helpers"
KINDS = [".npz", ".safetensors", "state", "set", "together", "three places", ".pt"]
FINISHED, AT_NONE, REFUSED, SIGNALLED = 6, 0, 7, 5  # of fault_runs.py
KILLED = -9
LEAST_CALLS = {
    ".npz": 15,
    ".safetensors": 12,
    "state": 15,
    ".pt": 12,
    "set": 25,
    "together": 30,
    "three places": 60,
}

pytestmark = [
    pytest.mark.skipif(
        sys.platform != "linux" or shutil.which("cc") is None, reason="a C compiler and LD_PRELOAD"
    ),
    pytest.mark.slow,
]


@pytest.fixture(scope="module")
def histories(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults")
    layer = folder / "faults.so"
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-O1", "-o", str(layer), str(HELPERS / "faults.c"), "-ldl"],
        check=True,
        timeout=250,
    )
    environment = {
        **os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "OMP_NUM_THREADS": "1",
        "LD_PRELOAD": str(layer),
    }  # fmt: skip
    found = subprocess.run(
        [sys.executable, str(HELPERS / "fault_runs.py"), str(folder), *KINDS],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


def of_kind(histories, kind, fault):
    chosen = {name: history for name, history in histories.items() if name.startswith(f"{kind} {fault} ")}
    assert chosen
    return chosen.items()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", KINDS)
def test_after_a_kill_the_output_is_whole_and_the_next_run_clears_the_rest(histories, kind):
    for name, history in of_kind(histories, kind, "kill"):
        before = "old" if name.endswith("replaced") else "none"
        *killed, last = history
        assert len(killed) >= LEAST_CALLS[kind], name
        assert {code for code, *_ in killed} == {KILLED}, name
        states = {state for _, state, _, _ in killed}
        assert states == {before, "new"}, name
        assert all(clean for *_, clean in history), name
        assert last[:3] == [AT_NONE, "new", 0], name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", ["SIGINT", "SIGTERM", "EIO", "ENOSPC", "EACCES"])
def test_a_fault_or_a_signal_leaves_the_old_output_or_the_new_and_nothing_else(histories, kind, fault):
    chosen = [item for item in histories.items() if item[0].startswith(f"{kind} {fault} ")]
    for name, history in chosen:
        before = "old" if name.endswith("replaced") else "none"
        told = {SIGNALLED} if fault.startswith("SIG") else {REFUSED, FINISHED}
        assert {code for code, *_ in history[:-1]} <= told, name
        assert {state for _, state, _, _ in history} == {before, "new"}, name
        # A refused output is not there; where the fault was of no consequence it is.
        assert all(state == "new" for code, state, _, _ in history if code in (FINISHED, AT_NONE)), name
        assert all(clean for *_, clean in history), name
        if fault.startswith("SIG"):
            assert sum(left for _, _, left, _ in history) == 0, name
        else:  # where the removal of a temporary file is itself the call that fails, and once more for its folder
            assert sum(left for _, _, left, _ in history) <= 4, name
    assert chosen or kind != ".npz"
