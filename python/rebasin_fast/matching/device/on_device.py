"""Which device a matching runs on, and the libraries that compute there."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rebasin_fast._arrays import DeviceLibrary, device_library
from rebasin_fast._arrays.cupy import CupyArrays
from rebasin_fast._arrays.operations import PRODUCTS, NumpyOperations, Operations, TorchOperations
from rebasin_fast._arrays.torch import TorchArrays
from rebasin_fast._native.cuda import is_available
from rebasin_fast._untrusted import brief
from rebasin_fast.errors import DeviceError, MissingDependencyError
from rebasin_fast.matching.device.assigners import Assigner, DeviceAssigner, HostAssigner
from rebasin_fast.matching.device.problem import ResidentProblem, make_resident

if TYPE_CHECKING:
    from rebasin_fast.matching.pair import CheckedPair
    from rebasin_fast.typing import Params

_CUDA_DEVICE = re.compile(r"cuda(:\d+)?")
_MOST_THREADS = 8


def check_device(device: str | None) -> None:
    """ValueError unless ``device`` is None, the CPU or a CUDA device."""
    if device is None or (isinstance(device, str) and (device == "cpu" or _CUDA_DEVICE.fullmatch(device))):
        return
    raise ValueError(f"device is None, 'cpu', 'cuda' or 'cuda:0', 'cuda:1', …; got {brief(device)}")


def check_products(products: str) -> None:
    """ValueError unless ``products`` names a precision of products."""
    if not isinstance(products, str) or products not in PRODUCTS:
        raise ValueError(f"products is one of {PRODUCTS}; got {brief(products)}")


def device_for(device: str | None, params: Params) -> str | None:
    """The CUDA device of a matching, where it is asked for or any parameter lies on one; None for the CPU."""
    if device is None:
        return "cuda" if any(device_library(array) is not None for array in params.values()) else None
    return None if device == "cpu" else device


def compile_on_device(
    pair: CheckedPair, *, device: str, products: str, threads: int | None
) -> ResidentProblem:
    """The problem with its parameters on ``device``; ``threads`` of the host solve the assignments that go there."""
    return make_resident(pair, *choose_operations(pair.models[0], device, products, threads))


def choose_operations(
    params: Params, device: str, products: str = "float32", threads: int | None = None
) -> tuple[Operations, Assigner]:
    """The library that computes on ``device`` ("cuda" or "cuda:1"), and the solver of its assignments.

    Those that go to the host are solved by ``threads`` threads; by default by as many as there are, up to 8.

    Raises
    ------
    DeviceError
        There is no such device.
    MissingDependencyError
        The parameters lie on the host, and torch, which would bring them to the device, is not installed.
    """
    threads = threads or min(_MOST_THREADS, os.cpu_count() or 1)
    on_device = [array for array in params.values() if device_library(array) is not None]
    if on_device and isinstance(device_library(on_device[0]), CupyArrays):
        cupy = NumpyOperations(products, sys.modules["cupy"])
        return cupy, _assigner(cupy, threads, CupyArrays())
    torch = _torch()
    if not torch.cuda.is_available():
        raise DeviceError(
            f"device={device!r} needs a CUDA device, and torch {torch.__version__} finds none: it may be a build for "
            "CPUs, the driver may be missing, or CUDA_VISIBLE_DEVICES hides the device; device='cpu' runs on the host"
        )
    if on_device and device == "cuda":
        device = str(on_device[0].device)
    ops = TorchOperations(device, products)
    return ops, _assigner(ops, threads, TorchArrays())


def _assigner(ops: Operations, threads: int, library: DeviceLibrary) -> Assigner:
    return DeviceAssigner(ops, threads, library) if is_available() else HostAssigner(ops, threads)


def _torch() -> Any:
    try:
        return importlib.import_module("torch")
    except ImportError:
        raise MissingDependencyError(
            "device='cuda' with parameters on the host needs torch to bring them to the device: "
            "pip install 'rebasin-fast[torch]'"
        ) from None


@contextmanager
def device_memory_explained() -> Iterator[None]:
    """MemoryError with the remedy, where torch or CuPy runs out of device memory."""
    try:
        yield
    except Exception as error:
        if type(error).__name__ != "OutOfMemoryError":
            raise
        raise MemoryError(
            f"the CUDA device is out of memory ({error}); lower memory_limit, match in float16 or bfloat16, free what "
            "other work holds (torch.cuda.empty_cache()), or use device='cpu'"
        ) from error
