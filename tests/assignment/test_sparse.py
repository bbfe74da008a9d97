"""Sparse costs: against enumeration and the dense solver, with proofs in rational arithmetic."""

import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import rebasin_fast as rf
from helpers.proof import brute_force, check_assignment, exact_objective
from rebasin_fast.assignment.sparse import solve_csr
from rebasin_fast.errors import InfeasibleError
from reference.priced_assignment import most_pairs_at_least_cost

KINDS = ["integers", "binary", "normal", "heavy", "float32", "equal", "offset"]
DRAWN = {"seed": st.integers(0, 2**32), "kind": st.sampled_from(KINDS), "maximize": st.booleans()}
SMALL = st.tuples(st.integers(1, 6), st.integers(1, 6))


def draw_costs(rng, kind, shape):
    if kind == "integers":
        return rng.integers(-3, 4, shape).astype(np.float64)
    if kind == "binary":
        return rng.integers(0, 2, shape)
    if kind == "normal":
        return rng.standard_normal(shape)
    if kind == "heavy":
        return np.exp(5 * rng.standard_normal(shape))
    if kind == "float32":
        return rng.standard_normal(shape).astype(np.float32)
    if kind == "equal":
        return np.full(shape, 2.5)
    return 1e12 + rng.random(shape)


def sparse_and_dense(rng, kind, shape, density, maximize=False):
    mask = rng.random(shape) < density
    costs = draw_costs(rng, kind, shape)
    dense = np.where(mask, costs.astype(np.float64), -np.inf if maximize else np.inf)
    return sp.csr_array((costs[mask], np.nonzero(mask)), shape=shape), dense


def check_violator(error, allowed):
    """Hall's condition, by its definition: the larger set has entries in the smaller only."""
    rows, columns = list(error.rows), list(error.columns)
    n, m = allowed.shape
    if n <= m:
        assert len(rows) > len(columns) == len(set(columns))
        assert len(rows) == len(set(rows))
        assert set(np.nonzero(allowed[rows])[1]) <= set(columns)
    else:
        assert len(columns) > len(rows) == len(set(rows))
        assert len(columns) == len(set(columns))
        assert set(np.nonzero(allowed[:, columns])[0]) <= set(rows)
    assert str(error).startswith("cost matrix is infeasible")


@settings(max_examples=300, deadline=None)
@given(**DRAWN, shape=SMALL, density=st.sampled_from([0.2, 0.4, 0.7, 1.0]))
def test_small_problems_against_enumeration(seed, kind, shape, density, maximize):
    cost, dense = sparse_and_dense(np.random.default_rng(seed), kind, shape, density, maximize)
    expected = brute_force(dense, maximize=maximize)
    try:
        result = rf.solve_assignment(cost, maximize=maximize)
    except InfeasibleError as error:
        assert expected is None
        check_violator(error, np.isfinite(dense))
        return
    assert expected is not None
    check_assignment(dense, result, maximize=maximize)
    assert abs(exact_objective(dense, result.columns) - expected) <= Fraction(result.gap)


@given(
    **DRAWN,
    shape=st.tuples(st.integers(10, 60), st.integers(10, 60)),
    density=st.sampled_from([0.1, 0.2, 0.5]),
)
def test_larger_problems_against_the_dense_solver(seed, kind, shape, density, maximize):
    cost, dense = sparse_and_dense(np.random.default_rng(seed), kind, shape, density, maximize)
    try:
        result = rf.solve_assignment(cost, maximize=maximize)
    except InfeasibleError as error:
        check_violator(error, np.isfinite(dense))
        with pytest.raises(ValueError, match="infeasible"):
            rf.solve_assignment(dense, maximize=maximize)
        return
    check_assignment(dense, result, maximize=maximize)
    assert result.gap <= 1e-12 * np.abs(cost.data).sum()
    expected = rf.solve_assignment(dense, maximize=maximize)
    difference = abs(exact_objective(dense, result.columns) - exact_objective(dense, expected.columns))
    assert difference <= Fraction(result.gap) + Fraction(expected.gap)


