"""The solver's decisions by measured traits: each is taken, and wrong ones cost no exactness."""

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

import rebasin_fast as rf
import rebasin_fast._core as core
from helpers.proof import check_assignment


def reads(cost, start=None):
    duals = None if start is None else (start.row_duals, start.column_duals)
    return core.assignment_counters(cost, False, duals).entries_read / cost.size


def check(cost, *, maximize=False):
    result = rf.solve_assignment(cost, maximize=maximize)
    check_assignment(cost, result, maximize=maximize)
    rows, columns = scipy.optimize.linear_sum_assignment(cost, maximize)
    used = cost[rows, columns].astype(np.float64)
    assert abs(result.objective - used.sum()) <= result.gap + 1e-13 * np.abs(used).sum()


def heavy_rows(rng, n, m, deviation=1.5):
    gaussian = rng.standard_normal((n, m))
    return gaussian * np.exp(deviation * rng.standard_normal((n, 1)))


def dead(rng, n, rows, columns):
    """Rows and columns of zeros, as many as are asked for."""
    cost = rng.standard_normal((n, n)).astype(np.float32)
    cost[rng.choice(n, rows, replace=False)] = 0.0
    cost[:, rng.choice(n, columns, replace=False)] = 0.0
    return cost


@pytest.mark.parametrize("seed", range(3))
def test_heavy_tails_take_two_reads(seed):
    rng = np.random.default_rng(seed)
    cost = (heavy_rows(rng, 400, 400) * np.exp(1.5 * rng.standard_normal(400))).astype(np.float32)
    assert reads(cost) < 2.5
    check(cost)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(65, 110), st.integers(65, 110), st.integers(0, 2**32 - 1), st.booleans(),
    st.sampled_from(["plain", "shifted", "integers", "some forbidden", "some zero"]),
)  # fmt: skip
def test_rows_of_any_spread(n, m, seed, maximize, kind):
    rng = np.random.default_rng(seed)
    cost = heavy_rows(rng, n, m, 2.0)
    if kind == "shifted":
        cost += 100 * rng.standard_normal((n, 1)) + rng.standard_normal(m)
    elif kind == "integers":
        cost = np.round(cost)
    elif kind == "some forbidden":
        cost[(rng.random((n, m)) < 0.2) & ~np.eye(n, m, dtype=bool)] = -np.inf if maximize else np.inf
    elif kind == "some zero":
        cost[rng.random(n) < 0.2] = 0.0
    check(cost.astype(np.float32), maximize=maximize)


@pytest.mark.parametrize("n", [80, 200])
def test_largest_first_gives_up_among_ties(n):
    rng = np.random.default_rng(n)
    cost = np.outer(np.exp(2 * rng.standard_normal(n)), np.arange(1, n + 1)).astype(np.float32)
    check(cost)
    check(cost, maximize=True)


@pytest.mark.parametrize(("rows", "columns"), [(40, 10), (10, 40), (40, 0), (0, 40), (30, 30), (1, 1)])
@pytest.mark.parametrize("kind", ["plain", "positive", "negative"])
def test_dead_lines_of_unequal_number(rows, columns, kind):
    cost = dead(np.random.default_rng(rows), 120, rows, columns)
    if kind != "plain":
        cost = np.abs(cost) if kind == "positive" else -np.abs(cost)
    check(cost)
    check(cost, maximize=True)


def test_spare_dead_rows_need_no_search_each():
    cost = dead(np.random.default_rng(1), 500, 190, 150)
    assert reads(cost) < 3.0
    assert core.assignment_counters(cost, False).dense_searches < 5


def test_dead_and_copied_columns_are_no_ties():
    cost = dead(np.random.default_rng(2), 512, 150, 150)
    assert reads(cost) < 4.0
    small = np.random.default_rng(3).standard_normal((64, 64)).astype(np.float32)
    # Whole rows: more reads than lists take, and half of their time.
    copied = core.assignment_counters(np.tile(small, (4, 4)), False)
    assert copied.bids == 0
    assert copied.scanned_rows < 16 * 256


