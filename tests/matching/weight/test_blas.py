"""The products that the core borrows: SciPy's by address, and NumPy's where SciPy's do not fit."""

import numpy as np
import pytest

import rebasin_fast as rf
from rebasin_fast._native import blas


def _pair(dtype: str) -> tuple[rf.PermutationSpec, dict, dict]:
    rng = np.random.default_rng(3)
    shapes = {
        "conv1.weight": (12, 3, 3, 3),
        "conv2.weight": (10, 12, 3, 3),
        "fc.weight": (5, 10),
        "fc.bias": (5,),
    }
    spec = rf.PermutationSpec(
        {"conv1.weight": ("P", None, None, None), "conv2.weight": ("Q", "P", None, None), "fc.weight": (None, "Q"),
         "fc.bias": (None,)}
    )  # fmt: skip
    a, b = (
        {name: rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items()} for _ in range(2)
    )
    return spec, a, b


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numpy_products_take_the_same_steps(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, a, b = _pair(dtype)
    expected = rf.weight_matching(spec, a, b)
    blas._address.cache_clear()
    monkeypatch.setattr(blas, "_scipy_address", lambda name: None)
    try:
        found = rf.weight_matching(spec, a, b)
        assert blas.gemm_address("sgemm") != 0
    finally:
        blas._address.cache_clear()
    assert found.history == pytest.approx(expected.history, rel=1e-12)
    for name, index in expected.permutation.items():
        np.testing.assert_array_equal(found.permutation[name], index)


def test_a_capsule_of_another_signature_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(blas._EXPECTED_SIGNATURE, "sgemm", "void (char *, char *, long *)")
    assert blas._scipy_address("sgemm") is None
    assert blas._scipy_address("dgemm") is not None