@settings(max_examples=200, deadline=None)
@given(**DRAWN, shape=SMALL, density=st.sampled_from([0.1, 0.25, 0.5]))
def test_partial_matches_as_many_as_can_be_at_the_least_cost(seed, kind, shape, density, maximize):
    cost, dense = sparse_and_dense(np.random.default_rng(seed), kind, shape, density, maximize)
    result = rf.solve_assignment(cost, maximize=maximize, partial=True)
    pairs = int((result.columns >= 0).sum())
    most, expected = most_pairs_at_least_cost(dense, maximize=maximize)
    assert pairs == most
    total = exact_objective(dense, result.columns)
    assert abs(total - expected) <= Fraction(result.gap)
    # The duals prove it: u + v <= c everywhere, and unmatched lines have the highest duals.
    sign = -1 if maximize else 1
    u = [sign * Fraction(x) for x in result.row_duals.tolist()]
    v = [sign * Fraction(x) for x in result.column_duals.tolist()]
    n, m = shape
    assert all(u[i] + v[j] <= sign * Fraction(dense[i, j]) for i, j in np.argwhere(np.isfinite(dense)))
    bound = sum(u) + sum(v) - (n - pairs) * max(u) - (m - pairs) * max(v)
    slack = sign * total - bound
    assert slack >= 0
    # Below the lowest bit of any cost a bound leaves nothing open.
    assert slack <= Fraction(result.gap) or (result.gap == 0.0 and slack < Fraction(1, 2**60))


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "lil", "dok", "bsr"])
@pytest.mark.parametrize("matrix", [False, True])
def test_every_format(form, matrix):
    dense = np.array([[4.0, 1.0, 0.0], [2.0, 0.0, 5.0], [0.0, 2.0, 2.0]])
    cost = getattr(sp, f"{form}_{'matrix' if matrix else 'array'}")(dense)
    result = rf.solve_assignment(cost)
    assert result.columns.tolist() == [1, 0, 2]
    rows, columns = rf.linear_sum_assignment(cost)
    assert rows.tolist() == [0, 1, 2]
    assert columns.tolist() == [1, 0, 2]
    assert rows.dtype == columns.dtype == np.int64


def test_explicit_zeros_are_entries_and_duplicates_are_summed():
    zeros = sp.csr_array(([0.0, 3.0, 0.0], ([0, 0, 1], [0, 1, 1])), shape=(2, 2))
    assert rf.solve_assignment(zeros).objective == 0.0
    # 1 + 4 at (0, 0), so that the other diagonal is the better one.
    twice = sp.coo_array(([1.0, 4.0, 1.0, 1.0, 1.0], ([0, 0, 0, 1, 1], [0, 0, 1, 0, 1])), shape=(2, 2))
    assert rf.solve_assignment(twice).columns.tolist() == [1, 0]
    raw = sp.csr_array((2, 2))
    raw.data, raw.indices, raw.indptr = (
        np.array([1.0, 4, 1, 1, 1]),
        np.array([0, 0, 1, 0, 1]),
        np.array([0, 3, 5]),
    )
    assert rf.solve_assignment(raw).columns.tolist() == [1, 0]
    assert raw.nnz == 5  # the caller's array stays as it is


@pytest.mark.parametrize(
    "dtype", ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", ">f8", ">i4"]
)
def test_every_dtype(dtype):
    rng = np.random.default_rng(3)
    dense = rng.integers(0, 2 if dtype == "?" else 90, (7, 9))
    cost = sp.csr_array(np.ones((7, 9)))
    cost.data = dense.ravel().astype(dtype)
    check_assignment(dense, rf.solve_assignment(cost))
    assert rf.solve_assignment(cost).objective == rf.solve_assignment(dense).objective


def test_complex_and_wide_floats_are_refused():
    cost = sp.csr_array(np.eye(2, dtype=complex))
    with pytest.raises(TypeError):
        rf.solve_assignment(cost)


