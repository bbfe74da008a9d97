"""The k best assignments against all assignments in fractions: the same totals in order, each once."""

import json
import math
import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import rebasin_fast as rf
import rebasin_fast._core as core
from helpers.all_assignments import FAMILIES, SHAPES, all_assignments
from helpers.interrupts import assert_interrupted


def check(cost, k, maximize=False):
    """Compare with all assignments; return the result."""
    expected = all_assignments(cost, maximize)
    found = rf.k_best_assignments(cost, k, maximize=maximize)
    totals = {columns: total for total, columns, _ in expected}
    columns = [tuple(row) for row in found.columns.tolist()]
    assert found.gap == 0.0
    assert found.certified
    assert len(found) == min(k, len(expected))
    assert len(set(columns)) == len(columns)
    assert [totals[each] for each in columns] == [total for total, _, _ in expected[:k]]
    assert found.objectives.tolist() == [float(totals[each]) for each in columns]
    return found


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_as_all_assignments_in_fractions(family, shape):
    rng = np.random.default_rng(len(family))
    for k in (1, 2, 7, 40, 1000):
        check(FAMILIES[family](rng, shape), k)
        if "marker" not in family:
            check(FAMILIES[family](rng, shape), k, maximize=True)


@pytest.mark.parametrize("shape", SHAPES[3:], ids=str)
def test_forbidden_entries(shape):
    rng = np.random.default_rng(0)
    some = 0
    for _ in range(40):
        cost = np.where(rng.random(shape) < 0.4, np.inf, rng.integers(0, 4, shape))
        if all_assignments(cost):
            some += 1
            check(cost, 10)
            check(-cost, 10, maximize=True)
        else:
            with pytest.raises(ValueError, match="cost matrix is infeasible"):
                rf.k_best_assignments(cost, 10)
    assert some > 5


@settings(max_examples=200, deadline=None)
@given(
    arrays(
        np.float64,
        st.tuples(st.integers(1, 4), st.integers(1, 5)),
        elements=st.one_of(
            st.sampled_from([0.0, 0.1, 0.2, 0.3, 1.0, 1e6, 1e16, -1e16]),
            st.floats(allow_nan=False, allow_infinity=False),
        ),
    ).filter(lambda cost: np.abs(cost).max() < 1e306),
    st.integers(1, 130),
    st.booleans(),
)
def test_any_floats(cost, k, maximize):
    check(cost, k, maximize)


@pytest.mark.parametrize("shape", [(20, 20), (30, 60), (60, 30), (70, 70), (70, 100)], ids=str)
def test_a_prefix_of_more_and_led_by_the_optimum(shape):
    rng = np.random.default_rng(1)
    for cost in (
        rng.random(shape),
        rng.integers(0, 1000, shape),
        rng.standard_normal(shape).astype(np.float32),
    ):
        many = rf.k_best_assignments(cost, 60)
        few = rf.k_best_assignments(cost, 11)
        assert many.certified
        assert few.objectives.tolist() == many.objectives[:11].tolist()
        assert len({row.tobytes() for row in many.columns}) == 60
        assert (np.diff(many.objectives) >= 0).all()
        best = rf.solve_assignment(cost)
        assert math.isclose(many.objectives[0], best.objective, rel_tol=1e-12)


def second_best(cost, first):
    """The least total of an assignment but `first`: one of its pairs is forbidden in turn."""
    totals = []
    for i, j in enumerate(first):
        without = cost.copy()
        without[i, j] = np.inf
        totals.append(rf.solve_assignment(without).objective)
    return min(totals)


@pytest.mark.parametrize("n", [10, 40, 90])
def test_the_second_is_the_best_without_one_of_the_first_pairs(n):
    cost = np.random.default_rng(n).random((n, n))
    found = rf.k_best_assignments(cost, 2)
    assert math.isclose(found.objectives[1], second_best(cost, found.columns[0]), rel_tol=1e-12)


def test_missed_detections():
    # Targets x detections with one column a target that stands for "not seen": the trackers' matrix.
    rng = np.random.default_rng(3)
    near = np.where(rng.random((4, 3)) < 0.4, np.inf, rng.random((4, 3)))
    missed = np.where(np.eye(4, dtype=bool), 0.7, np.inf)
    check(np.hstack([near, missed]), 25)


def test_within():
    cost = np.array([[4, 1, 3], [2, 0, 5], [3, 2, 2]])
    totals = [5, 6, 6, 7, 9, 11]
    assert [float(total) for total, _, _ in all_assignments(cost)] == totals
    for within, count in [(0, 1), (0.5, 1), (1, 3), (4, 5), (100, 6), (None, 6)]:
        assert len(rf.k_best_assignments(cost, 9, within=within)) == count
    worst = rf.k_best_assignments(cost, 9, within=2, maximize=True)
    assert worst.objectives.tolist() == [11, 9]
    # Exact: 0.1 + 0.2 exceeds 0.3, and by less than the difference says rounded.
    three = np.array([[0.1, 0.3], [0.0, 0.2]])
    exact = Fraction(0.1) + Fraction(0.2) - Fraction(0.3)
    assert len(rf.k_best_assignments(three, 2, within=float(exact))) == 2
    assert len(rf.k_best_assignments(three, 2, within=math.nextafter(float(exact), 0))) == 1


