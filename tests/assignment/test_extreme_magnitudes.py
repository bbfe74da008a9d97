"""Costs at the ends of their types: the exact answer with finite duals, or an error; never a false certificate."""

import itertools
import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import example, given
from hypothesis import strategies as st

import rebasin_fast as rf
from helpers.all_assignments import all_assignments
from rebasin_fast.compat import lap

LARGEST = np.finfo(np.float64).max
VALUES = {
    "f8": [LARGEST, -LARGEST, 1e308, -1e308, LARGEST / 2, -LARGEST / 4, 2.0**1000, 1e300, 1.0, -1.0, 0.0, 5e-324],
    "f4": [3.4028235e38, -3.4028235e38, 1e38, 1.0, 0.0, 1e-45],
    "i8": [2**63 - 1, -(2**63), 2**62, 2**53 + 1, 1, 0, -1],
    "u8": [2**64 - 1, 2**63, 2**53 + 1, 1, 0],
}  # fmt: skip
ISSUE = np.array([[1e308, -1e308], [1e308, 1e308]])
FULL = np.full((3, 3), 1.7e308)


@st.composite
def matrices(draw, kinds=tuple(VALUES), most=3, forbidden=True):
    kind, maximize = draw(st.sampled_from(kinds)), draw(st.booleans())
    n, m = draw(st.integers(1, most)), draw(st.integers(1, most))
    values = draw(st.lists(st.sampled_from(VALUES[kind]), min_size=1, max_size=4, unique=True))
    if forbidden and kind[0] == "f" and draw(st.booleans()):
        values = [*values, -math.inf if maximize else math.inf]
    entries = draw(st.lists(st.sampled_from(values), min_size=n * m, max_size=n * m))
    return np.array(entries, dtype=kind).reshape(n, m), maximize


def nearest(total):
    """An exact total, rounded once; infinite beyond float64."""
    try:
        return float(total)
    except OverflowError:
        return math.inf if total > 0 else -math.inf


def total_of(cost, columns):
    return sum((Fraction(cost[i, j].item()) for i, j in enumerate(columns) if j >= 0), Fraction(0))


def check_duals(cost, found, maximize, most=math.inf):
    """Feasible in real arithmetic: for every pair, and for an unmatched row or column at the price ``most``."""
    sign = -1 if maximize else 1
    rows, columns = (
        [sign * Fraction(v) for v in each.tolist()] for each in (found.row_duals, found.column_duals)
    )
    for (i, j), entry in np.ndenumerate(cost):
        if not (isinstance(entry, np.floating) and np.isinf(entry)):
            assert rows[i] + columns[j] <= sign * Fraction(entry.item())
    if most != math.inf:
        assert all(dual <= sign * Fraction(most) for dual in rows + columns)


def check(cost, found, maximize, best):
    """``found`` keeps what its attributes promise about the best total."""
    total = total_of(cost, found.columns.tolist())
    distance = total - best if not maximize else best - total
    assert math.isfinite(found.gap)
    assert 0 <= distance <= Fraction(found.gap)
    assert math.isfinite(found.objective)
    assert found.objective == nearest(total)
    check_duals(cost, found, maximize)
    if found.gap == 0.0:
        duals = [*found.row_duals.tolist(), *found.column_duals.tolist()]
        shortfall = abs(best - sum(map(Fraction, duals)))
        assert shortfall <= 4 * sum(Fraction(math.ulp(dual)) for dual in duals)


def may_be_refused(cost):
    return cost.dtype == np.float64 and bool((np.abs(cost[np.isfinite(cost)]) > 1e305).any())


