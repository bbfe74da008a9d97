"""Weight matching with device-resident parameters: the device's part of :func:`rebasin_fast.weight_matching`."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rebasin_fast._arrays.buffers import CupyDevice, TorchDevice, device_library
from rebasin_fast._arrays.operations import PRODUCTS, NumpyOperations, Operations, TorchOperations
from rebasin_fast._native.cuda import is_available
from rebasin_fast.errors import DeviceError, MissingDependencyError
from rebasin_fast.matching.device.assigners import Assigner, DeviceAssigner, HostAssigner
from rebasin_fast.matching.device.descent import Descended, Listener, ResidentDescent
from rebasin_fast.matching.device.problem import make_resident

if TYPE_CHECKING:
    from rebasin_fast.matching.device.steps import Permutations
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Params

# Of device memory, for similarities between visits.
_KEPT_BY_DEFAULT = float(4 << 30)
_MOST_THREADS = 8


def lies_on_device(params: Params) -> bool:
    """Whether any parameter is a torch or CuPy array on a CUDA device."""
    return any(device_library(array) is not None for array in params.values())


def choose_operations(
    params: Params, device: str, products: str = "float32", threads: int | None = None
) -> tuple[Operations, Assigner]:
    """The library that computes on ``device`` ("cuda" or "cuda:1"), and who solves assignments there.

    Those that go to the host are solved by ``threads`` threads; by default by as many as there are, up to 8.

    Raises
    ------
    DeviceError
        There is no such device.
    MissingDependencyError
        The parameters lie on the host, and torch, which would bring them to the device, is not installed.
    """
    if products not in PRODUCTS:
        raise ValueError(f"products is one of {PRODUCTS}, got {products!r}")
    threads = threads or min(_MOST_THREADS, os.cpu_count() or 1)
    on_device = [a for a in params.values() if device_library(a) is not None]
    if on_device and isinstance(device_library(on_device[0]), CupyDevice):
        cupy = NumpyOperations(products, sys.modules["cupy"])
        return cupy, DeviceAssigner(cupy, threads, CupyDevice()) if is_available() else HostAssigner(
            cupy, threads
        )
    torch = _torch()
    if not torch.cuda.is_available():
        raise DeviceError(
            f"device={device!r} needs a CUDA device, and torch {torch.__version__} finds none: it may be a build for "
            "CPUs, the driver may be missing, or CUDA_VISIBLE_DEVICES hides the device; device='cpu' runs on the host"
        )
    if on_device and device == "cuda":
        device = str(on_device[0].device)
    ops = TorchOperations(device, products)
    return ops, DeviceAssigner(ops, threads, TorchDevice()) if is_available() else HostAssigner(ops, threads)


def _torch() -> Any:
    try:
        return importlib.import_module("torch")
    except ImportError:
        raise MissingDependencyError(
            "device='cuda' with parameters on the host needs torch to bring them to the device: "
            "pip install 'rebasin-fast[torch]'"
        ) from None


def match_resident(
    spec: PermutationSpec,
    params_a: Params,
    params_b: Params,
    sizes: Mapping[str, int],
    start: Permutations,
    runs: Sequence[Iterable[list[str]]],
    *,
    ops: Operations,
    assigner: Assigner,
    tolerance: float,
    memory_limit: int | None = None,
    listeners: list[Listener | None] | None = None,
) -> list[Descended]:
    """Descend once for each list of sweeps in ``runs``, over parameters brought to the device once.

    Parameters
    ----------
    start : (*parents' sizes, n) int64 for every permutation
    memory_limit : bytes of device memory for similarities between visits; 4 GiB by default
    """
    kept = _KEPT_BY_DEFAULT if memory_limit is None else float(memory_limit)
    try:
        problem = make_resident(spec, params_a, params_b, sizes, ops)
        return [
            ResidentDescent(
                problem, ops, assigner, start, tolerance=tolerance, bytes_to_keep=kept, on_visit=listener
            ).run(orders)
            for orders, listener in zip(runs, listeners or [None] * len(runs), strict=True)
        ]
    except Exception as error:
        if type(error).__name__ != "OutOfMemoryError":
            raise
        raise MemoryError(
            f"the CUDA device is out of memory ({error}); lower memory_limit, match in float16 or bfloat16, free what "
            "other work holds (torch.cuda.empty_cache()), or use device='cpu'"
        ) from error