@pytest.mark.parametrize("maximize", [False, True])
def test_infinities_and_nan(maximize):
    bad = -np.inf if not maximize else np.inf
    forbidden = -bad
    cost = sp.csr_array(np.array([[forbidden, 1.0], [2.0, forbidden]]))
    assert rf.solve_assignment(cost, maximize=maximize).columns.tolist() == [1, 0]
    for value in (np.nan, bad):
        cost = sp.csr_array(np.array([[value, 1.0], [2.0, 1.0]]))
        with pytest.raises(ValueError, match="matrix contains invalid numeric entries"):
            rf.solve_assignment(cost, maximize=maximize)


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_empty_matrices(shape):
    result = rf.solve_assignment(sp.csr_array(shape))
    assert result.columns.tolist() == [-1] * shape[0]
    assert result.column_duals.shape == (shape[1],)
    assert result.objective == result.gap == 0.0
    assert rf.solve_assignment(sp.csr_array(shape), partial=True) == result


def test_rows_without_entries():
    cost = sp.csr_array(np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0], [4.0, 5.0, 6.0]]))
    with pytest.raises(InfeasibleError, match="row 1 may take no column") as caught:
        rf.solve_assignment(cost)
    assert caught.value.rows == (1,)
    assert caught.value.columns == ()
    partial = rf.solve_assignment(cost, partial=True)
    assert partial.columns.tolist() in ([0, -1, 1], [1, -1, 0])
    assert partial.objective == 6.0


def test_violators_of_large_problems():
    rng = np.random.default_rng(5)
    n = 3000
    rows, columns = np.repeat(np.arange(n), 8), rng.integers(0, n, 8 * n)
    crowded = rows % 10 == 0  # 300 rows on 290 columns
    columns[crowded] %= 290
    pattern = sp.coo_array((np.ones(8 * n), (rows, columns)), shape=(n, n)).tocsr()
    pattern.data = rng.random(pattern.nnz)
    for cost in (pattern, pattern.T):
        with pytest.raises(InfeasibleError) as caught:
            rf.solve_assignment(cost)
        check_violator(caught.value, cost.toarray() != 0)


@pytest.mark.parametrize("offset", [2**53, 2**60, 2**62, -(2**62)])
def test_integers_beyond_doubles_are_solved_exactly(offset):
    rng = np.random.default_rng(6)
    small = rng.integers(0, 1000, (40, 40))
    mask = rng.random((40, 40)) < 0.3
    mask[np.arange(40), rng.permutation(40)] = True
    entries = small[mask] + np.int64(offset)
    cost = sp.csr_array((entries, np.nonzero(mask)), shape=(40, 40))
    result = rf.solve_assignment(cost)
    expected = rf.solve_assignment(np.where(mask, small.astype(float), np.inf)).objective
    found = sum(int(small[i, j]) for i, j in enumerate(result.columns))
    assert found == expected
    assert result.gap == 0.0
    exact = cost.toarray()
    for i, j in np.argwhere(mask):
        assert Fraction(result.row_duals[i]) + Fraction(result.column_duals[j]) <= int(exact[i, j])


def test_unsigned_integers_beyond_int64():
    cost = sp.csr_array(np.array([[2**64 - 1, 2**64 - 3], [2**64 - 2, 2**64 - 3]], np.uint64))
    result = rf.solve_assignment(cost)
    assert result.columns.tolist() == [1, 0]
    for i, j in np.ndindex(2, 2):
        assert Fraction(result.row_duals[i]) + Fraction(result.column_duals[j]) <= int(cost[i, j])