@given(matrices())
@example((ISSUE, False))
@example((FULL, False))
@example((np.array([[0, 2**63 - 1], [2**63 - 1, 2**63 - 1]]), False))
def test_the_dense_answer_is_exact_or_refused(problem):
    cost, maximize = problem
    ranked = all_assignments(cost, maximize)
    if not ranked:
        with pytest.raises(rf.InfeasibleError):
            rf.solve_assignment(cost, maximize=maximize)
        return
    rows, columns = rf.linear_sum_assignment(cost, maximize)
    pairs = dict(zip(rows.tolist(), columns.tolist(), strict=True))
    chosen = total_of(cost, [pairs.get(i, -1) for i in range(len(cost))])
    batch = rf.solve_assignment(np.stack([cost, cost]), maximize=maximize)
    try:
        found = rf.solve_assignment(cost, maximize=maximize)
    except rf.CostOverflowError:
        assert may_be_refused(cost)
        assert chosen == ranked[0][0]
        assert batch.status.tolist() == ["overflow"] * 2
        assert (batch.columns == -1).all()
        assert np.isnan(batch.gap).all()
        return
    check(cost, found, maximize, ranked[0][0])
    assert abs(chosen - ranked[0][0]) <= Fraction(found.gap)
    assert batch[1] == found


@given(matrices())
@example((ISSUE, False))
@example((FULL, True))
@example((np.array([[5e-324, LARGEST], [-1.0, LARGEST]]), False))
def test_the_sparse_answer_keeps_its_gap_or_is_refused(problem):
    cost, maximize = problem
    rows, columns = np.indices(cost.shape).reshape(2, -1)
    sparse = sp.coo_array((cost.ravel(), (rows, columns)), shape=cost.shape)  # zeros are entries
    ranked = all_assignments(cost, maximize)
    if not ranked:
        with pytest.raises(rf.InfeasibleError):
            rf.solve_assignment(sparse, maximize=maximize)
        return
    try:
        found = rf.solve_assignment(sparse, maximize=maximize)
    except rf.CostOverflowError:
        assert may_be_refused(cost)
        assert len(rf.linear_sum_assignment(sparse, maximize)[0]) == min(cost.shape)
        return
    check(cost, found, maximize, ranked[0][0])


@given(matrices(), st.sampled_from([None, 0.0, 1e308]))
@example((FULL, False), None)
@example((np.array([[5e-324], [-1e308]]), True), 1e308)
def test_ranked_assignments_are_exact_or_refused(problem, within):
    cost, maximize = problem
    ranked = [total for total, _, _ in all_assignments(cost, maximize)]
    if not ranked:
        return
    wanted = [t for t in ranked if within is None or abs(t - ranked[0]) <= Fraction(within)][:4]
    try:
        found = rf.k_best_assignments(cost, 4, maximize=maximize, within=within)
    except rf.CostOverflowError:
        assert any(math.isinf(nearest(total)) for total in wanted)
        assert (
            rf.k_best_assignments(np.stack([cost]), 4, maximize=maximize, within=within)[0].status
            == "overflow"
        )
        return
    assert [total_of(cost, columns.tolist()) for columns in found.columns] == wanted
    assert found.objectives.tolist() == [nearest(total) for total in wanted]
    assert np.isfinite(found.objectives).all()
    assert found.gap == 0.0


@given(matrices())
def test_the_bottleneck_is_an_entry_whatever_its_size(problem):
    cost, maximize = problem
    ranked = all_assignments(cost, maximize)
    if ranked:
        worst = [min(entries) if maximize else max(entries) for _, _, entries in ranked]
        assert rf.bottleneck_assignment(cost, maximize=maximize).bottleneck == (max if maximize else min)(
            worst
        )


def matchings(cost):
    """Pairs of every matching of allowed entries."""
    n, m = cost.shape
    for columns in itertools.product(range(-1, m), repeat=n):
        pairs = [(i, j) for i, j in enumerate(columns) if j >= 0]
        if len({j for _, j in pairs}) == len(pairs) and all(np.isfinite(float(cost[pair])) for pair in pairs):
            yield pairs