def test_batches_and_threads():
    rng = np.random.default_rng(4)
    batch = rng.random((6, 5, 7))
    alone = [rf.k_best_assignments(cost, 8) for cost in batch]
    assert rf.k_best_assignments(batch, 8) == alone
    assert rf.k_best_assignments(batch, 8, threads=3) == alone
    assert rf.k_best_assignments(list(batch), 8, threads=2) == alone
    mixed = rf.k_best_assignments([np.full((2, 2), np.inf), np.full((2, 2), np.nan), np.eye(3)], 4)
    assert [each.status for each in mixed] == ["infeasible", "invalid", "optimal"]
    assert [len(each) for each in mixed] == [0, 0, 4]
    assert math.isnan(mixed[0].gap)
    assert not mixed[0].certified
    assert repr(mixed[0]) == "KBestAssignments(infeasible, 2 rows)"
    assert rf.k_best_assignments(np.zeros((0, 3, 3)), 2) == []


def test_a_sequence():
    found = rf.k_best_assignments([[4, 1, 3], [2, 0, 5], [3, 2, 2]], 3)
    assert [total for _, total in found] == [5.0, 6.0, 6.0]
    assert found[0].columns.tolist() == [1, 0, 2]
    assert found[-1].objective == 6.0
    with pytest.raises(IndexError):
        found[3]
    assert found != rf.k_best_assignments([[4, 1, 3], [2, 0, 5], [3, 2, 2]], 2)
    assert found != "something else"
    assert repr(found) == "KBestAssignments(3 of 3 rows, totals 5 to 6, gap 0)"


def test_empty_matrices():
    for shape in [(0, 0), (0, 3), (3, 0)]:
        found = rf.k_best_assignments(np.zeros(shape), 5)
        assert found.objectives.tolist() == [0.0]
        assert found.columns.tolist() == [[-1] * shape[0]]


@pytest.mark.parametrize("dtype", ["<f4", ">f8", ">i8", "<u2"])
def test_strides_and_byte_orders(dtype):
    cost = np.random.default_rng(5).integers(0, 50, (4, 10)).astype(dtype)
    plain = rf.k_best_assignments(np.ascontiguousarray(cost[:, ::-2]).astype(np.float64), 20)
    assert rf.k_best_assignments(cost[:, ::-2], 20) == plain
    assert rf.k_best_assignments(np.asfortranarray(cost)[:, ::-2], 20) == plain


def test_bfloat16():
    torch = pytest.importorskip("torch")
    cost = torch.rand((5, 5), generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    assert rf.k_best_assignments(cost, 20) == rf.k_best_assignments(cost.double(), 20)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"k": 0}, ValueError, "k is a whole number, 1 or more; got 0"),
        ({"k": 2.0}, TypeError, "k is a whole number"),
        ({"k": True}, TypeError, "k is a whole number"),
        ({"k": 1, "within": -1}, ValueError, "within is the largest difference"),
        ({"k": 1, "within": math.nan}, ValueError, "within is the largest difference"),
        ({"k": 1, "threads": 0}, ValueError, "threads is a (whole number|number of threads), 1 or more"),
        ({"k": 1, "cost": np.zeros(3)}, ValueError, "expected a matrix"),
        ({"k": 1, "cost": np.full((2, 2), np.nan)}, ValueError, "invalid numeric entries"),
        ({"k": 1, "cost": np.full((2, 2), -np.inf)}, ValueError, "invalid numeric entries"),
        ({"k": 1, "cost": np.zeros((2, 2), complex)}, TypeError, "complex"),
    ],
)
def test_mistakes(arguments, error, message):
    with pytest.raises(error, match=message):
        rf.k_best_assignments(**{"cost": np.eye(2), **arguments})


def test_many_near_ties_has_a_gap():
    # 10! assignments whose totals all differ by less than the grid's rounding.
    rng = np.random.default_rng(6)
    cost = np.diag(2.0**40 * (1 + rng.random(10))) + 2.0**-40 * rng.random((10, 10))
    found = rf.k_best_assignments(cost, 3)
    assert 0.0 < found.gap < 1e-2
    assert not found.certified


def test_a_search_for_most_children_is_saved():
    # The bounds and the order leave far fewer searches than the n children of each of the k nodes.
    cost = np.random.default_rng(7).random((40, 40))
    found = core.k_best_assignments([cost], False, False, 100, math.inf, 1)[0]
    assert found.nodes <= 101
    assert found.searches < 100 * 40 / 2


LEVEL = """
import json, sys
import numpy as np
import rebasin_fast as rf
import rebasin_fast._core as core
assert core.simd_level() == sys.argv[1]
rng = np.random.default_rng(0)
found = []
for shape in [(3, 9), (20, 20), (70, 75), (80, 65)]:
    gated = np.where(rng.random(shape) < .5, np.inf, rng.random(shape))
    for cost in (rng.random(shape), rng.integers(0, 9, shape), gated):
        best = rf.k_best_assignments(cost, 30)
        found.append([best.columns.tolist(), best.objectives.tolist()])
        worst = rf.bottleneck_assignment(cost)
        found.append([worst.columns.tolist(), worst.bottleneck])
print(json.dumps(found))
"""


@pytest.mark.slow
def test_every_simd_level_agrees():
    results = []
    for level in core.simd_levels():
        environment = {**os.environ, "REBASIN_FAST_SIMD": level}
        done = subprocess.run(
            [sys.executable, "-c", LEVEL, level], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        results.append(json.loads(done.stdout))
    assert all(result == results[0] for result in results)


def test_ctrl_c():
    assert_interrupted(
        "cost = np.random.default_rng(0).random((60, 60))",
        "rf.k_best_assignments([cost] * 2, 10**6, threads=2)",
    )
