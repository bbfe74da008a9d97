"""A warm start changes the time, never the optimum; threads and batches change nothing at all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rebasin_fast as rf
import rebasin_fast._core as core
from helpers.proof import check_assignment, exact_objective


def gram(n, m, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, 64), dtype=np.float32) @ rng.standard_normal((64, m), dtype=np.float32)


def changes(cost, rng):
    n, m = cost.shape
    replaced = cost.copy()
    replaced[rng.choice(n, max(1, n // 20), replace=False)] = rng.standard_normal((max(1, n // 20), m)) * 8
    return {
        "unchanged": cost,
        "noise": cost + 0.01 * rng.standard_normal((n, m), dtype=np.float32),
        "strong noise": cost + 5 * rng.standard_normal((n, m), dtype=np.float32),
        "rescaled": 1000 * cost,
        "negated": -cost,
        "rows permuted": cost[rng.permutation(n)],
        "columns permuted": cost[:, rng.permutation(m)],
        "rows replaced": replaced,
        "unrelated": gram(n, m, 99),
    }


CHANGES = sorted(changes(np.zeros((2, 2), np.float32), np.random.default_rng(0)))


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("shape", [(5, 5), (90, 90), (60, 130), (130, 60)])
@pytest.mark.parametrize("maximize", [False, True])
def test_warm_equals_cold(change, shape, maximize):
    cost = gram(*shape)
    start = rf.solve_assignment(cost, maximize=maximize)
    changed = changes(cost, np.random.default_rng(1))[change]
    warm = rf.solve_assignment(changed, maximize=maximize, warm_start=start)
    cold = rf.solve_assignment(changed, maximize=maximize)
    check_assignment(changed, warm, maximize=maximize)
    assert exact_objective(changed, warm.columns) == exact_objective(changed, cold.columns)


@settings(max_examples=50, deadline=None)
@given(st.integers(40, 90), st.integers(0, 2**32 - 1), st.sampled_from([1e-3, 1.0, 1e3, 1e30]))
def test_any_duals_will_do(n, seed, scale):
    rng = np.random.default_rng(seed)
    cost = rng.integers(0, 9, (n, n)).astype(np.float32)
    start = rf.Assignment(
        np.arange(n), rng.standard_normal(n) * scale, rng.standard_normal(n) * scale, 0.0, 0.0
    )
    warm = rf.solve_assignment(cost, warm_start=start)
    check_assignment(cost, warm)
    assert warm.objective == rf.solve_assignment(cost).objective


def test_duals_that_are_not_finite_are_left_aside():
    cost = gram(80, 80)
    start = rf.Assignment(np.arange(80), np.full(80, np.nan), np.full(80, np.nan), 0.0, 0.0)
    check_assignment(cost, rf.solve_assignment(cost, warm_start=start))


def test_an_unchanged_problem_costs_two_reads():
    cost = gram(600, 600)
    start = rf.solve_assignment(cost)
    counters = core.assignment_counters(cost, False, (start.row_duals, start.column_duals))
    assert counters.entries_read <= 2 * cost.size


def test_a_stale_start_costs_one_read():
    cost = gram(600, 600)
    cold = core.assignment_counters(cost, False)
    rng = np.random.default_rng(0)
    stale = core.assignment_counters(cost, False, (rng.standard_normal(600), 100 * rng.standard_normal(600)))
    assert stale.entries_read <= cold.entries_read + 1.1 * cost.size


def test_a_start_of_another_shape_is_refused():
    start = rf.solve_assignment(gram(5, 6))
    with pytest.raises(ValueError, match=r"shape \(5, 6\), the cost has shape \(6, 6\)"):
        rf.solve_assignment(gram(6, 6), warm_start=start)


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_threads_and_batches_change_nothing(threads):
    costs = np.stack([gram(70, 80, seed) for seed in range(9)])
    batch = rf.solve_assignment(costs, threads=threads)
    again = rf.solve_assignment(costs, threads=threads, warm_start=batch)
    listed = rf.solve_assignment(list(costs), threads=threads, warm_start=rf.solve_assignment(list(costs)))
    for k, cost in enumerate(costs):
        one = rf.solve_assignment(cost)
        assert batch[k] == one
        assert again.objective[k] == pytest.approx(one.objective, rel=1e-12)
        assert listed[k].objective == pytest.approx(one.objective, rel=1e-12)


def test_a_list_needs_a_start_each():
    costs = [gram(4, 4), gram(5, 5)]
    with pytest.raises(ValueError, match="list of 2 warm starts"):
        rf.solve_assignment(costs, warm_start=rf.solve_assignment(costs)[:1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threads": None}, "threads is a number of threads"),
        ({"warm_start": (np.zeros(4), np.zeros(4))}, "warm_start is the"),
    ],
)
def test_arguments_of_another_type_are_named(options, message):
    with pytest.raises(TypeError, match=message):
        rf.solve_assignment(gram(4, 4), **options)


START = rf.solve_assignment(gram(4, 4))


def with_duals(row_duals):
    return rf.Assignment(START.columns, row_duals, START.column_duals, 0.0, 0.0)


@pytest.mark.parametrize(
    ("start", "kind", "message"),
    [
        ([START], TypeError, "for one matrix got a list of 1"),
        ("cold", TypeError, "got str"),
        (with_duals(np.zeros(4, complex)), TypeError, "row_duals of a warm start are real .* complex128"),
        (with_duals(np.array(list("abcd"))), TypeError, "row_duals of a warm start are real .* <U1"),
        (with_duals(None), TypeError, "row_duals of a warm start are real .* object"),
        (with_duals(np.zeros((2, 4))), ValueError, r"shape \(2, 4, 4\)"),
        (rf.solve_assignment(gram(4, 4)[None]), ValueError, r"shape \(1, 4, 1, 4\)"),
    ],
)
def test_starts_that_do_not_fit_a_matrix(start, kind, message):
    with pytest.raises(kind, match=message):
        rf.solve_assignment(gram(4, 4), warm_start=start)


def test_starts_of_batches_and_lists():
    costs = np.stack([gram(6, 7, seed) for seed in range(3)])
    cold = rf.solve_assignment(costs)
    for start in (cold, list(cold), [cold[0], None, cold[2]]):
        np.testing.assert_array_equal(rf.solve_assignment(costs, warm_start=start).columns, cold.columns)
        for cost, one in zip(costs, rf.solve_assignment(list(costs), warm_start=start), strict=True):
            check_assignment(cost, one)
    with pytest.raises(ValueError, match="needs a list of 3 warm starts, got one"):
        rf.solve_assignment(list(costs), warm_start=cold[0])
    with pytest.raises(ValueError, match=r"shape \(6, 7\), the cost has shape \(3, 6, 7\)"):
        rf.solve_assignment(costs, warm_start=cold[0])
    with pytest.raises(ValueError, match=r"shape \(2, 6, 7\), the cost has shape \(3, 6, 7\)"):
        rf.solve_assignment(costs, warm_start=cold[:2])


def test_strided_duals():
    cost = gram(80, 80)
    start = rf.solve_assignment(cost)
    spread = rf.Assignment(
        start.columns, np.repeat(start.row_duals, 2)[::2], start.column_duals[::-1][::-1], 0.0, 0.0
    )
    assert rf.solve_assignment(cost, warm_start=spread) == rf.solve_assignment(cost, warm_start=start)
