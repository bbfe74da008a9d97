"""A price for unmatched rows and columns: the extended matrix's solution, without its dummies."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rebasin_fast as rf
from reference.priced_assignment import extended, with_limit


def check(cost, limit, *, maximize=False):
    """Against SciPy on the extended matrix, and by the duals, which prove the total with prices."""
    result = rf.solve_assignment(cost, cost_limit=limit, maximize=maximize)
    _, _, expected = with_limit(cost, limit, maximize=maximize)
    n, m = cost.shape
    columns, rows = result.columns, result.rows
    matched = np.flatnonzero(columns >= 0)
    assert len(set(columns[matched].tolist())) == len(matched)
    finite = cost[np.isfinite(cost)].astype(np.float64)
    scale = 1e-12 * (abs(limit) * (n + m) + np.abs(finite).sum() + 1e-300)
    pairs = cost[matched, columns[matched]].astype(np.float64)
    assert result.objective == pytest.approx(pairs.sum(), abs=scale)
    unmatched = (columns < 0).sum() + (rows < 0).sum()
    assert result.objective_with_prices == pytest.approx(result.objective + limit / 2 * unmatched, abs=scale)
    assert result.objective_with_prices == pytest.approx(expected, abs=scale)
    assert 0.0 <= result.gap <= scale
    check_duals(cost, limit, result, -1 if maximize else 1, scale)
    return result


def check_duals(cost, limit, result, sign, scale):
    u, v = sign * result.row_duals, sign * result.column_duals
    reduced = sign * cost.astype(np.float64) - u[:, None] - v
    assert (reduced >= -scale).all()
    assert (u <= sign * limit / 2 + scale).all()
    assert (v <= sign * limit / 2 + scale).all()
    np.testing.assert_allclose(u[result.columns < 0], sign * limit / 2, atol=scale)
    np.testing.assert_allclose(v[result.rows < 0], sign * limit / 2, atol=scale)
    assert u.sum() + v.sum() == pytest.approx(sign * result.objective_with_prices, abs=2 * scale)


def tracking(rng, n, m, gate):
    """Squared distances of detections to tracks, most of them beyond any gate."""
    tracks, detections = rng.random((n, 2)), rng.random((m, 2))
    cost = ((tracks[:, None] - detections) ** 2).sum(-1)
    cost[cost > gate] = np.inf
    return cost


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1), st.booleans(),
    st.sampled_from(["integers", "floats", "float32", "forbidden", "tracking"]),
    st.sampled_from([-3.0, 0.0, 0.25, 1.0, 4.0, 100.0]),
)  # fmt: skip
def test_as_the_extended_matrix(n, m, seed, maximize, kind, limit):
    rng = np.random.default_rng(seed)
    cost = rng.standard_normal((n, m))
    if kind == "integers":
        cost = rng.integers(-4, 9, (n, m))
    elif kind == "float32":
        cost = cost.astype(np.float32)
    elif kind == "forbidden":
        cost[rng.random((n, m)) < 0.5] = -np.inf if maximize else np.inf
    elif kind == "tracking":
        cost = tracking(rng, n, m, 0.1) * (-1 if maximize else 1)
    check(cost, limit, maximize=maximize)


@pytest.mark.parametrize("shape", [(70, 70), (40, 90), (90, 40)])
@pytest.mark.parametrize("limit", [0.02, 0.2, 5.0])
def test_larger_tracking_problems(shape, limit):
    check(tracking(np.random.default_rng(1), *shape, 0.3), limit)


def test_a_pair_is_taken_below_the_limit_only():
    cost = np.array([[0.2, 0.9], [0.9, 0.8]])
    result = check(cost, 0.7)
    assert result.columns.tolist() == result.rows.tolist() == [0, -1]
    assert (result.objective, result.objective_with_prices) == (0.2, pytest.approx(0.9))
    assert check(cost, 0.81).columns.tolist() == [0, 1]
    assert check(-cost, -0.7, maximize=True).columns.tolist() == [0, -1]


def test_nothing_matches():
    result = check(np.full((2, 3), 9.0), 1.0)
    assert result.columns.tolist() == [-1, -1]
    assert result.rows.tolist() == [-1, -1, -1]
    assert (result.objective, result.objective_with_prices) == (0.0, 2.5)
    everything_forbidden = check(np.full((2, 2), np.inf), 1.0)
    assert everything_forbidden.objective_with_prices == 2.0


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (2, 0)])
def test_empty_matrices(shape):
    result = rf.solve_assignment(np.empty(shape), cost_limit=3.0)
    assert result.columns.tolist() == [-1] * shape[0]
    assert result.rows.tolist() == [-1] * shape[1]
    assert result.objective_with_prices == 1.5 * sum(shape)
    np.testing.assert_array_equal(result.row_duals, np.full(shape[0], 1.5))


def test_no_limit_is_the_plain_problem():
    cost = np.random.default_rng(2).random((9, 12))
    plain = rf.solve_assignment(cost)
    assert rf.solve_assignment(cost, cost_limit=math.inf) == plain
    assert rf.solve_assignment(cost, cost_limit=None) == plain
    assert plain.objective_with_prices == plain.objective
    assert rf.solve_assignment(-cost, cost_limit=-math.inf, maximize=True).objective == -plain.objective


def test_batches_and_lists():
    rng = np.random.default_rng(3)
    costs = np.stack([tracking(rng, 6, 8, 0.2) for _ in range(5)])
    costs[3, 2, 2] = np.nan
    batch = rf.solve_assignment(costs, cost_limit=0.1)
    listed = rf.solve_assignment(list(costs), cost_limit=0.1)
    assert batch.status.tolist() == ["optimal"] * 3 + ["invalid", "optimal"]
    for k, one in enumerate(batch):
        assert one == listed[k]
        if k != 3:
            assert one == rf.solve_assignment(costs[k], cost_limit=0.1)
    assert np.isnan(batch.objective_with_prices[3])


def test_torch_in_torch_out():
    torch = pytest.importorskip("torch")
    result = rf.solve_assignment(torch.tensor([[0.25, 9.0], [9.0, 8.0]]), cost_limit=1.0)
    assert isinstance(result.columns, torch.Tensor)
    assert result.rows.tolist() == [0, -1]


@pytest.mark.parametrize(
    ("limit", "kind", "message"),
    [
        ("high", TypeError, "cost_limit is a real number.*got 'high'"),
        (1j, TypeError, "cost_limit is a real number"),
        (np.nan, ValueError, "cost_limit must be finite"),
        (-np.inf, ValueError, "cost_limit must be finite"),
    ],
)
def test_limits_that_are_none(limit, kind, message):
    with pytest.raises(kind, match=message):
        rf.solve_assignment(np.eye(3), cost_limit=limit)


def test_invalid_entries_are_found():
    with pytest.raises(ValueError, match="matrix contains invalid numeric entries"):
        rf.solve_assignment([[1.0, np.nan], [1.0, 2.0]], cost_limit=1.0)


def test_the_reference_forms_the_matrix_of_the_definition():
    assert extended(np.array([[7.0]]), 3.0).tolist() == [[7.0, 1.5], [1.5, 0.0]]
