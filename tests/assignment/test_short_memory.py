"""Address space that runs out: MemoryError, in place of an abort by the C library or a BLAS that asks without end."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not sys.platform.startswith("linux"), reason="the address space is limited as on Linux"
    ),
]

# A child for each limit, which lies so many bytes above the address space in use.
PROGRAM = """
import json, os, resource, sys
import numpy as np
import rebasin_fast as rf

rng = np.random.default_rng(0)
costs = rng.random((8, 1200, 1200)).astype("f4")
spec = rf.specs.mlp(["fc1", "fc2"])
shapes = {"fc1.weight": (500, 300), "fc1.bias": (500,), "fc2.weight": (90, 500), "fc2.bias": (90,)}
a, b = ({n: rng.standard_normal(s).astype("f4") for n, s in shapes.items()} for _ in "ab")
calls = {
    "batch": lambda: rf.solve_assignment(costs, threads=4),
    "one": lambda: rf.weight_matching(spec, a, b),
    "several": lambda: rf.weight_matching(spec, a, b, restarts=3, threads=3),
}


def in_use():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmSize"))


found = {}
for extra in json.loads(sys.argv[2]):
    pid = os.fork()
    if pid == 0:
        try:
            resource.setrlimit(resource.RLIMIT_AS, (in_use() + extra,) * 2)
            calls[sys.argv[1]]()
            os._exit(0)
        except MemoryError:
            os._exit(3)
        except BaseException as error:
            sys.stderr.write(repr(error))
            os._exit(4)
    found[extra] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(json.dumps(found))
"""


def ends(call, extras):
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, call, json.dumps(extras)],
        capture_output=True, text=True, timeout=240, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert set(json.loads(ran.stdout).values()) <= {0, 3}, ran.stdout + ran.stderr
    return list(json.loads(ran.stdout).values())


def test_a_batch_on_threads_ends_or_gives_a_memory_error():
    # Two stacks of 8 MiB, and too little beside them for the work of two threads.
    found = ends("batch", [0, *range(17_000_000, 18_800_000, 75_000), 200_000_000])
    assert found[-1] == 0


@pytest.mark.parametrize("call", ["one", "several"])
def test_products_end_or_give_a_memory_error(call):
    found = ends(call, [4_000_000, 20_000_000, 40_000_000, 100_000_000, 200_000_000, 1_000_000_000])
    assert found[:2] == [3, 3]
    assert found[-1] == 0
