"""Matchings compared, and runs that a progress callback stops."""

import numpy as np
import pytest

import rebasin_fast as rf


class StoppedError(Exception):
    """Raised by a progress callback."""


def stop_after(calls):
    """A progress callback that raises StoppedError at its ``calls``-th event."""
    seen = []

    def progress(event):
        seen.append(event)
        if len(seen) == calls:
            raise StoppedError

    return progress


def same(one, other):
    return set(one.permutation) == set(other.permutation) and all(
        np.array_equal(index, other.permutation[p]) for p, index in one.permutation.items()
    )


def assert_same(one, other, rel=1e-12):
    assert set(one.permutation) == set(other.permutation)
    for name, index in one.permutation.items():
        np.testing.assert_array_equal(index, other.permutation[name], err_msg=name)
    assert one.objective == pytest.approx(other.objective, rel=rel)


THREE_LAYERS = rf.specs.mlp(["fc1", "fc2", "fc3"])
SHAPES = {
    "fc1.weight": (24, 6), "fc1.bias": (24,), "fc2.weight": (20, 24), "fc2.bias": (20,),
    "fc3.weight": (3, 20), "fc3.bias": (3,),
}  # fmt: skip


def three_layers(seed, dtype=np.float32):
    """The parameters of a perceptron that THREE_LAYERS describes."""
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal(shape).astype(dtype) for name, shape in SHAPES.items()}


def deep_perceptrons(seed=0):
    """A spec and two perceptrons whose inner layers outweigh the inputs: a first pass leaves much to the queue."""
    rng = np.random.default_rng(seed)
    spec = rf.specs.mlp(["a", "b", "c", "d"], bias=False)
    shapes = {"a.weight": (40, 6), "b.weight": (40, 40), "c.weight": (40, 40), "d.weight": (6, 40)}
    return spec, *({k: rng.standard_normal(s).astype("float32") for k, s in shapes.items()} for _ in "ab")
