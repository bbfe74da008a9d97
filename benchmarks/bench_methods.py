"""What does each matching method cost beside a plain program of its original algorithm?

A row is a method, a network, our program and the plain one, which is written here from its paper in NumPy, torch and
SciPy. Each runs in a process of its own, so that the peak of its memory is its own::

    python benchmarks/bench_methods.py --rows activation-mlp512 many-mlp512

The rows come from the modules of ``methods/``: each has a list ``ROWS``, or ``QUESTIONS``, functions that measure by
themselves and return finished rows, for ``--questions``. Results: ``methods.{json,md}``.
"""

import argparse
import importlib
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from common.command import command_line, finish
from common.environment import markdown_table
from methods.plain_programs import CostRow

HERE = Path(__file__).resolve().parent
METHODS = ("frank_wolfe", "moments", "sinkhorn", "straight_through")


def modules() -> list[Any]:
    return [importlib.import_module(f"methods.{name}") for name in METHODS]


def all_rows() -> dict[str, CostRow]:
    """The rows of every module, by name."""
    return {row.name: row for module in modules() for row in getattr(module, "ROWS", [])}


def ask(question: str) -> list[dict[str, Any]]:
    """The rows of a question that a module measures by itself."""
    for module in modules():
        if question in getattr(module, "QUESTIONS", ()):
            return list(module.QUESTIONS[question]())
    raise SystemExit(f"no file of methods/ has the question {question!r}")


def main() -> None:
    options = parse_options()
    if options.measure:
        print(json.dumps(measure_here(*options.measure)))
        return
    rows = all_rows()
    results = {}
    for name in options.rows or rows:
        runs = {
            side: [measure_apart(name, side) for _ in range(options.repeats)] for side in ("ours", "original")
        }
        results[name] = runs
        print(f"{name}: {runs}", file=sys.stderr, flush=True)
    text = f"{table(rows, results)}\n\nProcessor time of one thread, medians of {options.repeats}."
    answers = {question: ask(question) for question in options.questions}
    if answers:
        text += f"\n\n```json\n{json.dumps(answers, indent=1)}\n```"
    finish("methods", {"rows": results, "questions": answers}, text, options.results)


def parse_options() -> argparse.Namespace:
    parser = command_line(__doc__, "--results")
    parser.add_argument("--rows", nargs="+", help="all by default")
    parser.add_argument("--questions", nargs="+", default=[], help="of modules that measure by themselves")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--measure", nargs=2, metavar=("ROW", "SIDE"), help=argparse.SUPPRESS)
    return parser.parse_args()


def measure_apart(name: str, side: str) -> dict[str, float]:
    """Run one side of a row in a process of its own."""
    command = [sys.executable, str(HERE / "bench_methods.py"), "--measure", name, side]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name}, {side}: {done.stderr}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure_here(name: str, side: str) -> dict[str, float]:
    """Seconds of wall and of processor time, and megabytes by which the peak of memory rises, of one side."""
    from threadpoolctl import threadpool_limits

    row = all_rows()[name]
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    with threadpool_limits(1):
        made = row.make()
        before = peak_megabytes()
        started, busy = time.perf_counter(), time.process_time()
        figures = (row.ours if side == "ours" else row.original)(made)
        seconds, busy = time.perf_counter() - started, time.process_time() - busy
    rise = peak_megabytes() - before
    return {"seconds": seconds, "processor seconds": busy, "megabytes": rise, **figures}


def peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def table(rows: dict[str, CostRow], results: dict[str, dict[str, list[dict[str, float]]]]) -> str:
    cells = []
    for name, runs in results.items():
        row = rows[name]
        sides = [
            {key: statistics.median(run[key] for run in runs[side]) for key in runs[side][0]} for side in runs
        ]
        ours, original = sides
        figures = [key for key in ours if key not in ("seconds", "processor seconds", "megabytes")]
        slow, fast = (side["processor seconds"] for side in (original, ours))
        cells.append([
            row.method, row.network, row.original_name, f"{slow:.3g}", f"{fast:.3g}", f"{slow / fast:.1f}×",
            f"{original['megabytes']:.0f}", f"{ours['megabytes']:.0f}",
            ", ".join(f"{key} {original.get(key, float('nan')):.6g} / {ours[key]:.6g}" for key in figures),
        ])  # fmt: skip
    header = [
        "method", "network", "original", "original (s)", "ours (s)", "faster", "original (MB)", "ours (MB)",
        "original / ours",
    ]  # fmt: skip
    return markdown_table(header, cells)


if __name__ == "__main__":
    main()
