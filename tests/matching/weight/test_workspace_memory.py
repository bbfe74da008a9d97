"""How much memory a matching takes beside the models: each in a process of its own, whose peak is its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

MEASURE = """
import numpy as np, rebasin_fast as rf
from pathlib import Path

def held(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(field))

def models(sizes):
    rng = np.random.default_rng(0)
    shapes = {f"fc{i}.weight": (n, m) for i, (m, n) in enumerate(zip(sizes, sizes[1:]))}
    return [{k: rng.standard_normal(s, dtype=np.float32) for k, s in shapes.items()} for _ in range(2)]

def rise(sizes, **options):
    spec = rf.specs.mlp([f"fc{i}" for i in range(len(sizes) - 1)], bias=False)
    a, b = models(sizes)
    Path("/proc/self/clear_refs").write_text("5")
    before = held("VmRSS")
    rf.weight_matching(spec, a, b, threads=1, **options)
    return held("VmHWM") - before

rf.weight_matching(rf.specs.mlp(["fc0", "fc1"], bias=False), *models([4, 8, 4]), threads=1)
"""


def _rise(call: str) -> float:
    """The rise of the peak in megabytes."""
    program = f"{MEASURE}\nprint({call})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return int(done.stdout) / 1e6


def test_similarities_without_room_are_freed() -> None:
    # Ten of 4.2 MB each, and 17 MB to multiply in.
    assert _rise("rise([64] + [1024] * 10 + [10], memory_limit=22_000_000, max_iter=1)") < 38


def test_the_first_objective_needs_no_table_of_a_whole_parameter() -> None:
    # 12.8 million entries; a table of where they lie would take 102 MB.
    assert _rise("rise([200_000, 64, 10])") < 60
