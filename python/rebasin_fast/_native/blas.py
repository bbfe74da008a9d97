"""The matrix product of the core: SciPy's BLAS by address, or NumPy's."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._native.work_memory import check_room_for_library, prepare_products
from rebasin_fast.errors import MissingDependencyError

# Fortran BLAS with 32-bit integers; an ILP64 build of SciPy declares its integers otherwise.
_EXPECTED_SIGNATURE = {
    name: f"void (char *, char *, int *, int *, int *, {number} *, {number} *, int *, {number} *, int *, "
    f"{number} *, {number} *, int *)"
    for name, number in (("sgemm", "float"), ("dgemm", "double"))
}
_CYTHON_NUMBERS = {
    "__pyx_t_5scipy_6linalg_11cython_blas_s": "float",
    "__pyx_t_5scipy_6linalg_11cython_blas_d": "double",
}


def gemm_address(name: str, at_once: int = 1) -> int:
    """Address of ``sgemm`` or ``dgemm``: SciPy's, or ``numpy.matmul`` where SciPy's integers are not 32-bit.

    Raises
    ------
    MemoryError
        BLAS has no memory for ``at_once`` products at a time.
    """
    address = _address(name)
    prepare_products("blas", at_once, partial(_form, _address("sgemm")))
    return address


@cache
def _address(name: str) -> int:
    address = _scipy_address(name)
    if address is not None:
        return address
    return ctypes.cast(_numpy_gemm(name), ctypes.c_void_p).value or 0


def _form(sgemm: int, side: int) -> None:
    """A product of (side, side) matrices; ctypes gives up the GIL for it."""
    left, right, out = (np.ones((side, side), np.float32) for _ in range(3))
    size = ctypes.byref(ctypes.c_int(side))
    pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in (left, right, out)]
    one, zero, plain = (
        ctypes.byref(value) for value in (ctypes.c_float(1), ctypes.c_float(0), ctypes.c_char(b"N"))
    )
    gemm = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 13)(sgemm)
    gemm(plain, plain, size, size, size, one, pointers[0], size, pointers[1], size, zero, pointers[2], size)


def _scipy_address(name: str) -> int | None:
    if "scipy.linalg.cython_blas" not in sys.modules:
        check_room_for_library()
    from scipy.linalg import cython_blas

    capsule = cython_blas.__pyx_capi__[name]
    get_name = ctypes.pythonapi.PyCapsule_GetName
    get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    signature = get_name(capsule)
    found = signature.decode()
    for alias, number in _CYTHON_NUMBERS.items():
        found = found.replace(alias, number)
    return int(get_pointer(capsule, signature)) if found == _EXPECTED_SIGNATURE[name] else None


@cache
def _numpy_gemm(name: str) -> Any:
    """A C function with the signature of Fortran's gemm, alpha = 1; kept for the life of the process."""
    flag, integer = ctypes.POINTER(ctypes.c_char), ctypes.POINTER(ctypes.c_int)
    number = ctypes.POINTER(ctypes.c_float if name == "sgemm" else ctypes.c_double)

    def operand(transposed: bytes, rows: int, columns: int, data: Any, leading: int) -> NDArray[Any]:
        """The operand as BLAS means it, (rows, columns), from its column-major memory."""
        memory: NDArray[Any] = np.ctypeslib.as_array(data, (columns if transposed == b"N" else rows, leading))
        return memory[:, :rows].T if transposed == b"N" else memory[:, :columns]

    def gemm(
        transa: Any, transb: Any, m: Any, n: Any, k: Any, _alpha: Any, a: Any, lda: Any, b: Any, ldb: Any,
        beta: Any, c: Any, ldc: Any,
    ) -> None:  # fmt: skip
        left = operand(transa[0], m[0], k[0], a, lda[0])
        right = operand(transb[0], k[0], n[0], b, ldb[0])
        out = operand(b"N", m[0], n[0], c, ldc[0]).T
        if beta[0] == 0.0:
            np.matmul(right.T, left.T, out=out)
        else:
            out += np.matmul(right.T, left.T)

    matrix = (number, integer)  # and its leading dimension
    signature = ctypes.CFUNCTYPE(
        None, flag, flag, integer, integer, integer, number, *matrix, *matrix, number, *matrix
    )
    return signature(gemm)


@contextmanager
def blas_threads(threads: int | None) -> Iterator[None]:
    """Within the block, BLAS uses at most ``threads`` threads; None leaves it as it is."""
    if threads is None:
        yield
        return
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        raise MissingDependencyError(
            "threads= needs threadpoolctl: pip install threadpoolctl (or set OPENBLAS_NUM_THREADS before Python starts)"
        ) from None
    with threadpool_limits(limits=threads, user_api="blas"):
        yield
