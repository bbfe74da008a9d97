"""rebasin_fast.compat.lap: recorded behaviours of lap 0.5 and lapx 0.11, and lap itself where it is installed."""

import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rebasin_fast as rf
from rebasin_fast.compat import lap

SQUARE = np.array([[4.0, 1.0, 3.0], [2.0, 0.0, 5.0], [3.0, 2.0, 2.0]])
WIDE = np.array([[4.0, 1.0, 3.5], [2.0, 0.0, 5.0]])
NAMES = [name for name in lap.__all__ if name.startswith("lap")]
DENSE = [name for name in NAMES if not name.endswith("_batch") and name != "lapmod"]
LIMITED = ["lapjv", "lapjvx", "lapjvxa", "lapjvr", "lapjvh"]
PAIRS = ["lapjvxa", "lapjvsa"]


def parts(answer):
    """(total, arrays, their dtypes) of an answer with its total."""
    total, *arrays = answer
    return total, [array.tolist() for array in arrays], [array.dtype.name for array in arrays]


RECORDED = {
    "lapjv": (5.0, [[1, 0, 2], [1, 0, 2]], ["int32", "int32"]),
    "lapjvx": (5.0, [[0, 1, 2], [1, 0, 2]], ["int64", "int32"]),
    "lapjvxa": (5.0, [[[0, 1], [1, 0], [2, 2]]], ["int32"]),
    "lapjvc": (5.0, [[0, 1, 2], [1, 0, 2]], ["int32", "int32"]),
    "lapjvs": (5.0, [[0, 1, 2], [1, 0, 2]], ["int64", "int64"]),
    "lapjvsa": (5.0, [[[0, 1], [1, 0], [2, 2]]], ["int64"]),
    "lapjvr": (5.0, [[0, 1, 2], [1, 0, 2]], ["int64", "int64"]),
    "lapjvh": (5.0, [[0, 1, 2], [1, 0, 2]], ["int64", "int64"]),
}


@pytest.mark.parametrize("name", DENSE)
def test_forms_of_a_square_matrix(name):
    function = getattr(lap, name)
    assert parts(function(SQUARE)) == RECORDED[name]
    for dtype in ("float32", "float16", "int64", "uint8", ">f8"):
        assert parts(function(SQUARE.astype(dtype))) == RECORDED[name]
    without = function(SQUARE, return_cost=False)
    arrays = [without] if name in PAIRS else list(without)
    assert [array.tolist() for array in arrays] == RECORDED[name][1]
    assert isinstance(without, np.ndarray if name in PAIRS else tuple)


def test_forms_of_a_wide_matrix():
    assert parts(lap.lapjv(WIDE, extend_cost=True))[:2] == (3.0, [[1, 0], [1, 0, -1]])
    assert parts(lap.lapjv(WIDE.T, extend_cost=True))[:2] == (3.0, [[1, 0, -1], [1, 0]])
    assert parts(lap.lapjvs(WIDE, jvx_like=False)) == (3.0, [[1, 0], [1, 0, -1]], ["int64", "int64"])
    for name in ("lapjvc", "lapjvs", "lapjvsa"):
        assert getattr(lap, name)(WIDE)[0] == 3.0
    assert lap.lapjvr(WIDE, extend_cost=True, output="pairs")[1].tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("name", LIMITED)
def test_a_limit_lets_lines_stay_unmatched(name):
    function = getattr(lap, name)
    for cost in (SQUARE, WIDE):
        total, *arrays = function(cost, cost_limit=1.5)
        assert total == 0.0
        expected = {
            "lapjv": [[-1, 1, -1][: len(cost)], [-1, 1, -1]],
            "lapjvxa": [[[1, 1]]],
        }.get(name, [[1], [1]])
        assert [array.tolist() for array in arrays] == expected
    assert function(SQUARE - 5.0, cost_limit=-3.5)[0] == -5.0
    assert function(np.full((2, 3), np.inf), cost_limit=3.0)[0] == 0.0
    for limit in (np.nan, -np.inf):
        with pytest.raises(ValueError, match="cost_limit must be finite or positive infinity"):
            function(SQUARE, cost_limit=limit)


@pytest.mark.parametrize("name", DENSE)
def test_errors(name):
    function = getattr(lap, name)
    for shape in ((3,), (1, 2, 2)):
        with pytest.raises(ValueError, match="2-dimensional array expected"):
            function(np.zeros(shape))
    if name in ("lapjv", "lapjvx", "lapjvxa"):
        with pytest.raises(TypeError, match=r"cost is a numpy.ndarray, got list"):
            function(SQUARE.tolist())
    else:
        assert function(SQUARE.tolist())[0] == 5.0
    if name not in ("lapjvc", "lapjvs", "lapjvsa"):
        with pytest.raises(ValueError, match="square cost array expected"):
            function(WIDE)
    elif name != "lapjvc":
        with pytest.raises(ValueError, match="square cost array expected"):
            function(WIDE, extend_cost=False)


