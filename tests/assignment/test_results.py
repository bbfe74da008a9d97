"""Results print, compare, iterate, name a row for each column, and stay in the library of the costs."""

import dataclasses

import numpy as np
import pytest

import rebasin_fast as rf

COST = [[4.0, 1.0, 3.0], [2.0, 0.0, 5.0], [3.0, 2.0, 2.0]]


def test_short_representations():
    assert repr(rf.solve_assignment(COST)) == "Assignment(n=3, m=3, objective=5.0, gap=0.0)"
    limited = rf.solve_assignment(COST, cost_limit=2.5)
    expected = "Assignment(n=3, m=3, objective=2.0, objective_with_prices=4.5, gap=0.0)"
    assert repr(limited) == expected
    costs = np.ones((4, 2, 3))
    costs[1], costs[3, 0, 0] = np.inf, np.nan
    batch = rf.solve_assignment(costs)
    assert repr(batch) == "AssignmentBatch(count=4, n=2, m=3, optimal=2, infeasible=1, invalid=1)"
    assert "status='infeasible'" in repr(batch[1])


def test_equality_answers_with_a_bool():
    one, same = rf.solve_assignment(COST), rf.solve_assignment(np.array(COST))
    assert (one == same) is True
    assert (one != same) is False
    assert (one == rf.solve_assignment(np.array(COST) + 1)) is False
    assert (one == rf.solve_assignment(np.ones((2, 2)))) is False
    assert one != (one.columns, one.row_duals)
    assert one != rf.solve_assignment([COST])
    batch = rf.solve_assignment(np.full((2, 2, 2), np.inf))
    assert batch == rf.solve_assignment(np.full((2, 2, 2), np.inf))
    assert dataclasses.replace(one, status="invalid") != one


def test_results_have_no_hash_and_do_not_change():
    one = rf.solve_assignment(COST)
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.columns = None


@pytest.mark.parametrize("shape", [(5, 5), (3, 7), (7, 3), (0, 4), (4, 0)])
def test_a_row_for_each_column(shape):
    one = rf.solve_assignment(np.random.default_rng(0).random(shape))
    assert one.rows.shape == (shape[1],)
    assert one.rows.dtype == np.int64
    for j, i in enumerate(one.rows):
        assert one.columns[i] == j if i >= 0 else j not in one.columns
    batch = rf.solve_assignment(np.random.default_rng(0).random((4, *shape)))
    np.testing.assert_array_equal(batch.rows, np.reshape([part.rows for part in batch], (4, shape[1])))


def test_batches_are_sequences():
    costs = np.random.default_rng(1).random((6, 4, 5))
    batch = rf.solve_assignment(costs)
    assert len(batch) == 6
    for cost, one in zip(costs, batch, strict=True):
        assert type(one) is rf.Assignment
        assert isinstance(one.objective, float)
        assert one == rf.solve_assignment(cost)
    assert batch[-1] == batch[np.int64(5)] == rf.solve_assignment(costs[5])
    assert batch[1:5:2] == rf.solve_assignment(costs[1:5:2])
    assert batch[::-1] == rf.solve_assignment(costs[::-1])
    with pytest.raises(IndexError, match="problem 6 of a batch of 6"):
        batch[6]
    with pytest.raises(TypeError, match="indexed by an integer or a slice, got str"):
        batch["0"]


BATCHES = {
    "strided": lambda c: np.repeat(c, 2, 0)[::2],
    "transposed": lambda c: np.ascontiguousarray(c.transpose(2, 1, 0)).transpose(2, 1, 0),
    "backwards": lambda c: c[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1],
    "big-endian": lambda c: c.astype(">f8"),
    "one for all": lambda c: np.broadcast_to(c[0], c.shape),
}


@pytest.mark.parametrize("kind", BATCHES)
@pytest.mark.parametrize("threads", [1, 3])
def test_batches_of_any_strides(kind, threads):
    costs = BATCHES[kind](np.random.default_rng(2).random((7, 9, 11)))
    batch = rf.solve_assignment(costs, threads=threads, maximize=True)
    for cost, one in zip(costs, batch, strict=True):
        assert one == rf.solve_assignment(cost, maximize=True)


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "int64"])
def test_torch_in_torch_out(dtype):
    torch = pytest.importorskip("torch")
    cost = torch.tensor(COST, dtype=getattr(torch, dtype))
    one = rf.solve_assignment(cost)
    batch = rf.solve_assignment(torch.stack([cost, cost + 1, cost + 2]))
    listed = rf.solve_assignment([cost, np.array(COST)])
    for result in (one, batch, batch[1], batch[::-1], listed[0]):
        for part in (result.columns, result.row_duals, result.column_duals, result.rows):
            assert isinstance(part, torch.Tensor)
    assert isinstance(listed[1].columns, np.ndarray)
    assert one.columns.dtype == one.rows.dtype == torch.int64
    assert one.row_duals.dtype == batch.objective.dtype == batch.gap.dtype == torch.float64
    assert one == batch[0] == rf.solve_assignment(cost.clone())
    assert batch[::-1] == rf.solve_assignment(torch.stack([cost + 2, cost + 1, cost]))
    assert cost.double()[range(3), one.columns].sum() == one.objective == 5.0


def test_torch_results_start_any_library():
    torch = pytest.importorskip("torch")
    cost = torch.tensor(COST)
    one = rf.solve_assignment(cost)
    assert rf.solve_assignment(cost, warm_start=one).objective == 5.0
    assert rf.solve_assignment(np.array(COST), warm_start=one).objective == 5.0
    batch = rf.solve_assignment(cost[None], warm_start=rf.solve_assignment(np.array([COST])))
    assert batch.objective.tolist() == [5.0]


def test_an_empty_list_is_neither():
    for empty in ([], ()):
        with pytest.raises(ValueError, match="neither a matrix nor a list of matrices"):
            rf.solve_assignment(empty)
