"""What a second solve gains from the first one's duals, on the costs that real matchings meet.

    python benchmarks/bench_warm_start.py --jobs mnist-512 mnist-2048 resnet20

Runs the published loop on two networks trained apart and solves every assignment twice: cold, and warm from the
same permutation's solution of the sweep before. Then takes the last problem of each job and changes it so that a
warm start should help (nothing changed, scaled, small changes) or be set aside (rows or columns permuted). Prints a
table and writes ``results/warm_start.{json,md}``.
"""

import statistics
from typing import Any

import numpy as np
import numpy.typing as npt
from common.command import command_line, finish
from common.environment import markdown_table
from common.timing import medians
from networks import mnist, resnet20

import rebasin_fast as rf
import rebasin_fast._core as core
from reference.from_spec import reference_axes
from reference.weight_matching import parts_of, permutation_sizes, similarity_of

Matrix = npt.NDArray[np.float32]


def pair_of(job: str) -> tuple[Any, Any, Any]:
    if job == "resnet20":
        pair = [resnet20.load_checkpoint(which) for which in "ab"]
        return rf.specs.for_params(pair[0]), pair[0], pair[1]
    width = int(job.removeprefix("mnist-"))
    pair = [mnist.trained_mlp(seed, hidden=(width,) * 3) for seed in (0, 1)]
    return rf.specs.for_params(pair[0]), pair[0], pair[1]


def compare(cost: Matrix, start: rf.Assignment) -> dict[str, float]:
    cold, warm = medians(
        {
            "cold": lambda: rf.solve_assignment(cost, maximize=True),
            "warm": lambda: rf.solve_assignment(cost, maximize=True, warm_start=start),
        }
    ).values()
    duals = (start.row_duals, start.column_duals)
    return {
        "n": cost.shape[0],
        "cold_ms": 1e3 * cold,
        "warm_ms": 1e3 * warm,
        "gain": cold / warm,
        "cold_reads": core.assignment_counters(cost, True).entries_read / cost.size,
        "warm_reads": core.assignment_counters(cost, True, duals).entries_read / cost.size,
    }


def follow_matching(job: str, most_sweeps: int) -> tuple[list[dict[str, float]], dict[str, Matrix]]:
    """Visit all permutations sweep by sweep; return each warm visit's times and the last costs."""
    spec, params_a, params_b = pair_of(job)
    raw = reference_axes(spec, params_a)
    axes = {
        name: [parts_of(entry, size) for entry, size in zip(entries, params_a[name].shape, strict=True)]
        for name, entries in raw.items()
    }
    sizes = permutation_sizes(axes)
    permutation = {p: np.arange(n) for p, n in sizes.items()}
    rng = np.random.default_rng(0)
    starts: dict[str, rf.Assignment] = {}
    costs: dict[str, Matrix] = {}
    visits = []
    for sweep in range(most_sweeps):
        moved = False
        for p in rng.permutation(list(sizes)):
            cost = np.ascontiguousarray(
                similarity_of(p, sizes[p], axes, permutation, params_a, params_b), np.float32
            )
            found = rf.solve_assignment(cost, maximize=True)
            if p in starts:
                visits.append({"sweep": sweep, **compare(cost, starts[p])})
            moved |= not np.array_equal(found.columns, permutation[p])
            starts[p], costs[p], permutation[p] = found, cost, found.columns
        if not moved:
            break
    return visits, costs


def changes_of(cost: Matrix) -> dict[str, Matrix]:
    rng = np.random.default_rng(1)
    noise = cost.std() * rng.standard_normal(cost.shape, dtype=np.float32)
    n = cost.shape[0]
    return {
        "unchanged": cost,
        "doubled": 2 * cost,
        "noise 1e-3": cost + np.float32(1e-3) * noise,
        "noise 1e-1": cost + np.float32(1e-1) * noise,
        "rows permuted": cost[rng.permutation(n)],
        "columns permuted": np.ascontiguousarray(cost[:, rng.permutation(n)]),
    }


def main() -> None:
    parser = command_line(__doc__, "--results")
    parser.add_argument("--jobs", nargs="+", default=["mnist-512", "mnist-2048", "resnet20"])
    parser.add_argument("--most-sweeps", type=int, default=30)
    options = parser.parse_args()
    results: dict[str, Any] = {}
    text = ""
    for job in options.jobs:
        visits, costs = follow_matching(job, options.most_sweeps)
        largest = max(costs.values(), key=lambda cost: cost.size)
        start = rf.solve_assignment(largest, maximize=True)
        changed = {name: compare(cost, start) for name, cost in changes_of(largest).items()}
        results[job] = {"visits": visits, "changes": changed}
        rows = []
        for n in sorted({visit["n"] for visit in visits}):
            for label, part in halves([visit for visit in visits if visit["n"] == n]).items():
                rows.append([f"{n:.0f}, {label}", *cells(part)])
        rows += [[f"{largest.shape[0]}, {name}", *cells([found])] for name, found in changed.items()]
        header = [
            "problem",
            "visits",
            "cold (ms)",
            "warm (ms)",
            "gain, median",
            "least",
            "reads cold",
            "warm",
        ]
        text += f"\n### {job}\n\n" + markdown_table(header, rows) + "\n"
    finish("warm_start", results, text.strip(), options.results)


def halves(visits: list[dict[str, float]]) -> dict[str, list[dict[str, float]]]:
    last = max(visit["sweep"] for visit in visits)
    return {
        "first half of the sweeps": [visit for visit in visits if visit["sweep"] * 2 <= last],
        "second half": [visit for visit in visits if visit["sweep"] * 2 > last],
    }


def cells(visits: list[dict[str, float]]) -> list[str]:
    if not visits:
        return ["0"] + ["-"] * 6

    def median(key: str) -> float:
        return statistics.median(visit[key] for visit in visits)

    least = min(visit["gain"] for visit in visits)
    return [
        str(len(visits)),
        f"{median('cold_ms'):.3g}",
        f"{median('warm_ms'):.3g}",
        f"{median('gain'):.2f}",
        f"{least:.2f}",
        f"{median('cold_reads'):.1f}",
        f"{median('warm_reads'):.1f}",
    ]


if __name__ == "__main__":
    main()