@pytest.mark.parametrize("name", DENSE)
@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_empty_matrices(name, shape):
    total, *arrays = getattr(lap, name)(np.zeros(shape))
    assert total == 0.0
    if name == "lapjv":
        assert [array.tolist() for array in arrays] == [[-1] * shape[0], [-1] * shape[1]]
    else:
        assert all(len(array) == 0 for array in arrays)


def test_forbidden_pairs_that_leave_no_complete_assignment():
    cost = np.array([[np.inf, np.inf, np.inf], [1.0, 2.0, 9.0], [np.inf, 4.0, 9.0]])
    total, x, y = lap.lapjv(cost)
    assert total == np.inf
    assert (x.tolist(), y.tolist()) == ([2, 0, 1], [1, 2, 0])
    total, rows, columns = lap.lapjvc(cost)
    assert (total, rows.tolist(), columns.tolist()) == (5.0, [1, 2], [0, 1])
    cost[0] = np.nan
    assert lap.lapjvc(cost)[0] == 5.0
    for name in ("lapjv", "lapjvs", "lapjvr"):
        with pytest.raises(ValueError, match="invalid numeric entries"):
            getattr(lap, name)(cost)
    for name in ("lapjvs", "lapjvsa", "lapjvr", "lapjvh"):
        with pytest.raises(ValueError, match="cost matrix is infeasible: row 0 may take no column"):
            getattr(lap, name)(np.where(np.isnan(cost), np.inf, cost))


@pytest.mark.parametrize(
    "name", [name for name in NAMES if name.endswith("_batch") and name != "lapmod_batch"]
)
def test_batches_are_loops(name):
    one, many = getattr(lap, name.removesuffix("_batch")), getattr(lap, name)
    costs = np.random.default_rng(0).random((5, 6, 9))
    totals, *lists = many(costs, extend_cost=True, n_threads=2)
    expected = [one(cost, extend_cost=True) for cost in costs]
    assert totals.tolist() == [answer[0] for answer in expected]
    for k, found in enumerate(lists):
        assert isinstance(found, list)
        for array, answer in zip(found, expected, strict=True):
            np.testing.assert_array_equal(array, answer[1 + k])
    without = many(costs, extend_cost=True, return_cost=False)
    assert len(without) == (5 if len(lists) == 1 else 2)
    assert [len(part) for part in many(costs[:0], extend_cost=True)] == [0] * (1 + len(lists))
    with pytest.raises(ValueError, match="3-dimensional array expected"):
        many(costs[0])
    with pytest.raises(ValueError, match="square cost array expected"):
        many(costs)
    forbidden = np.full((1, 2, 2), np.inf)
    if name.startswith("lapjvx"):
        assert many(forbidden)[0].tolist() == [np.inf]
    else:
        with pytest.raises(ValueError, match="infeasible"):
            many(forbidden)


@pytest.mark.parametrize("options", [{"precision": "half"}, {"output": "maps"}])
def test_options_are_checked(options):
    for name in ("lapjvr", "lapjvh"):
        with pytest.raises(ValueError, match=f"{next(iter(options))} must be"):
            getattr(lap, name)(SQUARE, **options)
        with pytest.raises(ValueError, match=f"{next(iter(options))} must be"):
            getattr(lap, name + "_batch")(SQUARE[None], **options)


def compressed(cost):
    """(n, cc, ii, kk) of the finite entries."""
    rows, columns = np.nonzero(np.isfinite(cost))
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(cost)))])
    return len(cost), cost[rows, columns], starts, columns


