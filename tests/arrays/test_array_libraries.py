"""Arrays are recognised by their type; each library's arrays come to the host, and results go back, alike."""

import contextlib
import sys
from types import SimpleNamespace

import ml_dtypes
import numpy as np
import pytest
import torch

import rebasin_fast as rf
from rebasin_fast import _arrays
from rebasin_fast._arrays.torch import TorchArrays

# Of other formats than NumPy's own; their numbers are exact in each.
NUMBERS = np.array([[1.0, -2.5, 0.0], [3.0, 0.5, -8.0]])


class Device(contextlib.nullcontext):
    id = 0


class StandIn:
    """A CuPy array in host memory, with the names and methods that this package uses."""

    device = Device()

    def __init__(self, values):
        self.values = values

    def get(self):
        return self.values.copy()

    def __getitem__(self, index):
        return StandIn(self.values[index])

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.values, name)


StandIn.__module__, StandIn.__name__ = "cupy", "ndarray"


@pytest.fixture
def cupy(monkeypatch):
    module = SimpleNamespace(asarray=StandIn)
    monkeypatch.setitem(sys.modules, "cupy", module)
    return module


def each_library(cupy):
    yield NUMBERS.astype(np.float32)
    yield NUMBERS.astype(ml_dtypes.bfloat16)
    yield NUMBERS.astype(ml_dtypes.float8_e5m2)
    yield cupy.asarray(NUMBERS)
    for dtype in (torch.float64, torch.float16, torch.bfloat16, torch.float8_e4m3fn):
        yield torch.tensor(NUMBERS).to(dtype)
    yield torch.nn.Parameter(torch.tensor(NUMBERS))
    yield torch.tensor(-NUMBERS * 1j).conj().imag


def test_numbers_come_to_the_host(cupy):
    for array in each_library(cupy):
        numbers = _arrays.numbers_on_host(array)
        assert isinstance(numbers, np.ndarray)
        np.testing.assert_array_equal(numbers.astype(np.float64), NUMBERS)
        np.testing.assert_array_equal(_arrays.wide_on_host(array), NUMBERS)
        library = _arrays.library_of(array)
        bits = library.to_host(array)
        assert (bits.dtype == np.uint16) == (library.dtype_name(array) == "bfloat16")
        assert library.dot(array, array) == np.sum(NUMBERS**2)


def test_values_go_back_to_the_library(cupy):
    for array in each_library(cupy):
        library = _arrays.library_of(array)
        placed = library.put(array, NUMBERS[:, ::-1])
        assert _arrays.library_of(placed) is library
        np.testing.assert_array_equal(_arrays.wide_on_host(placed), NUMBERS[:, ::-1])


def test_assignments_of_cupy_arrays_are_cupy_arrays(cupy):
    cost = cupy.asarray(np.array([[4.0, 1.0, 3.0], [2.0, 0.0, 5.0], [3.0, 2.0, 2.0]]))
    assert _arrays.device_library(cost) is _arrays.library_of(cost)
    best = rf.solve_assignment(cost)
    assert type(best.columns) is StandIn
    assert best.columns.tolist() == [1, 0, 2]
    assert [array.tolist() for array in rf.linear_sum_assignment(cost)] == [[0, 1, 2], [1, 0, 2]]


def test_recognition_goes_by_the_names_of_classes():
    class Own(torch.Tensor):
        pass

    assert isinstance(_arrays.library_of(Own()), TorchArrays)
    assert _arrays.device_library(torch.ones(2)) is None
    assert _arrays.foreign_library(np.ma.masked_array([1.0])) is None
    assert _arrays.foreign_library([[1.0]]) is None
    assert _arrays.library_of(np.float32(1.0)) is _arrays.library_of(np.ones(2))
    with pytest.raises(TypeError, match=r"expected an array .* got builtins\.list"):
        _arrays.library_of([1.0])


def test_ties_are_names_of_the_same_elements(cupy):
    array, tensor = np.arange(6.0), torch.arange(6.0)
    names = {
        "array": array, "same": array[:], "reshaped": array.reshape(2, 3), "tensor": tensor, "view": tensor[:],
        "part": tensor[1:], "bits": tensor.view(torch.int32), "empty": tensor[:0], "void": tensor[:0],
        "meta": torch.empty(3, device="meta"), "nothing": torch.empty(3, device="meta"),
    }  # fmt: skip
    assert _arrays.find_ties(names) == {"same": "array", "view": "tensor"}


def test_jax_arrays_are_widened_where_float64_exists():
    jnp = pytest.importorskip("jax.numpy")
    array = jnp.asarray(NUMBERS, jnp.bfloat16)
    library = _arrays.library_of(array)
    assert _arrays.wide_on_host(array).dtype == np.float64
    assert library.dot(array, array) == np.sum(NUMBERS**2)
    assert type(library.put(array, NUMBERS)) is type(array)
    assert rf.solve_assignment(array, maximize=True).columns.tolist() == [2, 0]
