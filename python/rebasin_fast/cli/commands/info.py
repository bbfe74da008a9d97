"""``rebasin-fast info``: the installation, as a bug report needs it."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
from importlib import metadata
from typing import Any

import click

from rebasin_fast import _core, build_config, cuda
from rebasin_fast._terminal.tables import table
from rebasin_fast.cli.options import json_option

_COMPANIONS = (
    "numpy", "scipy", "click", "jinja2", "pillow", "rich", "tqdm",
    "torch", "safetensors", "ml_dtypes", "matplotlib", "scikit-learn", "threadpoolctl",
)  # fmt: skip


@click.command()
@json_option
def info(as_json: bool) -> None:
    """Show versions, the build of the core, the SIMD level, the BLAS and the devices.

    \b
    Example:
      rebasin-fast info
    """
    facts = _facts()
    click.echo(json.dumps(facts) if as_json else table(facts.items(), align="l"))


def _facts() -> dict[str, Any]:
    config = {f"core {name}": value for name, value in build_config().items() if name != "version"}
    return {
        "rebasin_fast": build_config()["version"],
        **config,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "simd": f"{_core.simd_level()} (of {', '.join(_core.simd_levels())}; REBASIN_FAST_SIMD chooses)",
        "blas": _blas(),
        "devices": _devices(),
        "cuda module": _cuda_module(),
        **{name: _version(name) for name in _COMPANIONS},
    }


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"


def _devices() -> str:
    """The devices of torch, on which parameters may lie and weight_matching(device=) can run."""
    try:
        import torch
    except ImportError:
        return "cpu"
    cards = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return ", ".join(["cpu", *cards])


def _cuda_module() -> str:
    """The compiled device code, which assignments on a GPU need."""
    if importlib.util.find_spec("rebasin_fast._cuda") is None:
        return "not built"
    return f"built, {len(cuda.devices())} devices"


def _blas() -> str:
    """SciPy's BLAS, which forms the products; threads are known where threadpoolctl is installed."""
    import scipy

    try:
        built = scipy.show_config(mode="dicts")["Build Dependencies"]["blas"]
        described = f"{built.get('name', 'unknown')} {built.get('version', '')}".strip()
    except TypeError:  # before SciPy 1.11
        described = f"that of SciPy {scipy.__version__}, which does not name it"
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return described
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas" and "scipy" in pool["filepath"]]
    return f"{described}, {pools[0]['num_threads']} threads" if pools else described