def test_lapmod():
    total, x, y = lap.lapmod(*compressed(SQUARE))
    assert (total, x.tolist(), y.tolist()) == (5.0, [1, 0, 2], [1, 0, 2])
    assert x.dtype == y.dtype == np.int32
    assert lap.lapmod(*compressed(SQUARE), return_cost=False)[0].tolist() == [1, 0, 2]
    assert lap.lapmod(2, [1.0, 2.0], [0, 1, 2], [0, 0])[0] == np.inf
    totals, xs, _ = lap.lapmod_batch([compressed(SQUARE), compressed(SQUARE[:2, :2])])
    assert totals.tolist() == [5.0, 3.0]
    assert xs[1].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n": 0, "cc": [], "ii": [0], "kk": []}, "positive number of rows"),
        ({"ii": [0, 2, 4]}, "ii must contain"),
        ({"ii": [0, 3, 2, 4]}, "ii must start at 0"),
        ({"kk": [0, 1, 2]}, "same length"),
        ({"kk": [0, 1, 2, 3]}, "column indices kk must be in"),
        ({"kk": [1, 0, 1, 2]}, "increase strictly"),
        ({"kk": [1, 1, 1, 2]}, "increase strictly"),
        ({"cc": [1, np.inf, 1, 1]}, "must be finite"),
        ({"cc": [1j, 1, 1, 1]}, "real numbers"),
        ({"kk": [0.0, 1.0, 1.0, 2.0]}, "must be integers"),
        ({"cc": [[1, 1, 1, 1]]}, "one-dimensional"),
        ({"fp_version": 9}, "fp_version"),
    ],
)
def test_lapmod_checks_its_arrays(changes, message):
    arguments = {"n": 3, "cc": [1, 1, 1, 1], "ii": [0, 2, 3, 4], "kk": [0, 1, 1, 2]} | changes
    with pytest.raises(ValueError, match=message):
        lap.lapmod(
            **{
                name: np.asarray(v) if name in ("cc", "ii", "kk") and v else v
                for name, v in arguments.items()
            }
        )


def draw(rng, n, m, kind):
    if kind == "tracking":
        distance = ((rng.random((n, 1, 2)) - rng.random((1, m, 2))) ** 2).sum(-1)
        return np.where(distance < 0.05, distance, 1e5)
    if kind == "integers":
        return rng.integers(0, 9, (n, m)).astype(np.float64)
    return rng.random((n, m))


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 30), st.integers(1, 30), st.integers(0, 2**32 - 1), st.booleans(),
    st.sampled_from(["uniform", "integers", "tracking"]), st.sampled_from([np.inf, 0.01, 0.3, 3.0]),
)  # fmt: skip
def test_totals_are_laps_own(n, m, seed, extend, kind, limit):
    theirs = pytest.importorskip("lap")
    cost = draw(np.random.default_rng(seed), n, m, kind)
    for name in LIMITED:
        options = {"extend_cost": extend, "cost_limit": limit}
        try:
            expected = getattr(theirs, name)(cost, **options)
        except ValueError:
            with pytest.raises(ValueError, match="square"):
                getattr(lap, name)(cost, **options)
            continue
        found = getattr(lap, name)(cost, **options)
        if name == "lapjv":
            assert [(part.shape, part.dtype) for part in found[1:]] == [
                (part.shape, part.dtype) for part in expected[1:]
            ]
        price = limit if limit < np.inf else 0.0
        saved = (price * matched(name, found), price * matched(name, expected))
        assert found[0] - saved[0] == pytest.approx(expected[0] - saved[1], abs=1e-9)


def matched(name, answer):
    return int((answer[1] >= 0).sum()) if name == "lapjv" else len(answer[1])


def test_unique_answers_are_laps_own():
    theirs = pytest.importorskip("lap")
    for seed in range(20):
        cost = np.random.default_rng(seed).random((25, 25))
        for name in NAMES:
            if name == "lapmod":
                answers = theirs.lapmod(*compressed(cost)), lap.lapmod(*compressed(cost))
            elif name.endswith("_batch"):
                continue
            else:
                answers = getattr(theirs, name)(cost), getattr(lap, name)(cost)
            for one, other in zip(*(answer[1:] for answer in answers), strict=True):
                np.testing.assert_array_equal(one, other)


def test_every_name_and_parameter_of_lap_is_here():
    theirs = pytest.importorskip("lap")
    for name in NAMES:
        expected = list(inspect.signature(getattr(theirs, name)).parameters)
        assert list(inspect.signature(getattr(lap, name)).parameters) == expected, name
    assert (lap.LARGE, lap.FP_1, lap.FP_2, lap.FP_DYNAMIC) == (
        theirs.LARGE, theirs.FP_1, theirs.FP_2, theirs.FP_DYNAMIC,
    )  # fmt: skip


def test_a_limit_is_the_price_of_solve_assignment():
    cost = draw(np.random.default_rng(1), 20, 25, "tracking")
    total, x, y = lap.lapjv(cost, cost_limit=0.04)
    one = rf.solve_assignment(cost, cost_limit=0.04)
    assert (total, x.tolist(), y.tolist()) == (one.objective, one.columns.tolist(), one.rows.tolist())
