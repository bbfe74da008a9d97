"""Solvers of one dense matrix: ours, SciPy's, and the rivals'."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment as scipy_solve

import rebasin_fast as rf
from assignment.rival import Rival, Solver, version_of


def rebasin_fast() -> list[Rival]:
    return [Rival("rebasin_fast", rf.__version__, rf.linear_sum_assignment)]


def scipy() -> list[Rival]:
    return [Rival("scipy", version_of("scipy"), scipy_solve)]


def lap() -> list[Rival]:
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

    def solve(cost: np.ndarray) -> np.ndarray:
        return module.lapjv(cost, extend_cost=True, return_cost=False)[0]

    return [Rival("lap.lapjv", module.__version__, solve, may_hang=True)]


def lapx() -> list[Rival]:
    lap: Any = importlib.import_module("lap")
    solvers: dict[str, tuple[Solver, bool]] = {
        "lapjv": (lambda c: lap.lapjv(c, extend_cost=True, return_cost=False)[0], True),
        "lapjvs": (lambda c: lap.lapjvs(_floating(c), return_cost=False), True),
        "lapjvs64": (lambda c: lap.lapjvs(_floating(c), return_cost=False, prefer_float32=False), True),
        "lapjvc": (lambda c: lap.lapjvc(_wide(c), return_cost=False), False),
        "lapjvr": (lambda c: lap.lapjvr(c, extend_cost=True, return_cost=False), False),
        "lapjvh": (lambda c: lap.lapjvh(c, extend_cost=True, return_cost=False), False),
    }
    version = version_of("lapx")
    return [Rival(f"lapx.{name}", version, solve, may_hang=hangs) for name, (solve, hangs) in solvers.items()]


def _floating(cost: np.ndarray) -> np.ndarray:
    return cost if cost.dtype.kind == "f" else cost.astype(np.float64)


def _wide(cost: np.ndarray) -> np.ndarray:
    return cost if cost.dtype.itemsize >= 4 else cost.astype(np.int32)


def siblings_of_lapx(name: str) -> list[Rival]:
    module: ModuleType = importlib.import_module(name)
    return [Rival(name, version_of(name), lambda c: module.lapjv(c, extend_cost=True, return_cost=False))]


def src_d() -> list[Rival]:
    module: Any = importlib.import_module("lapjv")

    def solve(cost: np.ndarray) -> np.ndarray:
        return module.lapjv(cost, force_doubles=cost.dtype != np.float32)[0]

    return [Rival("lapjv (src-d)", version_of("lapjv"), solve, square_only=True, may_hang=True)]


def fastlap() -> list[Rival]:
    module: Any = importlib.import_module("fastlap")
    return [
        Rival(
            "fastlap", version_of("fastlap"), lambda c: module.linear_sum_assignment(c), takes_infinity=False
        )
    ]


def minilsap() -> list[Rival]:
    module: Any = importlib.import_module("minilsap")
    return [Rival("minilsap", version_of("minilsap"), lambda c: module.linear_sum_assignment(c))]


def py_lap_solver() -> list[Rival]:
    """Return the serial ones: the threaded path returned assignments that are not optimal."""
    solvers: Any = importlib.import_module("py_lap_solver.solvers")
    version = version_of("py-lap-solver")
    batched = solvers.BatchedScipySolver(use_openmp=False)
    lap1015 = solvers.Lap1015Solver(use_openmp=False)
    plain = solvers.Lap1015Solver(use_openmp=False, use_epsilon=False)
    return [
        Rival("py-lap-solver scipy", version, lambda c: batched.solve_single(c)),
        Rival(
            "py-lap-solver 1015", version, lambda c: lap1015.solve_single(c), False, takes_infinity=False, may_hang=True
        ),
        Rival("py-lap-solver 1015 plain", version, lambda c: plain.solve_single(c), False, False, True),
    ]  # fmt: skip


def ortools() -> list[Rival]:
    module: Any = importlib.import_module("ortools.graph.python.linear_sum_assignment")

    def solve(cost: np.ndarray) -> np.ndarray:
        n = len(cost)
        if cost.dtype.kind == "f":
            whole = bool((cost == np.rint(cost)).all()) and float(np.abs(cost).max(initial=0)) < 2**40
            scale = 1.0 if whole else 2.0**40 / max(float(np.abs(cost).max()), 1e-300)
            cost = np.rint(cost * scale)
        solver = module.SimpleLinearSumAssignment()
        rows, columns = np.divmod(np.arange(n * n, dtype=np.int32), np.int32(n))
        solver.add_arcs_with_cost(rows, columns, cost.astype(np.int64).ravel())
        if solver.solve() != solver.OPTIMAL:
            raise ValueError("OR-Tools found no optimum")
        return np.array([solver.right_mate(k) for k in range(n)])

    return [Rival("ortools", version_of("ortools"), solve, True, False, may_hang=True, general=True)]


def pot() -> list[Rival]:
    module: Any = importlib.import_module("ot")

    def solve(cost: np.ndarray) -> np.ndarray:
        plan = module.emd([], [], _floating(cost), numItermax=10_000_000)
        return np.asarray(plan).argmax(1)

    return [Rival("POT", version_of("POT"), solve, True, False, may_hang=True, general=True)]