@pytest.mark.parametrize("marker", [1e6, 1e15, float(sys.maxsize), 1e200, np.finfo(float).max])
@pytest.mark.parametrize("needed", [False, True])
def test_markers(marker, needed):
    rng = np.random.default_rng(7)
    n = 40
    dense = rng.random((n, n))
    far = rng.random((n, n)) < 0.6
    far[np.arange(n), rng.permutation(n)] = False
    if needed:
        far[0] = True
    dense[far] = marker
    result = rf.solve_assignment(sp.csr_array(dense))
    ordinary = np.where(far, np.inf, dense)
    if not needed:
        expected = rf.solve_assignment(ordinary)
        assert abs(result.objective - expected.objective) <= 1e-12
        assert result.gap <= 1e-12
    else:
        # The rest is as good as the marker's own precision lets it be.
        assert np.sum(far[np.arange(n), result.columns]) == 1
        assert result.gap <= 1e-13 * marker


def test_duals_of_rectangles_that_levels_leave():
    """Wide problems of hundreds of rows, where columns lose their rows again."""
    rng = np.random.default_rng(8)
    for n, m in [(300, 303), (400, 420), (303, 300)]:
        mask = rng.random((n, m)) < 0.05
        mask[np.arange(min(n, m)), rng.permutation(max(n, m))[: min(n, m)] % m] |= n <= m
        dense = np.where(mask, rng.random((n, m)), np.inf)
        cost = sp.csr_array((dense[mask], np.nonzero(mask)), shape=(n, m))
        try:
            check_assignment(dense, rf.solve_assignment(cost))
        except InfeasibleError as error:
            check_violator(error, mask)


def test_results_repeat():
    cost = sp.random_array((500, 500), density=0.05, rng=np.random.default_rng(9), format="csr")
    cost = cost + sp.eye_array(500)
    assert rf.solve_assignment(cost) == rf.solve_assignment(cost.tocoo())


def test_numpy_bools():
    cost = sp.csr_array(np.array([[1.0, 2.0], [3.0, 5.0]]))
    assert rf.solve_assignment(cost, maximize=np.True_).columns.tolist() == [0, 1]
    assert rf.solve_assignment(cost, partial=np.True_).columns.tolist() == [1, 0]


def test_options_of_dense_costs_are_refused():
    cost = sp.csr_array(np.eye(2))
    with pytest.raises(ValueError, match="cost_limit is for dense costs"):
        rf.solve_assignment(cost, cost_limit=1.0)
    with pytest.raises(ValueError, match="warm_start is for dense costs"):
        rf.solve_assignment(cost, warm_start=rf.solve_assignment(np.eye(2)))
    with pytest.raises(ValueError, match="2-D"):
        rf.solve_assignment(sp.coo_array(np.arange(1, 4)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"indptr": [0, 2, 1]}, "indptr has to rise"),
        ({"indptr": [0, 2]}, "indptr has to rise"),
        ({"indices": [0, 1, 2]}, "columns lie in"),
        ({"indices": [0, -1, 1]}, "columns lie in"),
        ({"indices": [0.0, 1.0, 1.0]}, "vector of integers"),
        ({"data": [1.0, 2.0]}, "one cost an index"),
        ({"shape": (2, 2**31)}, "rows and columns"),
    ],
)
def test_malformed_rows(change, message):
    whole = {"data": [1.0, 2.0, 3.0], "indices": [0, 1, 1], "indptr": [0, 2, 3], "shape": (2, 2)}
    assert solve_csr(**whole).columns.tolist() == [0, 1]
    with pytest.raises(ValueError, match=message):
        solve_csr(**(whole | change))


def test_indices_of_both_widths():
    rng = np.random.default_rng(10)
    cost = sp.csr_array(rng.random((30, 40)))
    narrow = solve_csr(cost.data, cost.indices.astype(np.int32), cost.indptr.astype(np.int32), cost.shape)
    wide = solve_csr(cost.data, cost.indices.astype(np.int64), cost.indptr.astype(np.int64), cost.shape)
    assert narrow == wide


def test_nothing_of_scipy_sparse_is_imported_for_dense_costs():
    code = (
        "import sys, rebasin_fast as rf; rf.solve_assignment([[1.0]]); print('scipy.sparse' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
