"""As many rows as forbidden pairs allow, at the least cost among these."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rebasin_fast as rf
from reference.priced_assignment import most_pairs_at_least_cost


def check_bound(cost, result, *, maximize=False):
    """The duals prove the total: sum(u) + sum(v) - (n - k) max(u) - (m - k) max(v)."""
    sign = -1.0 if maximize else 1.0
    u, v = sign * result.row_duals, sign * result.column_duals
    n, m = cost.shape
    pairs = int((result.columns >= 0).sum())
    assert (sign * cost - u[:, None] - v >= -1e-9).all()
    bound = u.sum() + v.sum()
    bound -= (n - pairs) * u.max() if n > pairs else 0.0
    bound -= (m - pairs) * v.max() if m > pairs else 0.0
    assert bound == pytest.approx(sign * result.objective, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 5), st.integers(1, 5), st.integers(0, 2**32 - 1), st.booleans(),
    st.sampled_from([0.3, 0.6, 0.8, 1.0]),
)  # fmt: skip
def test_against_enumeration(n, m, seed, maximize, forbidden):
    rng = np.random.default_rng(seed)
    cost = rng.integers(-9, 9, (n, m)).astype(np.float64)
    cost[rng.random((n, m)) < forbidden] = -np.inf if maximize else np.inf
    result = rf.solve_assignment(cost, partial=True, maximize=maximize)
    pairs, total = most_pairs_at_least_cost(cost, maximize=maximize)
    matched = np.flatnonzero(result.columns >= 0)
    assert (len(matched), result.objective, result.gap) == (pairs, total, 0.0)
    assert cost[matched, result.columns[matched]].sum() == total
    assert result.objective_with_prices == result.objective
    check_bound(cost, result, maximize=maximize)


@pytest.mark.parametrize("shape", [(6, 6), (4, 9), (9, 4)])
def test_a_feasible_problem_is_the_plain_one(shape):
    cost = np.random.default_rng(0).integers(0, 50, shape).astype(np.float64)
    result, plain = rf.solve_assignment(cost, partial=True), rf.solve_assignment(cost)
    assert (result.objective, result.gap) == (plain.objective, plain.gap)
    check_bound(cost, result)


def test_larger_problems_match_as_many_as_can_be():
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    rng = np.random.default_rng(1)
    cost = rng.random((90, 100))
    cost[rng.random(cost.shape) < 0.98] = np.inf
    most = (maximum_bipartite_matching(csr_array(np.isfinite(cost)), perm_type="column") >= 0).sum()
    result = rf.solve_assignment(cost, partial=True)
    assert (result.columns >= 0).sum() == most < 90
    check_bound(cost, result)


def test_batches_are_never_infeasible():
    costs = np.full((2, 3, 3), np.inf)
    costs[1, :, 1] = [3.0, 2.0, 4.0]
    batch = rf.solve_assignment(costs, partial=True)
    assert batch.status.tolist() == ["optimal", "optimal"]
    assert batch.columns.tolist() == [[-1, -1, -1], [-1, 1, -1]]
    assert batch.objective.tolist() == [0.0, 2.0]


def test_invalid_entries_are_found():
    with pytest.raises(ValueError, match="matrix contains invalid numeric entries"):
        rf.solve_assignment([[np.inf, -np.inf], [1.0, 2.0]], partial=True)
