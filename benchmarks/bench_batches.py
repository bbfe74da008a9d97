"""Many small assignment problems in one call, beside loops over single calls and the rivals' batches.

    python benchmarks/bench_batches.py                 # half a minute

A tracker, a detector's training and a bootstrap solve thousands of small problems. Each batch is solved by
one call of ours, by loops of single calls of ours and SciPy's, and by the rivals' batch functions, on one
thread; the numbers are medians of the process's processor time, interleaved. A ratio below 1: we lose.
Writes `results/batches.json` and `results/batches.md`.
"""

import time

import numpy as np
from assignment.cases import ALL
from assignment.report import measured, ratio
from assignment.rivals import OURS, load
from common.command import command_line, finish
from common.environment import markdown_table
from common.timing import Rules, compare

# (family, problems, rows, columns)
BATCHES = [
    ("uniform", 2000, 8, 8),
    ("uniform", 2000, 20, 25),
    ("IoU, lost tracks", 2000, 8, 8),
    ("IoU, lost tracks", 2000, 20, 25),
    ("detections", 100, 300, 12),
    ("gram", 200, 64, 64),
    ("IoU, lost tracks", 100, 100, 100),
]
LOOPS = ("our loop", "our loop, duals", "scipy")


def main() -> None:
    parser = command_line(__doc__, "--results")
    parser.add_argument("--budget", type=float, default=0.3, help="seconds for each solver and batch")
    parser.add_argument("--share", type=float, default=1.0, help="of each batch's problems")
    options = parser.parse_args()
    solvers, _ = load("batches")
    rules = Rules(options.budget, keep=4, clock=time.process_time, always=OURS + LOOPS)
    rows, table = [], []
    for family, problems, n, m in BATCHES:
        count = max(2, int(options.share * problems))
        rng = np.random.default_rng((n, m))
        costs = np.stack([np.ascontiguousarray(ALL[family](n, m, rng)) for _ in range(count)])
        row = measured(compare(solvers, [costs], rules), OURS + LOOPS)
        row["batch"] = f"{count} of {family} {n}x{m} {costs.dtype}"
        rows.append(row)
        loops = [ratio(1e3 * row["seconds"][name] / row["ours_ms"]) for name in LOOPS]
        each = f"{1e3 * row['ours_ms'] / count:.2f}"
        table.append([row["batch"], each, *loops, ratio(row["rival"]), row["best_rival"] or "–"])
        print(table[-1], flush=True)
    header = [
        "batch",
        "ours, µs each",
        "our loop",
        "our loop with duals",
        "SciPy's loop",
        "rival",
        "best rival",
    ]
    finish("batches", {"rows": rows}, markdown_table(header, table), options.results)


if __name__ == "__main__":
    main()
