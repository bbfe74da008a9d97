"""The matrix product that the core borrows: SciPy's BLAS, by address."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

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


@cache
def gemm_address(name: str) -> int:
    """Address of ``sgemm`` or ``dgemm`` in SciPy's BLAS; RuntimeError where its signature is another."""
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
    if found != _EXPECTED_SIGNATURE[name]:
        raise RuntimeError(
            f"scipy.linalg.cython_blas.{name} has the signature {found!r}; expected {_EXPECTED_SIGNATURE[name]!r} "
            "(32-bit integers). Install a SciPy wheel from PyPI."
        )
    return int(get_pointer(capsule, signature))


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
