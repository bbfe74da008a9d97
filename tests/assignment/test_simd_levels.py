"""Every instruction-set level that this machine runs gives the same answer, to the bit."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import rebasin_fast._core as core

SOLVE = """
import hashlib, sys
import numpy as np
import rebasin_fast as rf
import rebasin_fast._core as core
assert core.simd_level() == sys.argv[1], core.simd_level()
rng = np.random.default_rng(0)
digest = hashlib.sha256()
for n, m in [(60, 60), (129, 129), (200, 333), (333, 200), (300, 300)]:
    for dtype in (np.float32, np.float64):
        product = np.outer(np.arange(n), np.arange(m))
        heavy = rng.standard_normal((n, m)) * np.exp(1.5 * rng.standard_normal((n, 1)))
        for cost in (rng.standard_normal((n, m)), rng.integers(0, 9, (n, m)), product, heavy):
            result = rf.solve_assignment(cost.astype(dtype), maximize=True)
            for part in (result.columns, result.row_duals, result.column_duals):
                digest.update(part.tobytes())
            noisy = cost.astype(dtype) + dtype(0.01) * rng.standard_normal((n, m)).astype(dtype)
            digest.update(rf.solve_assignment(noisy, maximize=True, warm_start=result).column_duals.tobytes())
print(digest.hexdigest())
"""


# What the System V ABI asks of a level beyond the one below it, in the kernel's spelling (abm holds LZCNT).
FEATURES = {
    "v3": {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"},
    "v4": {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
}


@pytest.mark.skipif("v2" not in core.simd_levels(), reason="levels of x86-64")
def test_levels_are_those_that_the_kernel_reports_the_features_of():
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    flags = set(next(line for line in lines if line.startswith("flags")).split(":")[1].split())
    expected = ["v2"]
    for level in ("v3", "v4"):
        if len(expected) == int(level[1]) - 2 and flags >= FEATURES[level]:
            expected.insert(0, level)
    assert core.simd_levels() == expected


def solve(level):
    environment = dict(os.environ, REBASIN_FAST_SIMD=level)
    done = subprocess.run(
        [sys.executable, "-c", SOLVE, level], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_unknown_level_is_refused():
    environment = dict(os.environ, REBASIN_FAST_SIMD="v99")
    code = "import rebasin_fast as rf; rf.linear_sum_assignment([[1.0]])"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    assert "REBASIN_FAST_SIMD" in done.stderr


@pytest.mark.skipif(len(core.simd_levels()) < 2, reason="this machine runs one level only")
@pytest.mark.slow
def test_all_levels_agree():
    answers = {level: solve(level) for level in core.simd_levels()}
    assert len(set(answers.values())) == 1, answers