@given(matrices())
@example((np.array([[-1e308, 1e308], [1e308, 1e308]]), True))
@example((np.array([[math.inf, -1e308, math.inf], [8e307, -1e308, math.inf]]), False))
def test_partial_matchings_keep_their_gap_or_are_refused(problem):
    cost, maximize = problem
    sign = -1 if maximize else 1
    known = [(len(pairs), sum(Fraction(cost[pair].item()) for pair in pairs)) for pairs in matchings(cost)]
    most = max(count for count, _ in known)
    best = min(sign * total for count, total in known if count == most)
    try:
        found = rf.solve_assignment(cost, maximize=maximize, partial=True)
    except rf.CostOverflowError:
        assert may_be_refused(cost)
        return
    total = total_of(cost, found.columns.tolist())
    assert np.count_nonzero(found.columns >= 0) == most
    assert math.isfinite(found.gap)
    assert 0 <= sign * total - best <= Fraction(found.gap)
    assert found.objective == nearest(total)
    check_duals(cost, found, maximize)


@given(matrices(), st.sampled_from([0.5, -1.0, 1e-300, 3.4e38, 2.0**63, 1e300, 1e308, LARGEST, -LARGEST]))
@example((np.array([[2**63 - 1] * 3]), False), 2.0**63)
@example((np.array([[-LARGEST, -LARGEST]]), False), 1e308)
def test_prices_of_any_size_keep_their_gap_or_are_refused(problem, limit):
    cost, maximize = problem
    sign, half, lines = -1 if maximize else 1, Fraction(limit) / 2, sum(cost.shape)

    def priced(pairs):
        return sum(Fraction(cost[pair].item()) for pair in pairs) + half * (lines - 2 * len(pairs))

    best = min(sign * priced(pairs) for pairs in matchings(cost))
    try:
        found = rf.solve_assignment(cost, maximize=maximize, cost_limit=limit)
    except rf.CostOverflowError:
        assert may_be_refused(cost) or abs(limit) > 1e305
        return
    total = priced([(i, j) for i, j in enumerate(found.columns.tolist()) if j >= 0])
    assert math.isfinite(found.gap)
    assert 0 <= sign * total - best <= Fraction(found.gap)
    assert found.objective_with_prices == pytest.approx(nearest(total), rel=1e-15, abs=0)
    check_duals(cost, found, maximize, limit / 2)


@pytest.mark.parametrize("start", [LARGEST, -LARGEST, 1e300, math.inf, math.nan])
def test_duals_of_any_size_may_start(start):
    cost = np.random.default_rng(0).random((80, 80))
    plain = rf.solve_assignment(cost)
    duals = np.full(80, start)
    begun = rf.Assignment(plain.columns, duals, -duals, 0.0, 0.0)
    assert rf.solve_assignment(cost, warm_start=begun).objective == plain.objective


@pytest.mark.parametrize("n", [3, 80, 300])
def test_the_advice_of_the_error_is_followed(n):
    cost = np.random.default_rng(n).uniform(0.5, 1.0, (n, n)) * LARGEST
    with pytest.raises(rf.CostOverflowError, match=r"beyond float64 .* cost \* 2\.0\*\*-64"):
        rf.solve_assignment(cost)
    scaled = rf.solve_assignment(cost * 2.0**-64)
    columns = rf.linear_sum_assignment(cost)[1]
    assert total_of(cost, columns.tolist()) == total_of(cost, scaled.columns.tolist())


def test_the_error_is_an_overflow_and_a_fault_of_a_value():
    with pytest.raises(OverflowError) as caught:
        rf.solve_assignment(FULL)
    assert isinstance(caught.value, ValueError | rf.RebasinError)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    for call in (lap.lapjv, lap.lapjvx, lambda cost: rf.solve_assignment(cost, partial=True)):
        with pytest.raises(rf.CostOverflowError):
            call(FULL)


def test_the_issues_matrix_has_finite_duals():
    for cost in (ISSUE, sp.coo_array(ISSUE)):
        found = rf.solve_assignment(cost)
        assert (found.objective, found.gap, found.columns.tolist()) == (0.0, 0.0, [1, 0])
        assert np.isfinite([*found.row_duals, *found.column_duals]).all()
