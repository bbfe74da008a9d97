"""The compiled CUDA module, loaded on first use."""

from __future__ import annotations

import importlib
from typing import Any

from rebasin_fast.errors import DeviceError

_MODULE = "rebasin_fast._cuda"


def load() -> Any:
    """The compiled module; DeviceError, with the remedy, where it was not built or cannot be loaded."""
    try:
        return importlib.import_module(_MODULE)
    except ModuleNotFoundError:
        raise DeviceError(
            "this build of rebasin_fast has no CUDA module; with a CUDA compiler (nvcc >= 12.4) on the PATH, "
            "build it, in the folder of the source: pip install --force-reinstall --no-deps . "
            "-C cmake.define.REBASIN_CUDA=ON"
        ) from None
    except ImportError as error:
        raise DeviceError(
            f"the CUDA module of rebasin_fast cannot be loaded ({error}); build it again"
        ) from error


def require_device() -> Any:
    """The compiled module, where it finds a device; DeviceError otherwise."""
    module = load()
    if module.count_devices() == 0:
        raise DeviceError(
            "no CUDA device was found: the machine has none, its driver is not installed or older than the CUDA "
            "runtime in this build, or CUDA_VISIBLE_DEVICES hides it; nvidia-smi lists the driver's devices"
        )
    return module


def is_available() -> bool:
    """Whether device kernels can run here: the module was built and a device was found. Never raises.

    Examples
    --------
    >>> import rebasin_fast as rf
    >>> rf.cuda.is_available() in (True, False)
    True
    """
    try:
        return bool(load().count_devices() > 0)
    except Exception:
        return False


def devices() -> list[dict[str, Any]]:
    """Name, compute capability, multiprocessors and memory of every device; an empty list where there is none.

    Examples
    --------
    >>> import rebasin_fast as rf
    >>> bool(rf.cuda.devices()) == rf.cuda.is_available()
    True
    """
    if not is_available():
        return []
    module = load()
    return [module.describe(device) for device in range(module.count_devices())]
