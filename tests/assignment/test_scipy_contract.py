"""SciPy's own tests for linear_sum_assignment run on ours, and the contract beyond them."""

import importlib
import subprocess
import sys

import numpy as np
import pytest
import scipy.optimize

import rebasin_fast as rf

RUN_SCIPY_TESTS = """
import sys
import pytest
import scipy.optimize
import rebasin_fast as rf

calls = 0


def ours(*args, **kwargs):
    global calls
    calls += 1
    return rf.linear_sum_assignment(*args, **kwargs)


scipy.optimize.linear_sum_assignment = ours
import scipy.optimize.tests.test_linear_assignment as module
assert module.linear_sum_assignment is ours
code = pytest.main(["-q", "-p", "no:cacheprovider", "-c", "/dev/null", module.__file__])
assert calls > 50, calls
sys.exit(code)
"""


@pytest.mark.slow
def test_scipys_own_tests_pass():
    pytest.importorskip("scipy.optimize.tests.test_linear_assignment")
    done = subprocess.run(
        [sys.executable, "-c", RUN_SCIPY_TESTS], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr


ODD_INPUTS = {
    "string": "x",
    "complex list": [[1j]],
    "object array": np.zeros((2, 2), object),
    "complex array": np.zeros((2, 2), complex),
    "vector": [1, 2],
    "scalar": 3,
    "none": None,
    "three axes": np.zeros((2, 3, 4)),
    "booleans": np.array([[True, False], [False, False]]),
    "no rows": np.zeros((0, 3)),
    "no columns": np.zeros((3, 0)),
    "one empty row": [[]],
    "nan": [[np.nan]],
    "inf": [[np.inf]],
    "minus inf": [[-np.inf]],
    "dates": np.zeros((2, 2), dtype="M8[s]"),
    "durations": np.zeros((2, 2), dtype="m8[s]"),
    "numbers as text": [["1", "2"]],
    "text array": np.array([["1", "2"]]),
    "ragged": [[1, 2], [3]],
    "long double": np.zeros((2, 2), np.longdouble),
    "huge integer": [[10**400]],
    "masked": np.ma.masked_array([[1, 2], [3, 5]], [[0, 1], [0, 0]]),
    "tuple of arrays": (np.arange(3), np.array([5, 1, 2])),
    "row of infinities": [[np.inf, np.inf], [1, 2]],
    "column of infinities, wide": [[np.inf, 1, 2], [np.inf, 2, 3]],
}


def outcome(function, *args, **kwargs):
    try:
        rows, columns = function(*args, **kwargs)
    except Exception as error:
        return type(error), str(error)
    assert rows.dtype == columns.dtype == np.int64
    return rows.tolist(), columns.tolist()


@pytest.mark.parametrize("name", ODD_INPUTS)
def test_same_outcome_as_scipy(name):
    cost = ODD_INPUTS[name]
    assert outcome(rf.linear_sum_assignment, cost) == outcome(scipy.optimize.linear_sum_assignment, cost)


@pytest.mark.parametrize("maximize", [True, False, np.True_, 1, 0, None, "", "a", [], [0], np.array([True])])
def test_maximize_is_taken_for_its_truth(maximize):
    cost = [[1.0, 2.0], [3.0, 5.0]]
    expected = outcome(scipy.optimize.linear_sum_assignment, cost, maximize)
    assert outcome(rf.linear_sum_assignment, cost, maximize) == expected
    assert outcome(rf.linear_sum_assignment, cost, maximize=maximize) == expected


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (3, 7), (7, 3), (100, 100), (300, 300)])
@pytest.mark.parametrize("value", [0.0, -2.5, 1e-300, 1e300])
def test_constant_matrix_gives_the_identity(shape, value):
    rows, columns = rf.linear_sum_assignment(np.full(shape, value))
    assert rows.tolist() == columns.tolist() == list(range(min(shape)))


def test_minus_infinity_is_forbidden_when_maximising():
    _, columns = rf.linear_sum_assignment([[-np.inf, 1.0], [5.0, 9.0]], maximize=True)
    assert columns.tolist() == [1, 0]
    with pytest.raises(ValueError, match="invalid numeric entries"):
        rf.linear_sum_assignment([[np.inf, 1.0], [5.0, 9.0]], maximize=True)


def test_input_is_not_changed_and_may_be_read_only():
    cost = np.random.default_rng(0).random((20, 30))
    kept = cost.copy()
    cost.flags.writeable = False
    rf.linear_sum_assignment(cost)
    np.testing.assert_array_equal(cost, kept)


def test_import_needs_no_scipy_optimize():
    module = importlib.import_module("rebasin_fast.assignment")
    assert "scipy" not in vars(module)