@pytest.mark.parametrize("n", [70, 128, 256])
def test_costs_of_many_magnitudes(n):
    check((10.0 ** np.random.default_rng(n).uniform(-20, 20, (n, n))).astype(np.float32))


def gated_distances(rng):
    distances = np.linalg.norm(rng.random((300, 1, 2)) - rng.random((300, 2)), axis=2)
    return np.where(distances > np.quantile(distances, 0.4), 1e5, distances).astype(np.float32)


def similarities(rng, noise=None):
    a = rng.standard_normal((512, 512))
    b = rng.standard_normal((512, 512)) if noise is None else a + noise * rng.standard_normal((512, 512))
    return -(a @ b[rng.permutation(512)].T).astype(np.float32)


def sorted_points(rng):
    return np.abs(np.sort(rng.random(400))[:, None] - np.sort(rng.random(400)))


EXAMPLES = {  # of cpp/src/assignment/README.md
    "filler": gated_distances,
    "lists": similarities,
    "aligned rows": lambda rng: similarities(rng, noise=0.3),
    "small": lambda rng: rng.random((100, 140)),
    "smooth": sorted_points,
}


@pytest.mark.parametrize("strategy", EXAMPLES)
def test_examples_of_the_strategies(strategy):
    cost = EXAMPLES[strategy](np.random.default_rng(0))
    assert core.assignment_counters(cost, False).strategy == strategy


def test_ordered_magnitudes_fall_back_to_an_auction():
    product = np.outer(np.arange(1, 129), np.arange(1, 129)).astype(np.float32)
    assert reads(product) < 40
    check(product)


@pytest.mark.parametrize("noise", [0.0, 1e-4, 1e-2, 0.1, 1.0])
def test_short_lists_of_a_warm_start(noise):
    rng = np.random.default_rng(4)
    cost = rng.standard_normal((300, 300)).astype(np.float32)
    start = rf.solve_assignment(cost)
    changed = cost + np.float32(noise) * rng.standard_normal(cost.shape, dtype=np.float32)
    warm = rf.solve_assignment(changed, warm_start=start)
    check_assignment(changed, warm)
    assert warm.objective == pytest.approx(rf.solve_assignment(changed).objective, rel=1e-12)
    if noise <= 1e-4:
        assert reads(changed, start) < 1.5


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e38, -1e38])
def test_single_row_duals_that_mislead(bad):
    rng = np.random.default_rng(5)
    cost = rng.standard_normal((150, 150)).astype(np.float32)
    start = rf.solve_assignment(cost)
    row_duals = start.row_duals.copy()
    row_duals[[3, 70, 149]] = bad
    misled = rf.Assignment(start.columns, row_duals, start.column_duals, start.objective, start.gap)
    check_assignment(cost, rf.solve_assignment(cost, warm_start=misled))


@pytest.mark.parametrize("more", [1, 4])
@pytest.mark.parametrize("maximize", [False, True])
def test_nearly_square_rectangles_are_padded(more, maximize):
    i = np.arange(120.0)
    j = np.arange(120.0 + more)
    rng = np.random.default_rng(more)
    offsets = 100.0 * rng.random(len(j)) + rng.random((len(i), len(j)))
    holes = offsets.copy()
    holes[rng.random(holes.shape) < 0.2] = np.inf
    for cost in (i[:, None] + j, -i[:, None] * j, offsets, holes):
        costs = -cost if maximize else cost
        assert core.assignment_counters(costs, maximize).entries_read < 40 * cost.size
        check_assignment(costs, rf.solve_assignment(costs, maximize=maximize), maximize=maximize)


def test_forbidden_entries_hide_no_offset():
    cost = 1e6 + np.random.default_rng(0).random((300, 600))
    cost[np.random.default_rng(1).random(cost.shape) < 0.3] = np.inf
    counters = core.assignment_counters(cost, False)
    assert counters.bids == 0  # whole rows, whose differences are exact
    assert counters.entries_read < 4 * cost.size
    check(cost)


@pytest.mark.slow
def test_products_of_ranks_take_few_reads():
    ranks = np.arange(300.0)
    for cost in (np.outer(ranks, ranks), 1 / (1 + ranks[:, None] + ranks)):
        assert reads(cost) < 60
        check(cost)
