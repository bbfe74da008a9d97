"""Ctrl-C during native work: answered soon, and the process goes on as if nothing had been."""

import pytest

from helpers.interrupts import assert_interrupted

SETUP = """
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
"""
STILL_ALIVE = """
small = {name: w[:8, :8] if w.ndim == 2 else w[:8] for name, w in a.items()}
assert rf.weight_matching(spec, small, small).converged
"""


@pytest.mark.parametrize("width", [40, 2500], ids=["between-visits", "within-a-visit"])
def test_an_interrupt_ends_native_work(width):
    assert_interrupted(SETUP.format(width=width), "rf.weight_matching(spec, a, b)", STILL_ALIVE)


def test_an_interrupt_ends_runs_on_other_threads():
    assert_interrupted(SETUP.format(width=2500), "rf.weight_matching(spec, a, b, restarts=4, threads=2)")
