"""A process whose daemon threads are in native code when the interpreter ends, ends with 0, as with SciPy."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import threading
import time

import numpy as np
import rebasin_fast as rf

{setup}


def work():
    while True:
        {step}
        rounds.append(None)


rounds = []
threads = [threading.Thread(target=work, daemon=True) for _ in range({threads})]
for thread in threads:
    thread.start()
while len(rounds) < {threads} and all(thread.is_alive() for thread in threads):
    time.sleep(0.001)
time.sleep(0.02)
assert all(thread.is_alive() for thread in threads)
"""

TWO_MODELS = """
spec = rf.specs.mlp(["layer0", "layer1", "layer2"])
rng = np.random.default_rng(0)
sizes = {"layer0": (200, 50), "layer1": (200, 200), "layer2": (10, 200)}
draw = lambda: {f"{k}.weight": rng.standard_normal(s, np.float32) for k, s in sizes.items()} | {
    f"{k}.bias": rng.standard_normal(s[0], np.float32) for k, s in sizes.items()
}
a, b = draw(), draw()
"""

WORK = {
    "one matrix, without the GIL": (
        "cost = np.random.default_rng(0).random((600, 600))",
        "rf.linear_sum_assignment(cost)",
    ),
    "one matrix, with the GIL": (
        "cost = np.random.default_rng(0).random((40, 40))",
        "rf.linear_sum_assignment(cost)",
    ),
    "one matrix and its duals": (
        "cost = np.random.default_rng(0).random((300, 300))",
        "rf.solve_assignment(cost)",
    ),
    "a long solve": (
        "cost = np.outer(np.arange(1500.0), np.arange(1500.0)) + np.random.default_rng(0).random((1500, 1500))\n"
        "rf.linear_sum_assignment(cost[:4, :4])",
        "rounds.append(None); rf.linear_sum_assignment(cost)",
    ),
    "a batch": (
        "costs = np.random.default_rng(0).random((200, 40, 40))",
        "rf.solve_assignment(costs, threads=2)",
    ),
    "a list": (
        "costs = [np.random.default_rng(k).random((40, 40 + k)) for k in range(40)]",
        "rf.solve_assignment(costs)",
    ),
    "a matching": (
        TWO_MODELS,
        "rf.weight_matching(spec, a, b)",
    ),
    "a matching that calls back": (
        TWO_MODELS,
        "rf.weight_matching(spec, a, b, visiting='random', progress=lambda p: sum(range(2000)))",
    ),
}


def run(program):
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, env=environment
    )


@pytest.mark.parametrize("name", WORK)
@pytest.mark.slow
def test_daemon_threads_do_not_abort_the_process(name):
    setup, step = WORK[name]
    done = run(PROGRAM.format(setup=setup, step=step, threads=2))
    assert done.returncode == 0, done.stderr


AT_THE_END = """
import numpy as np
import rebasin_fast as rf
from rebasin_fast import _core


class Last:
    cost = np.random.default_rng(0).random((300, 300))
    solve = staticmethod(_core.assignment_indices)

    def __del__(self):
        print(sum(self.solve(self.cost, False)[1].tolist()))


keep = Last()
keep.solve(keep.cost, False)  # NumPy can no longer be looked up at the end
keep.itself = keep
"""


def test_the_interpreters_own_thread_may_solve_while_it_ends():
    done = run(AT_THE_END)
    assert (done.returncode, done.stdout.split()) == (0, [str(sum(range(300)))]), done.stderr
