"""Dtypes, strides, batches, foreign arrays, and refused inputs."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.optimize

import rebasin_fast as rf
from helpers.interrupts import assert_interrupted
from helpers.proof import brute_force, check_assignment, exact_objective

NATIVE = "? i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8 >f2 >f4 >f8 >i2 >i8 >u4"


@pytest.mark.parametrize("dtype", NATIVE.split())
@pytest.mark.parametrize("shape", [(9, 9), (5, 12), (12, 5), (70, 70)])
def test_dtypes(dtype, shape):
    cost = (np.random.default_rng(1).random(shape) * 100).astype(dtype)
    for maximize in (False, True):
        result = rf.solve_assignment(cost, maximize=maximize)
        check_assignment(cost, result, maximize=maximize)
        rows, columns = scipy.optimize.linear_sum_assignment(cost.astype(np.float64), maximize)
        assert result.objective == pytest.approx(cost.astype(np.float64)[rows, columns].sum(), rel=1e-12)
        assert result.gap <= (1e-12 * result.objective if dtype.endswith("f8") else 0.0)


VIEWS = {
    "fortran": np.asfortranarray,
    "transposed twice": lambda c: np.ascontiguousarray(c.T).T,
    "backwards": lambda c: c[::-1, ::-1].copy()[::-1, ::-1],
    "backwards rows": lambda c: c[::-1].copy()[::-1],
    "every other": lambda c: np.repeat(np.repeat(c, 2, 0), 3, 1)[::2, ::3],
    "one row repeated": lambda c: np.broadcast_to(c[:1], c.shape),
    "one column repeated": lambda c: np.broadcast_to(c[:, :1], c.shape),
    "unaligned": lambda c: np.frombuffer(b"x" + c.tobytes(), np.uint8)[1:].view(c.dtype).reshape(c.shape),
    "field of a record": lambda c: np.rec.fromarrays([c, np.zeros(c.shape, "i1")], names="cost,pad")["cost"],
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("dtype", ["f4", "f8", "i4"])
@pytest.mark.parametrize("shape", [(6, 6), (4, 11), (11, 4), (80, 80)])
def test_strides(view, dtype, shape):
    cost = VIEWS[view]((np.random.default_rng(2).random(shape) * 1000).astype(dtype))
    expected = scipy.optimize.linear_sum_assignment(cost.astype(np.float64))
    result = rf.solve_assignment(cost)
    check_assignment(cost, result)
    assert result.objective == pytest.approx(cost.astype(np.float64)[expected].sum(), rel=1e-12)


def test_a_wide_rectangle_needs_more_than_row_minima():
    result = rf.solve_assignment([[0.0, 1.0, 5.0]])
    assert result.columns.tolist() == [0]
    check_assignment(np.array([[0.0, 1.0, 5.0]]), result)


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (4, 0)])
def test_empty(shape):
    result = rf.solve_assignment(np.empty(shape))
    assert result.columns.tolist() == [-1] * shape[0]
    assert len(result.column_duals) == shape[1]
    assert (result.objective, result.gap) == (0.0, 0.0)


@pytest.mark.parametrize("value", [1e308, -1e308, 5e-324, 1.7e308])
def test_extremes_of_float64(value):
    """Sums of costs overflow here; the assignment must still be the best, and nothing may look forbidden."""
    cost = np.array([[value, 0.0, value], [value, value, 0.0], [0.0, -value, value]])
    _, columns = rf.linear_sum_assignment(cost)
    assert exact_objective(cost, columns) == brute_force(cost)


@pytest.mark.parametrize("bad", [np.nan, -np.inf])
@pytest.mark.parametrize("place", [(0, 0), (3, 6), (6, 3), (6, 6)])
def test_invalid_entries_are_found_anywhere(bad, place):
    for shape in [(7, 7), (7, 9), (9, 7)]:
        cost = np.ones(shape, np.float32)
        cost[place] = bad
        with pytest.raises(ValueError, match="matrix contains invalid numeric entries"):
            rf.solve_assignment(cost)


def test_batch_is_a_loop():
    costs = np.random.default_rng(3).random((5, 6, 9), dtype=np.float32)
    costs[2] = np.inf
    costs[3, 1, 1] = np.nan
    batch = rf.solve_assignment(costs)
    assert list(batch.status) == ["optimal", "optimal", "infeasible", "invalid", "optimal"]
    for k in (0, 1, 4):
        assert batch[k] == rf.solve_assignment(costs[k])
    assert np.all(batch.columns[2] == -1)
    assert np.isnan(batch.objective[2])


def test_empty_batch():
    batch = rf.solve_assignment(np.empty((0, 3, 4)))
    assert batch.columns.shape == (0, 3)
    assert batch.column_duals.shape == (0, 4)


def test_list_of_matrices():
    rng = np.random.default_rng(4)
    costs = [rng.random((3, 3)), rng.random((4, 2)), rng.random((1, 5))]
    results = rf.solve_assignment(costs)
    assert isinstance(results, list)
    for cost, result in zip(costs, results, strict=True):
        check_assignment(cost, result)


def test_threads_must_be_positive():
    with pytest.raises(ValueError, match=r"threads is a .*, 1 or more; got 0"):
        rf.solve_assignment(np.ones((2, 2)), threads=0)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "int64"])
def test_torch_in_torch_out(dtype):
    torch = pytest.importorskip("torch")
    cost = (torch.rand(8, 8, generator=torch.Generator().manual_seed(0)) * 50).to(getattr(torch, dtype))
    cost = cost.requires_grad_() if cost.is_floating_point() else cost
    rows, columns = rf.linear_sum_assignment(cost, maximize=True)
    assert isinstance(columns, torch.Tensor)
    assert columns.dtype == torch.int64
    assert columns.device == cost.device
    expected = scipy.optimize.linear_sum_assignment(cost.detach().double().numpy(), True)
    picked = cost.detach().double()
    assert picked[rows, columns].sum() == picked[expected[0], expected[1]].sum()


def test_torch_is_not_imported_for_numpy():
    code = (
        "import sys, numpy, rebasin_fast as rf; rf.linear_sum_assignment(numpy.eye(3));"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_ctrl_c_stops_a_long_solve():
    setup = """
    n = 6000
    cost = np.outer(np.arange(n), np.arange(n)).astype(np.float64) + np.random.default_rng(0).random((n, n))
    """
    assert_interrupted(setup, "rf.linear_sum_assignment(cost)")
