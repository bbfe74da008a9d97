"""Similarities kept between visits and updated by what moved: the same steps, for less work."""

from __future__ import annotations

import numpy as np
import pytest

import rebasin_fast as rf
from rebasin_fast.axis import Concat, Slice, blocks, tiled
from rebasin_fast.matching.weight import runs as weight_runs

CASES = {
    "perceptron": (
        rf.specs.mlp(["a", "b", "c", "d"]),
        {"a.weight": (40, 12), "a.bias": (40,), "b.weight": (36, 40), "b.bias": (36,), "c.weight": (44, 36),
         "c.bias": (44,), "d.weight": (9, 44), "d.bias": (9,)},
    ),
    "convolutions, copies, pieces, two axes of one array": (
        rf.PermutationSpec(
            {
                "conv": ("P", None, None, None),
                "next": ("Q", "P", None, None),
                "shortcut": (Concat(Slice("R", 0, 8), "Q", Slice("R", 8, 16)), None),
                "flat": (None, blocks("Q", 4)),
                "gates": (tiled("S", 3), "Q"),
                "recurrent": (tiled("S", 3), "S"),
                "both": ("Q", "Q"),
                "joint": ("S", Concat(Slice("R", 0, 8), "Q", Slice("R", 8, 16))),
            }
        ),
        {"conv": (30, 3, 3, 3), "next": (20, 30, 3, 3), "shortcut": (36, 5), "flat": (6, 80), "gates": (54, 20),
         "recurrent": (54, 18), "both": (20, 20), "joint": (18, 36)},
    ),
}  # fmt: skip


def _run(case: str, dtype: str, seed: int, kept: float, monkeypatch: pytest.MonkeyPatch) -> rf.Matching:
    spec, shapes = CASES[case]
    rng = np.random.default_rng(seed)
    a, b = (
        {name: rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items()} for _ in range(2)
    )
    largest = max(max(shape) for shape in shapes.values()) ** 2 * (8 if dtype == "float64" else 4)
    monkeypatch.setattr(weight_runs, "_SIMILARITIES_BY_DEFAULT", largest + kept if kept else 0)
    return rf.weight_matching(spec, a, b, rng=seed)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_same_steps_and_less_work(case: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = 0.0
    for seed in range(8):
        plain = _run(case, dtype, seed, 0.0, monkeypatch)
        kept = _run(case, dtype, seed, float(1 << 30), monkeypatch)
        assert kept.history == pytest.approx(plain.history, rel=1e-12)
        for name, index in plain.permutation.items():
            np.testing.assert_array_equal(kept.permutation[name], index)
        assert kept.stats.product_flop <= plain.stats.product_flop
        saved += plain.stats.product_flop - kept.stats.product_flop
    assert saved > 0.0


def test_a_budget_keeps_what_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for one of three similarities saves something, and less than room for all."""
    work = [
        _run("perceptron", "float32", 1, room, monkeypatch).stats.product_flop
        for room in (0.0, 4 * 40 * 40, 1e9)
    ]
    assert work[0] > work[1] > work[2]


def test_memory_limit_is_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    spec, shapes = CASES["perceptron"]
    a = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
    with pytest.raises(MemoryError, match="44 units"):
        rf.weight_matching(spec, a, a, memory_limit=1000)
    assert rf.weight_matching(spec, a, a, memory_limit=1 << 30).converged
