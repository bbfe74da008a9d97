"""Assignment solvers behind one interface; those that are not installed are skipped, and said.

Each solver is a function ``cost -> columns`` of a C-contiguous float32 matrix to be minimised; whatever it
does to its input (casting to float64, copying) is part of its time, as it is of its users'.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

Solver = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Rival:
    """One solver, and which matrices it takes."""

    name: str
    version: str
    solve: Solver
    square_only: bool = True
    takes_infinity: bool = False


def _rebasin_fast() -> list[Rival]:
    rf = importlib.import_module("rebasin_fast")
    version = importlib.metadata.version("rebasin-fast")
    return [Rival("rebasin_fast", version, lambda c: rf.linear_sum_assignment(c)[1], False, True)]


def _scipy() -> list[Rival]:
    optimize = importlib.import_module("scipy.optimize")
    version = importlib.metadata.version("scipy")
    return [Rival("scipy", version, lambda c: optimize.linear_sum_assignment(c)[1], False, True)]


def _lap() -> list[Rival]:
    """Load the original lap, which shares its module name with lapx, from the folder REBASIN_BENCH_LAP."""
    folder = os.environ.get("REBASIN_BENCH_LAP")
    if folder is None:
        raise ImportError("set REBASIN_BENCH_LAP to the folder of `pip install --target FOLDER lap`")
    package = Path(folder) / "lap"
    spec = importlib.util.spec_from_file_location(
        "lap_original", package / "__init__.py", submodule_search_locations=[str(package)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"no lap in {folder}")
    module = importlib.util.module_from_spec(spec)
    sys.modules["lap_original"] = module
    spec.loader.exec_module(module)
    return [Rival("lap.lapjv", module.__version__, lambda c: module.lapjv(c)[1])]


def _lapx() -> list[Rival]:
    version = importlib.metadata.version("lapx")
    lap: Any = importlib.import_module("lap")
    return [
        Rival("lapx.lapjv", version, lambda c: lap.lapjv(c)[1]),
        Rival("lapx.lapjvs", version, lambda c: lap.lapjvs(c)[2]),
        Rival("lapx.lapjvr", version, lambda c: lap.lapjvr(c)[2]),
        Rival("lapx.lapjvh", version, lambda c: lap.lapjvh(c)[2]),
    ]


def _with_rows_and_columns(name: str) -> list[Rival]:
    module: ModuleType = importlib.import_module(name)
    return [Rival(name, importlib.metadata.version(name), lambda c: module.lapjv(c)[2])]


def _src_d() -> list[Rival]:
    module: Any = importlib.import_module("lapjv")
    version = importlib.metadata.version("lapjv")
    return [Rival("lapjv (src-d)", version, lambda c: module.lapjv(c, force_doubles=False)[0])]


_LOADERS: dict[str, Callable[[], list[Rival]]] = {
    "rebasin_fast": _rebasin_fast,
    "scipy": _scipy,
    "lap": _lap,
    "lapx": _lapx,
    "laprust": lambda: _with_rows_and_columns("laprust"),
    "lapcpp": lambda: _with_rows_and_columns("lapcpp"),
    "lapjv": _src_d,
}


def load() -> tuple[list[Rival], list[str]]:
    """Return the solvers that are installed, ours first, and a line about each that is not."""
    found: list[Rival] = []
    missing: list[str] = []
    for name, loader in _LOADERS.items():
        try:
            found += loader()
        except (ImportError, AttributeError) as error:
            missing.append(f"{name}: {error}")
    return found, missing
