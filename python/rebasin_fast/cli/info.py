"""``rebasin-fast info``: what is installed, as a bug report needs it."""

from __future__ import annotations

import json
import os
import platform
from importlib import metadata
from typing import Any

import click

from rebasin_fast import build_config

_COMPANIONS = (
    "numpy",
    "scipy",
    "torch",
    "safetensors",
    "ml_dtypes",
    "matplotlib",
    "scikit-learn",
    "threadpoolctl",
)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def info(as_json: bool) -> None:
    """Show versions, the build of the core, the BLAS and the processor.

    \b
    Example:
      rebasin-fast info
    """
    facts = _facts()
    if as_json:
        click.echo(json.dumps(facts))
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        click.echo(f"{name:<{width}}  {value}")


def _facts() -> dict[str, Any]:
    config = {f"core {name}": value for name, value in build_config().items() if name != "version"}
    return {
        "rebasin_fast": build_config()["version"],
        **config,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "blas": _blas(),
        **{name: _version(name) for name in _COMPANIONS},
    }


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"


def _blas() -> str:
    """SciPy's BLAS, which forms the products; threads are known where threadpoolctl is installed."""
    import scipy

    built = scipy.show_config(mode="dicts")["Build Dependencies"]["blas"]
    described = f"{built.get('name', 'unknown')} {built.get('version', '')}".strip()
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return described
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas" and "scipy" in pool["filepath"]]
    return f"{described}, {pools[0]['num_threads']} threads" if pools else described
