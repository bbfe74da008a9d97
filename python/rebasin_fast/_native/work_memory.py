"""The work memory of BLAS, taken before products need it: OpenBLAS asks again without end where there is none."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

# OpenBLAS keeps one block for each product that runs at a time, of 32 MiB on x86; the rest is for its threads.
_BYTES_A_PRODUCT = 48 << 20
_BYTES_OF_LIBRARY = 160 << 20
_SIDE = 1024  # long enough for the products of several threads to run at a time

_lock = threading.Lock()
_prepared: dict[str, int] = {}


def prepare_products(name: str, at_once: int, product: Callable[[int], None]) -> None:
    """Let BLAS take its memory for ``at_once`` products at a time, in a process whose address space is limited.

    Elsewhere the system gives addresses without end, and nothing is done. Once for each number of products.

    Parameters
    ----------
    name : str
        Of the library, for which ``product(n)`` forms a product of (n, n) matrices without the GIL.

    Raises
    ------
    MemoryError
        There is less memory than it would take, or too little for the threads.
    """
    if not _is_limited():
        return
    with _lock:
        missing = at_once - _prepared.get(name, 0)
        if missing <= 0:
            return
        if at_once == 1:
            _check_available(_BYTES_A_PRODUCT, "for its products")
            product(_SIDE)
        else:
            _form_together(missing, at_once, product)
        _prepared[name] = at_once


def check_room_for_library() -> None:
    """MemoryError where SciPy's BLAS cannot be loaded: it takes its first block then, and never gives up either."""
    if _is_limited():
        _check_available(_BYTES_OF_LIBRARY, "to be loaded")


def short_of_threads(at_once: int) -> MemoryError:
    """The error where the system starts no more threads."""
    return MemoryError(
        f"{at_once} threads cannot be started with the memory that is left; give fewer threads"
    )


def _is_limited() -> bool:
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return False
    limits = (resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA))
    return any(limit != resource.RLIM_INFINITY for limit in limits)


def _form_together(missing: int, at_once: int, product: Callable[[int], None]) -> None:
    """One product on each of so many threads, once there is memory for all of them beside the threads' own."""
    ready, begin = threading.Barrier(at_once + 1), threading.Barrier(at_once + 1)

    def form() -> None:
        try:
            np.empty(_SIDE)  # the thread's own heap
            ready.wait()
            begin.wait()
        except (MemoryError, threading.BrokenBarrierError):
            ready.abort()
            return
        product(_SIDE)

    threads: list[threading.Thread] = []
    try:
        for _ in range(at_once):
            thread = threading.Thread(target=form, daemon=True)
            thread.start()
            threads.append(thread)
        ready.wait()
        _check_available(missing * _BYTES_A_PRODUCT, f"for {at_once} products at a time")
        begin.wait()
    except BaseException as error:
        ready.abort()
        begin.abort()
        if isinstance(error, RuntimeError):  # a thread did not start, or had no memory
            raise short_of_threads(at_once) from None
        raise
    finally:
        for thread in threads:
            thread.join()


def _check_available(needed: int, purpose: str) -> None:
    try:
        np.empty(needed, np.uint8)
    except MemoryError:
        raise MemoryError(
            f"BLAS needs {needed:,} bytes {purpose}, and they are not to be had within the limit of this process's "
            "address space: raise it (ulimit -v), or give fewer threads"
        ) from None
