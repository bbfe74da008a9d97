"""Sparse assignment beside scipy.sparse.csgraph and lap.lapmod: processor time, medians of interleaved runs.

    python benchmarks/bench_sparse_assignment.py --rows 1000 100000 --families uniform20 knn10

A rival that takes longer than ``--patience`` seconds is stopped (its first call runs in a process of its own) and
stands in the table as "> patience".
"""

import math
from typing import Any

import numpy as np
from assignment.report import ratio
from assignment.rivals import load
from assignment.sparse import FAMILIES
from common.command import command_line
from common.environment import environment_line, markdown_table
from common.timing import Rules, compare


def surplus(_: Any, total: float, reference: float) -> float:
    return (total - reference) / max(abs(reference), 1e-300)


def main() -> None:
    parser = command_line(__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10, 100, 1000, 10_000])
    parser.add_argument("--families", nargs="+", default=list(FAMILIES), choices=FAMILIES, metavar="NAME")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds that one call may take")
    parser.add_argument("--budget", type=float, default=1.0, help="seconds for each solver and matrix")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    solvers, _ = load("sparse")
    rules = Rules(options.budget, surplus, keep=math.inf, patience=options.patience)
    rows = []
    for n in options.rows:
        for name in options.families:
            cost = FAMILIES[name](n, np.random.default_rng(options.seed))
            timing = compare(solvers, [cost], rules)
            if timing.wrong:
                raise AssertionError(f"{name}: totals differ, {timing.wrong}")
            ours = timing.seconds["rebasin_fast"]
            stopped = {key for key, reason in timing.left_out.items() if reason == "does not end"}
            ratios = [
                f"> {options.patience / ours:.0f}"
                if rival in stopped
                else ratio(timing.seconds[rival] / ours if rival in timing.seconds else None)
                for rival in ("scipy", "lapmod")
            ]
            shape = f"{cost.shape[0]} × {cost.shape[1]}"
            rows.append([name, shape, str(cost.nnz), f"{1e3 * ours:.3f}", *ratios])
    header = ["family", "shape", "entries", "ours, ms", "SciPy / ours", "lapmod / ours"]
    print(f"{markdown_table(header, rows)}\n\n{environment_line()}.")


if __name__ == "__main__":
    main()
