"""Ctrl-C during native work: answered soon, and the process goes on as if nothing had been."""

import pytest

from helpers.interrupts import assert_interrupted

SETUP = """
rng = np.random.default_rng(0)
widths = {widths}
spec = rf.specs.mlp([str(i) for i in range(len(widths) - 1)])
def model():
    params = {{}}
    for i in range(len(widths) - 1):
        params[f"{{i}}.weight"] = rng.standard_normal((widths[i + 1], widths[i]), dtype=np.float32)
        params[f"{{i}}.bias"] = rng.standard_normal(widths[i + 1], dtype=np.float32)
    return params
a, b = model(), model()
"""
STILL_ALIVE = """
small = {name: w[:8, :8] if w.ndim == 2 else w[:8] for name, w in a.items()}
assert rf.weight_matching(spec, small, small).converged
"""
SHORT_VISITS, LONG_VISITS = [320] * 61, [64, 2500, 2500, 10]


@pytest.mark.parametrize("widths", [SHORT_VISITS, LONG_VISITS], ids=["between-visits", "within-a-visit"])
def test_an_interrupt_ends_native_work(widths):
    assert_interrupted(
        SETUP.format(widths=widths), 'rf.weight_matching(spec, a, b, effort="high")', STILL_ALIVE
    )


def test_an_interrupt_ends_runs_on_other_threads():
    assert_interrupted(
        SETUP.format(widths=LONG_VISITS), "rf.weight_matching(spec, a, b, restarts=4, threads=2)"
    )
