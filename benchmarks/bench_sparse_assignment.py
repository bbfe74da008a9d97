"""Sparse assignment beside scipy.sparse.csgraph and lap.lapmod: processor time, medians of interleaved runs.

    python benchmarks/bench_sparse_assignment.py --rows 1000 100000 --families uniform20 knn10

A rival that takes longer than ``--patience`` seconds is stopped (each call runs in a process of its own where it
is given) and stands in the table as "> patience".
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
import scipy.sparse as sp
from environment import markdown_table
from scipy.sparse.csgraph import min_weight_full_bipartite_matching
from scipy.spatial import cKDTree

import rebasin_fast as rf

Family = Callable[[int, np.random.Generator], Any]


def to_csr(rows: Any, columns: Any, costs: Any, shape: tuple[int, int]) -> Any:
    """Keep the first of entries at one place."""
    _, first = np.unique(np.asarray(rows, np.int64) * shape[1] + columns, return_index=True)
    costs = np.asarray(costs, np.float64)
    matrix = sp.csr_matrix((costs[first], (np.asarray(rows)[first], np.asarray(columns)[first])), shape=shape)
    matrix.sort_indices()
    return matrix


def scattered(n: int, m: int, degree: int, rng: np.random.Generator) -> tuple[Any, Any]:
    """Entries at random places; a permutation among them makes the problem feasible."""
    columns = np.hstack([rng.integers(0, m, (n, degree - 1)), rng.permutation(m)[:n, None]])
    return np.repeat(np.arange(n), degree), columns.ravel()


def random_family(degree: int, draw: Callable[[np.random.Generator, int], Any], ratio: float = 1.0) -> Family:
    def family(n: int, rng: np.random.Generator) -> Any:
        m = int(n * ratio)
        rows, columns = scattered(n, m, degree, rng)
        return to_csr(rows, columns, draw(rng, len(rows)), (n, m))

    return family


def uniform(rng: np.random.Generator, count: int) -> Any:
    return rng.random(count) + 1e-3


def band(width: int) -> Family:
    def family(n: int, rng: np.random.Generator) -> Any:
        rows = np.repeat(np.arange(n), 2 * width + 1)
        columns = rows + np.tile(np.arange(-width, width + 1), n)
        inside = (columns >= 0) & (columns < n)
        return to_csr(rows[inside], columns[inside], uniform(rng, int(inside.sum())), (n, n))

    return family


def blocks(size: int) -> Family:
    def family(n: int, rng: np.random.Generator) -> Any:
        rows = np.repeat(np.arange(n), size)
        columns = rows // size * size + np.tile(np.arange(size), n)
        inside = columns < n
        return to_csr(rows[inside], columns[inside], uniform(rng, int(inside.sum())), (n, n))

    return family


def nearest(neighbours: int, power: int = 1) -> Family:
    def family(n: int, rng: np.random.Generator) -> Any:
        here, there = rng.random((n, 2)), rng.random((n, 2))
        distances, columns = cKDTree(there).query(here, min(neighbours, n))
        rows, other = np.repeat(np.arange(n), min(neighbours, n)), rng.permutation(n)
        far = np.hypot(*(here - there[other]).T)
        costs = (1e3 * np.r_[distances.ravel(), far]) ** power + 1e-3
        return to_csr(np.r_[rows, np.arange(n)], np.r_[columns.ravel(), other], costs, (n, n))

    return family


def diagonal(n: int, rng: np.random.Generator) -> Any:
    rows, columns = scattered(n, n, 3, rng)
    costs = np.r_[0.3 * rng.random(n) + 1e-3, rng.random(len(rows)) + 0.2]
    return to_csr(np.r_[np.arange(n), rows], np.r_[np.arange(n), columns], costs, (n, n))


def line(n: int, rng: np.random.Generator) -> Any:
    here, there = np.sort(rng.random(n) * n), np.sort(rng.random(n) * n)
    matrix = band(6)(n, rng).tocoo()
    return to_csr(matrix.row, matrix.col, np.abs(here[matrix.row] - there[matrix.col]) + 1e-3, (n, n))


def tracking(n: int, rng: np.random.Generator) -> Any:
    """Gated distances of moved points, a tenth of them lost, with a price for each to stay unmatched."""
    side = 2 * np.sqrt(n)
    here = rng.random((n, 2)) * side
    there = here + rng.normal(0, 0.5, (n, 2))
    lost = rng.random(n) < 0.1
    there[lost] = rng.random((int(lost.sum()), 2)) * side
    there = there[rng.permutation(n)]
    gated = cKDTree(here).sparse_distance_matrix(cKDTree(there), 3.0, output_type="coo_matrix")
    one = np.arange(n)
    rows = np.r_[gated.row, one, n + one, n + gated.col]
    columns = np.r_[gated.col, n + one, one, n + gated.row]
    prices = np.full(2 * n, 1.5)
    return to_csr(rows, columns, np.r_[gated.data + 1e-3, prices, np.full(gated.nnz, 1e-6)], (2 * n, 2 * n))


def power_law(n: int, rng: np.random.Generator) -> Any:
    degree = np.minimum((2 / rng.random(n) ** 0.8).astype(int) + 1, n)
    rows = np.r_[np.repeat(np.arange(n), degree), np.arange(n)]
    columns = np.r_[(n * rng.random(degree.sum()) ** 2).astype(int), rng.permutation(n)]
    return to_csr(rows, columns, uniform(rng, len(rows)), (n, n))


def row_lengths(n: int, rng: np.random.Generator) -> Any:
    degree = np.where(rng.random(n) < 0.01, min(500, n), 2)
    rows = np.r_[np.repeat(np.arange(n), degree), np.arange(n)]
    columns = np.r_[rng.integers(0, n, degree.sum()), rng.permutation(n)]
    return to_csr(rows, columns, uniform(rng, len(rows)), (n, n))


def nearly_infeasible(n: int, rng: np.random.Generator) -> Any:
    """Half of the rows compete for as many columns."""
    half = n // 2
    rows = np.r_[np.repeat(np.arange(n), 8), np.arange(n)]
    columns = np.r_[
        rng.integers(0, half, 8 * half),
        rng.integers(0, n, 8 * (n - half)),
        rng.permutation(half),
        half + rng.permutation(n - half),
    ]
    return to_csr(rows, columns, np.r_[uniform(rng, 8 * n), np.full(n, 3.0)], (n, n))


def product(n: int, rng: np.random.Generator) -> Any:
    rows, columns = scattered(n, n, 20, rng)
    a, b = rng.random((n, 2)), rng.random((n, 2))
    return to_csr(rows, columns, (a[rows] * b[columns]).sum(1) + 1e-3, (n, n))


def machol_wien(n: int, rng: np.random.Generator) -> Any:
    rows, columns = scattered(n, n, 20, rng)
    return to_csr(rows, columns, (rows + 1.0) * (columns + 1.0), (n, n))


FAMILIES: dict[str, Family] = {
    "uniform5": random_family(5, uniform),
    "uniform20": random_family(20, uniform),
    "uniform50": random_family(50, uniform),
    "equal20": random_family(20, lambda rng, count: np.ones(count)),
    "one-two20": random_family(20, lambda rng, count: rng.integers(1, 3, count)),
    "integers9": random_family(20, lambda rng, count: rng.integers(1, 10, count)),
    "integers1000": random_family(20, lambda rng, count: rng.integers(1, 1001, count)),
    "heavy20": random_family(20, lambda rng, count: np.exp(3 * rng.standard_normal(count))),
    "offset20": random_family(20, lambda rng, count: 1e5 + rng.random(count)),
    "diagonal": diagonal,
    "band2": band(2),
    "band5": band(5),
    "line": line,
    "nearest10": nearest(10),
    "nearest-squared20": nearest(20, 2),
    "tracking": tracking,
    "blocks8": blocks(8),
    "blocks50": blocks(50),
    "power-law": power_law,
    "row-lengths": row_lengths,
    "nearly-infeasible": nearly_infeasible,
    "product": product,
    "machol-wien": machol_wien,
    "wide1.01": random_family(20, uniform, 1.01),
    "wide2": random_family(20, uniform, 2.0),
    "tall2": lambda n, rng: random_family(20, uniform, 2.0)(n, rng).T.tocsr(),
}


def solve_ours(cost: Any) -> float:
    return float(rf.solve_assignment(cost).objective)


def solve_scipy(cost: Any) -> float:
    rows, columns = min_weight_full_bipartite_matching(cost)
    return float(cost[rows, columns].sum())


def solve_lapmod(cost: Any) -> float:
    import lap

    return float(lap.lapmod(cost.shape[0], cost.data, cost.indptr, cost.indices)[0])


SOLVERS = {"ours": solve_ours, "scipy": solve_scipy, "lapmod": solve_lapmod}


def timed(name: str, cost: Any, reply: Any = None) -> tuple[float, float]:
    start = time.process_time()
    try:
        objective = SOLVERS[name](cost)
    except ValueError:  # lapmod takes costs from 0 to 1e6 only
        objective = math.nan
    found = (time.process_time() - start, objective)
    if reply is not None:
        reply.send(found)
    return found


def timed_patiently(name: str, cost: Any, patience: float) -> tuple[float, float] | None:
    """In a process that is ended when it takes too long: rivals cannot be interrupted."""
    context = multiprocessing.get_context("fork")
    receive, send = context.Pipe(False)
    process = context.Process(target=timed, args=(name, cost, send))
    process.start()
    found = receive.recv() if receive.poll(patience) else None
    process.kill()
    process.join()
    return found


def measure(name: str, cost: Any, patience: float, repeats: int) -> list[str]:
    times: dict[str, list[float]] = {}
    objectives: dict[str, float] = {}
    names = [solver for solver in SOLVERS if solver != "lapmod" or cost.shape[0] == cost.shape[1]]
    refused = set(SOLVERS).difference(names)
    for solver in list(names):
        first = timed_patiently(solver, cost, patience)
        if first is None or math.isnan(first[1]):
            names.remove(solver)
            refused.update({solver} if first else ())
        else:
            objectives[solver] = first[1]
    for _ in range(repeats):
        for solver in names:
            times.setdefault(solver, []).append(timed(solver, cost)[0])
    for solver, objective in objectives.items():
        if abs(objective - objectives["ours"]) > 1e-9 * abs(objective):
            raise AssertionError(f"{name}: {solver} found {objective}, we {objectives['ours']}")
    medians = {solver: statistics.median(spent) for solver, spent in times.items()}
    ours = medians["ours"]
    ratios = []
    for solver in ("scipy", "lapmod"):
        if solver in medians:
            ratios.append(f"{medians[solver] / ours:.2f}")
        elif solver in refused:
            ratios.append("–")
        else:
            ratios.append(f"> {patience / ours:.0f}")
    return [name, f"{cost.shape[0]} × {cost.shape[1]}", str(cost.nnz), f"{1e3 * ours:.3f}", *ratios]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10, 100, 1000, 10_000])
    parser.add_argument(
        "--families", nargs="+", default=list(FAMILIES), choices=list(FAMILIES), metavar="NAME"
    )
    parser.add_argument("--patience", type=float, default=60.0, help="seconds that one call may take")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"scipy {version('scipy')}, lapx {version('lapx')}, numpy {version('numpy')}\n")
    rows = []
    for n in options.rows:
        for name in options.families:
            cost = FAMILIES[name](n, np.random.default_rng(options.seed))
            rows.append(measure(name, cost, options.patience, options.repeats))
    header = ["family", "shape", "entries", "ours, ms", "SciPy / ours", "lapmod / ours"]
    print(markdown_table(header, rows))


if __name__ == "__main__":
    main()
