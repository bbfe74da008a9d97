"""An infeasible matrix names lines that compete for too few partners."""

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

import rebasin_fast as rf


def check_violator(cost, error):
    """The lines may take the named partners only, and these are fewer."""
    allowed = np.isfinite(cost)
    rows, columns = list(error.rows), list(error.columns)
    if cost.shape[0] > cost.shape[1]:
        allowed, rows, columns = allowed.T, columns, rows
    assert len(columns) < len(rows)
    assert np.flatnonzero(allowed[rows].any(axis=0)).tolist() == columns


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1), st.booleans())
def test_violators_of_random_matrices(n, m, seed, maximize):
    rng = np.random.default_rng(seed)
    cost = rng.random((n, m))
    cost[rng.random((n, m)) < rng.choice([0.5, 0.8, 0.95])] = -np.inf if maximize else np.inf
    try:
        scipy.optimize.linear_sum_assignment(cost, maximize)
    except ValueError:
        with pytest.raises(rf.InfeasibleError, match=r"^cost matrix is infeasible: ") as caught:
            rf.solve_assignment(cost, maximize=maximize)
        check_violator(cost, caught.value)
    else:
        rf.solve_assignment(cost, maximize=maximize)


def forbidding(shape, rows, columns):
    cost = np.zeros(shape)
    cost[rows] = np.inf
    cost[np.ix_(rows, columns)] = 1.0
    return cost


def test_the_message_names_them():
    cost = forbidding((12, 12), [3, 7, 9], [2, 5])
    with pytest.raises(ValueError, match=r"infeasible: rows 3, 7, 9 may take columns 2, 5 only$"):
        rf.solve_assignment(cost)
    with pytest.raises(ValueError, match=r"infeasible: columns 3, 7, 9 may take rows 2, 5 only$"):
        rf.solve_assignment(np.vstack([cost.T, np.full(12, np.inf)]))
    with pytest.raises(ValueError, match=r"infeasible: row 4 may take no column$"):
        rf.solve_assignment(forbidding((6, 6), [4], []))
    long = forbidding((40, 40), np.arange(20), np.arange(19))
    with pytest.raises(
        ValueError, match=r"rows 0, 1, 2, 3, 4, 5, 6, 7 and 12 more may take columns .* 7 and 11 more only$"
    ):
        rf.solve_assignment(long)


@pytest.mark.parametrize("dtype", ["f4", ">f8", "f2"])
def test_other_dtypes_and_lists(dtype):
    cost = forbidding((4, 4), [1, 2], [3]).astype(dtype)
    with pytest.raises(rf.InfeasibleError, match="rows 1, 2 may take column 3 only") as caught:
        rf.solve_assignment(cost)
    assert (caught.value.rows, caught.value.columns) == ((1, 2), (3,))
    with pytest.raises(rf.InfeasibleError):
        rf.solve_assignment(cost.tolist())


def test_torch_tensors():
    torch = pytest.importorskip("torch")
    cost = torch.from_numpy(forbidding((4, 4), [1, 2], [3])).to(torch.bfloat16)
    with pytest.raises(rf.InfeasibleError, match="rows 1, 2 may take column 3 only"):
        rf.solve_assignment(cost)


def test_scipys_words_are_kept_for_scipys_function():
    with pytest.raises(ValueError, match=r"^cost matrix is infeasible$"):
        rf.linear_sum_assignment(np.full((2, 2), np.inf))
