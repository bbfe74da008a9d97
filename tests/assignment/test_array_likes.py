"""Values that arrive as objects, in lists and from data frames: the outcome is SciPy's."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import scipy.optimize

import rebasin_fast as rf


class Frame:
    """Gives its values as pandas' data frames of several dtypes do: as objects, or in the dtype asked for."""

    def __init__(self, values):
        self.values = np.array(values, dtype=object)

    def __array__(self, dtype=None, copy=None):
        return self.values if dtype is None else self.values.astype(dtype)


MISSING = type("Missing", (), {"__float__": lambda self: float("missing")})()

OBJECTS = {
    "integers and booleans": Frame([[1, True], [2, False]]),
    "integers and floats": Frame([[1, 2.5], [2, 0.5]]),
    "decimals": Frame([[Decimal(1), Decimal("2.5")], [Decimal(2), Decimal(4)]]),
    "fractions": Frame([[Fraction(1, 3), Fraction(2)], [Fraction(1, 7), Fraction(1)]]),
    "large integers": Frame([[2**70, 2], [2, 2**65]]),
    "integers beyond float64": Frame([[10**400, 2], [2, 1]]),
    "numbers as text": Frame([["1", "2"], ["3", "1"]]),
    "text": Frame([["a", 2], [3, 1]]),
    "none": Frame([[None, 2], [3, 1]]),
    "missing": Frame([[MISSING, 2], [3, 1]]),
    "a vector": Frame([1, 2, 3]),
    "list of decimals": [[Decimal(1), Decimal(2)], [Decimal("2.5"), Decimal(2)]],
    "list of fractions": [[Fraction(1, 3), 2], [2, Fraction(5, 2)]],
    "list of large integers": [[2**60, 2**61], [2**62 + 1, 3]],
    "list of booleans": [[True, False], [False, False]],
    "list with none": [[None, 1], [2, 3]],
    "list of NumPy rows": [np.array([1, 2]), np.array([3, 1])],
    "ranges": [range(2), range(3, 1, -1)],
    "memory": memoryview(np.array([[2.0, 1.0], [5.0, 6.0]])),
    "object array": np.array([[1, 2], [3, 1]], dtype=object),
}


def outcome(function, cost):
    try:
        rows, columns = function(cost)
    except Exception as error:
        return type(error), str(error)
    return rows.tolist(), columns.tolist()


@pytest.mark.parametrize("name", OBJECTS)
def test_objects(name):
    cost = OBJECTS[name]
    expected = outcome(scipy.optimize.linear_sum_assignment, cost)
    assert outcome(rf.linear_sum_assignment, cost) == expected
    if isinstance(expected[0], list):
        assert rf.solve_assignment(cost).columns.tolist() == expected[1]


FRAMES = {
    "integers and booleans": lambda pd: pd.DataFrame({"x": [1, 2], "y": [True, False]}),
    "integers": lambda pd: pd.DataFrame({"x": [1, 2], "y": [3, 1]}),
    "nullable": lambda pd: pd.DataFrame({"x": [1, 2], "y": [3, 1]}, dtype="Int64"),
    "nullable beside floats": lambda pd: pd.DataFrame({"x": pd.array([1, 2], dtype="Int64"), "y": [1.5, 2]}),
    "missing": lambda pd: pd.DataFrame({"x": pd.array([1, None], dtype="Int64"), "y": [3, 1]}),
    "nullable booleans": lambda pd: pd.DataFrame({"x": [True, False], "y": [True, True]}, dtype="boolean"),
    "categories": lambda pd: pd.DataFrame({"x": pd.Categorical([1, 2]), "y": pd.Categorical([3, 1])}),
    "text": lambda pd: pd.DataFrame({"x": ["a", "b"], "y": [1, 2]}),
    "dates": lambda pd: pd.DataFrame({"x": pd.to_datetime(["2020-01-01"]), "y": [1]}),
    "decimals": lambda pd: pd.DataFrame({"x": [Decimal(1), Decimal(2)], "y": [Decimal("1.5"), Decimal(1)]}),
}


@pytest.mark.parametrize("name", FRAMES)
def test_data_frames(name):
    cost = FRAMES[name](pytest.importorskip("pandas"))
    expected = outcome(scipy.optimize.linear_sum_assignment, cost)
    assert outcome(rf.linear_sum_assignment, cost) == expected


def test_a_list_of_frames_is_a_list_of_problems():
    frame = OBJECTS["integers and booleans"]
    frame.ndim = 2
    assert [one.columns.tolist() for one in rf.solve_assignment([frame, frame])] == [[0, 1], [0, 1]]
