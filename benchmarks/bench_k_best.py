"""The k best and the bottleneck assignments beside fastlap: processor time, medians, interleaved, one thread.

    pip install fastlap==0.4.0
    python benchmarks/bench_k_best.py [--seconds 2]

Each row: the family, its shape, k, our time, fastlap's / ours, and whether the totals agree.
"""

from typing import Any

import numpy as np
from assignment.cases import Case
from assignment.report import measured, ratio
from assignment.rivals import load
from common.command import command_line
from common.environment import environment_line, markdown_table
from common.timing import Rules, compare

import rebasin_fast as rf

FAMILIES = [("uniform", 1), ("uniform", 2), ("particles", 1), ("cell linking 1e6", 1), ("integers < 100", 1)]
K_BEST = [(5, 10), (10, 10), (10, 100), (20, 100), (20, 1000), (50, 10), (50, 100), (100, 10), (100, 100)]
BOTTLENECK = [5, 20, 100, 500, 1000]


def difference(_: Any, values: Any, reference: Any) -> float:
    """Return the largest difference of totals, relative to them, or infinity where their numbers differ."""
    found, expected = np.atleast_1d(values), np.atleast_1d(reference)
    if found.shape != expected.shape:
        return float("inf")
    return float((np.abs(found - expected) / np.maximum(np.abs(expected), 1e-9)).max())


def row(kind: str, case: Case, k: int | None, seconds: float) -> list[str]:
    cost = case.instance(0).astype(np.float64)
    problem = cost if k is None else (cost, k)
    timing = compare(load(kind)[0], [problem], Rules(seconds / 2, difference, keep=float("inf")))
    found = measured(timing)
    assert k is None or rf.k_best_assignments(cost, k).certified
    shape = f"{case.rows} x {case.columns}"
    agree = str(not timing.wrong)
    return [case.family, shape, str(k or "–"), f"{found['ours_ms']:.3f}", ratio(found["rival"]), agree]


def main() -> None:
    parser = command_line(__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="processor time a row")
    parser.add_argument("--largest", type=int, default=1000, help="rows")
    options = parser.parse_args()
    jobs = [("k best", n, k) for n, k in K_BEST] + [("bottleneck", n, None) for n in BOTTLENECK]
    rows = [
        [kind, *row(kind, Case(family, n, wide * n), k, options.seconds)]
        for family, wide in FAMILIES
        for kind, n, k in jobs
        if n <= options.largest
    ]
    header = ["problem", "family", "shape", "k", "ours, ms", "fastlap / ours", "totals agree"]
    print(f"{markdown_table(header, sorted(rows, key=lambda row: row[0], reverse=True))}\n")
    print(f"{environment_line()}.")


if __name__ == "__main__":
    main()
