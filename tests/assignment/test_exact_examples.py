"""Problems on which solvers in float64 are silently wrong, with their right values."""

import sys

import numpy as np
import pytest
import scipy.optimize

import rebasin_fast as rf
from helpers.proof import check_assignment
from reference.exact_assignment import excess

LARGEST = float(np.finfo(np.float64).max)


def marked(n, marker, *, share=0.6, seed=1):
    """Costs of an allowed permutation and more, a marker elsewhere."""
    rng = np.random.default_rng(seed)
    cost = rng.random((n, n))
    far = rng.random((n, n)) < share
    far[np.arange(n), rng.permutation(n)] = False
    cost[far] = marker
    return cost


def above(cost, offset, columns):
    return sum(int(x) - offset for x in cost[np.arange(len(cost)), columns])


def test_maxsize_as_forbidden():
    result = rf.solve_assignment(marked(40, sys.maxsize))
    assert round(result.objective, 2) == 3.26
    assert excess(marked(40, sys.maxsize), result.columns) == 0


@pytest.mark.parametrize("n", [16, 40, 64, 65, 90])
@pytest.mark.parametrize("marker", [1e3, 1e12, 1e15, sys.maxsize, 1e20, 1e30, 1e300, LARGEST])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_marker(n, marker, dtype):
    cost = marked(n, min(marker, float(np.finfo(dtype).max)), seed=n).astype(dtype)
    result = rf.solve_assignment(cost)
    assert excess(cost, result.columns) <= result.gap <= 1e-12


@pytest.mark.parametrize("marker", [10**6, 2**53, sys.maxsize])
@pytest.mark.parametrize("forced", [False, True])
def test_integer_marker(marker, forced):
    rng = np.random.default_rng(2)
    cost = np.where(rng.random((70, 70)) < 0.7, marker, rng.integers(0, 1000, (70, 70)))
    if forced:
        cost[:9] = marker
    result = rf.solve_assignment(cost)
    assert excess(cost, result.columns) == 0 == result.gap


def test_total_of_assigned_integer_markers_is_rounded_once():
    # In float64 the markers are 2^63: the total would lie halfway between two neighbours, and be rounded up.
    largest = np.iinfo(np.int64).max
    cost = np.full((3, 3), largest)
    cost[0] = [284672, largest, largest]
    assert rf.solve_assignment(cost).objective == float(2 * largest + 284672)
    assert rf.solve_assignment(-cost, maximize=True).objective == -float(2 * largest + 284672)
    assert float(2 * largest + 284672) != float(2.0 * largest + 284672)


def test_integers_beyond_2_to_the_52():
    small = np.random.default_rng(0).integers(0, 1000, (128, 128))
    # Rounded sums of numbers of this size lead SciPy to 1662.
    for offset in (2**52, 2**62):
        columns = rf.solve_assignment(small + offset).columns
        assert above(small + offset, offset, columns) == 1661
    columns = rf.solve_assignment((small + 2**52).astype(np.float64)).columns
    assert above(small, 0, columns) == 1661
    columns = rf.solve_assignment(small.astype(np.uint64) + np.uint64(2**63)).columns
    assert above(small, 0, columns) == 1661


def test_timestamps_in_microseconds():
    times = np.random.default_rng(0).integers(0, 1000, (128, 128)) + 1_700_000_000_000_000
    for cost in (times, times.astype(np.float64)):
        result = rf.solve_assignment(cost)
        assert excess(cost, result.columns) == 0 == result.gap


@pytest.mark.parametrize("offset", [1e12, 1e13])
@pytest.mark.parametrize("n", [100, 1000])
def test_offset_in_float64(offset, n):
    cost = offset + np.random.default_rng(1).random((n, n))
    rows, expected = scipy.optimize.linear_sum_assignment(cost)
    result = rf.solve_assignment(cost)
    # Differences of entries of this size are exact, and so are their sums.
    assert ((cost[rows, result.columns] - offset).sum() - (cost[rows, expected] - offset).sum()) <= 0
    assert result.gap == 0
    if n == 100:
        assert excess(cost, result.columns) == 0


@pytest.mark.parametrize("maximize", [False, True])
def test_neighbouring_wide_integers(maximize):
    cost = np.array([[576460752303425949, 576460752303425871]])
    result = rf.solve_assignment(cost, maximize=maximize)
    assert result.columns.tolist() == [0 if maximize else 1]
    assert result.gap == 0
    assert rf.solve_assignment(cost.T, maximize=maximize).columns.tolist() == (
        [0, -1] if maximize else [-1, 0]
    )


def test_entries_that_a_scale_would_lose():
    cost = np.array([[3.1e-307], [1.8e-307], [1.2e308]])
    result = rf.solve_assignment(cost)
    assert result.columns.tolist() == [-1, 0, -1]
    assert result.objective == 1.8e-307
    assert rf.solve_assignment(cost.T).columns.tolist() == [1]


def test_largest_float_as_forbidden():
    cost = np.array([[1, LARGEST], [LARGEST, 2]])
    result = rf.solve_assignment(cost)
    assert result.columns.tolist() == [0, 1]
    check_assignment(cost, result)


def test_largest_float_where_it_must_be_used():
    cost = np.array([[1, 2, LARGEST], [3, 4.5, LARGEST], [LARGEST, LARGEST, 5]])
    result = rf.solve_assignment(cost)
    assert result.objective == 10
    assert result.gap == 0
    check_assignment(cost, result)


def test_largest_value_among_others_beyond_the_reach_of_sums():
    """The largest is far above all others, which are themselves too large for float64 sums."""
    rng = np.random.default_rng(0)
    cost = rng.choice([-1.0, 1.0], (12, 12)) * 10.0 ** rng.uniform(-300, 303, (12, 12))
    cost[3, 4] = 7.9e306
    check_assignment(cost, rf.solve_assignment(cost))
    check_assignment(-cost, rf.solve_assignment(-cost, maximize=True), maximize=True)
