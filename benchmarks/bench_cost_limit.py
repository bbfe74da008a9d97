"""Assignments where a pair dearer than a limit is better left unmatched, beside the extended matrix and the rivals.

    python benchmarks/bench_cost_limit.py              # half a minute

A row and a column may stay unmatched at half of the limit each. Ours is `solve_assignment(cost,
cost_limit=limit)`; SciPy and ours again solve the extended matrix [[C, L/2], [L/2, 0]], the forming of which
is part of their time; lap and lapx have the limit of their own. All must reach the same total. The numbers
are medians of the thread's processor time over instances, interleaved. A ratio below 1: we lose.
Writes `results/cost_limit.json` and `results/cost_limit.md`.
"""

import math
from typing import Any

from assignment.cases import Case
from assignment.report import measured, ratio
from assignment.rival import pairs_of
from assignment.rivals import OURS, load
from common.command import command_line, finish
from common.environment import markdown_table
from common.timing import Rules, compare

# (family, limit)
PROBLEMS = [
    ("IoU, lost tracks", 0.8),
    ("IoU, crowd", 0.8),
    ("IoU, all lost", 0.8),
    ("embeddings", 0.4),
    ("particles", 1.0),
    ("uniform", 0.1),
]
EXTENDED = "ours, extended"


def total(problem: Any, answer: Any) -> float:
    """Return the pairs' costs and half of the limit for every row and column without one."""
    cost, limit = problem
    rows, columns = pairs_of(answer)
    unmatched = sum(cost.shape) - 2 * len(rows)
    return math.fsum([*cost[rows, columns].tolist(), unmatched * limit / 2])


def surplus(problem: Any, answer: Any, reference: Any) -> float:
    """Return by how much an answer is dearer, relative to the reference; 0 within the rounding of float32."""
    best = total(problem, reference)
    relative = (total(problem, answer) - best) / max(1.0, abs(best))
    return relative if abs(relative) > 1e-6 else 0.0


def main() -> None:
    parser = command_line(__doc__, "--results")
    parser.add_argument("--sizes", default="40,100,300,600")
    parser.add_argument("--budget", type=float, default=0.1, help="seconds for each solver and problem")
    options = parser.parse_args()
    solvers, _ = load("priced")
    rules = Rules(options.budget, surplus, keep=math.inf)
    rows, table = [], []
    for family, limit in PROBLEMS:
        for n in map(int, options.sizes.split(",")):
            problems = [(Case(family, n, n + n // 10).instance(seed), limit) for seed in range(3)]
            row = measured(compare(solvers, problems, rules), (*OURS, EXTENDED))
            row["problem"] = f"{family} {n}x{n + n // 10} {problems[0][0].dtype}, limit {limit}"
            rows.append(row)
            extended = 1e3 * row["seconds"][EXTENDED] / row["ours_ms"]
            ratios = [ratio(value) for value in (extended, row["scipy"], row["rival"])]
            wrong = ", ".join(row["wrong"]) or "–"
            table.append([row["problem"], f"{row['ours_ms']:.3g}", *ratios, row["best_rival"] or "–", wrong])
            print(table[-1], flush=True)
    header = ["problem", "ours, ms", "ours, extended", "SciPy, extended", "rival / ours", "best rival"]
    text = markdown_table([*header, "not optimal"], table)
    finish("cost_limit", {"rows": rows}, text, options.results)


if __name__ == "__main__":
    main()
