"""How much faster the native descent is than the published loop in NumPy and SciPy, and in how much memory.

Each program matches each pair in a process of its own (``matching/run.py``), the native descent in its planned
order; ``--same-order`` makes both visit the permutations in the same order, ``--options`` has further arguments::

    python benchmarks/bench_weight_matching.py --threads 1 --jobs resnet20 resnet50 --seeds 0 1 2

The reference is ``tests/reference/weight_matching.py``; its float64 objectives, which the published program does not
compute, are left out of its time. Results: ``weight_matching_JOB.{json,md,png}`` under ``results``. Runs that
they hold already are not repeated, unless ``--again`` names the program.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common.command import command_line, earlier_results, finish
from common.environment import markdown_table
from matching.curves import draw
from matching.jobs import JOBS

PROGRAMS = LOOP, NATIVE = "published loop", "native"
RUN = Path(__file__).with_name("matching") / "run.py"

Record = dict[str, Any]
Runs = dict[str, list[Record]]  # by program, one a seed


def main() -> None:
    options = parse_options()
    for job in options.jobs:
        name = f"weight_matching_{job}" + (f"_{options.label}" if options.label else "")
        conditions = {
            key: getattr(options, key) for key in ("threads", "max_sweeps", "same_order", "options")
        }
        runs = earlier_runs(earlier_results(name, options.results), conditions, options.again)
        for seed in options.seeds:
            for program in options.programs:
                if all(record["seed"] != seed for record in runs[program]):
                    runs[program].append(measure_apart(job, seed, program, options))
                    runs[program].sort(key=lambda record: record["seed"])
        text = f"{table(job, runs)}\n\n{note_on(conditions)}"
        finish(name, {"job": job, "conditions": conditions, "runs": runs}, text, options.results)
        draw(job, runs, options.results / f"{name}.png")


def parse_options() -> argparse.Namespace:
    parser = command_line(__doc__, "--results", "--cache")
    parser.add_argument("--jobs", nargs="+", choices=list(JOBS), default=["resnet20", "resnet50"])
    parser.add_argument(
        "--seeds", nargs="+", type=int, default=[0, 1, 2], help="of the networks or, trained ones, the orders"
    )
    parser.add_argument("--programs", nargs="+", choices=PROGRAMS, default=PROGRAMS)
    parser.add_argument("--again", nargs="+", choices=PROGRAMS, default=[], help="forget what these did")
    parser.add_argument("--threads", type=int, help="BLAS threads for both programs (default: as they are)")
    parser.add_argument("--max-sweeps", type=int, default=100, help="where both programs are cut off")
    parser.add_argument(
        "--same-order", action="store_true", help="the native descent replays the loop's order"
    )
    parser.add_argument("--options", default="{}", help="of rf.weight_matching, as JSON")
    parser.add_argument("--label", default="", help="ends the names of the results, to keep several apart")
    return parser.parse_args()


def earlier_runs(stored: dict[str, Any], conditions: dict[str, Any], again: list[str]) -> Runs:
    """The runs that were measured under the same conditions."""
    kept = stored.get("runs", {}) if stored.get("conditions") == conditions else {}
    return {program: [] if program in again else kept.get(program, []) for program in PROGRAMS}


def measure_apart(job: str, seed: int, program: str, options: argparse.Namespace) -> Record:
    command = [sys.executable, str(RUN), "--job", job, "--seed", str(seed), "--program", program]
    command += ["--max-sweeps", str(options.max_sweeps), "--cache", str(options.cache)]
    command += ["--options", options.options]
    command += ["--same-order"] if options.same_order else []
    command += [] if options.threads is None else ["--threads", str(options.threads)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    record: Record = json.loads(done.stdout.splitlines()[-1])
    shown = {key: record[key] for key in ("seed", "seconds", "objective", "sweeps")}
    print(f"{job}, {program}: {shown}", file=sys.stderr, flush=True)
    return record


def note_on(conditions: dict[str, Any]) -> str:
    threads = conditions["threads"]
    order = "the same order for both" if conditions["same_order"] else "the native descent's planned order"
    clock = "processor seconds of 1 BLAS thread" if threads == 1 else f"seconds, BLAS threads: {threads}"
    more = "" if conditions["options"] == "{}" else f" with {conditions['options']}"
    return (
        f"Medians over the seeds, of the objective the mean; {clock} (stages of the native descent by their shares of "
        f"wall time); {order}{more}, at most {conditions['max_sweeps']} sweeps. Memory: the rise of its peak above "
        f"what both models hold."
    )


def table(job: str, runs: Runs) -> str:
    """Return medians over the seeds as a table of one row."""
    header = [
        "job", "seeds", "published loop (s)", "its assignments", "its sweeps", "native (s)", "products", "assignments",
        "objectives", "plan", "products in sweeps", "faster", "objective", "memory, loop", "memory, native",
    ]  # fmt: skip
    return markdown_table(header, [row(job, runs)])


def row(job: str, runs: Runs) -> list[str]:
    loop, native = runs[LOOP], runs[NATIVE]
    seeds = " / ".join(str(len(records)) for records in (loop, native))
    return [
        job,
        seeds,
        middle(loop, lambda record: record["seconds"], "{:.3g}"),
        middle(loop, lambda record: record["stats"]["assignment_seconds"], "{:.3g}"),
        middle(loop, lambda record: record["sweeps"], "{:g}"),
        middle(native, lambda record: record["seconds"], "{:.3g}"),
        *(middle(native, stage(name), "{:.2g}") for name in ("product", "assignment", "objective", "planning")),
        middle(native, lambda record: record["stats"]["product_flop"] / record["sweep_flop"], "{:.2f}"),
        ratio_of_medians(loop, native),
        objective_ratio(loop, native),
        *(middle(records, lambda record: record["memory_bytes"] / 1e6, "{:.0f} MB") for records in runs.values()),
    ]  # fmt: skip


def stage(name: str) -> Callable[[Record], float]:
    def of(record: Record) -> float:
        share = record.get("share_of_wall", record["seconds"] / record["wall_seconds"])
        return float(record["stats"][f"{name}_seconds"]) * share

    return of


def middle(records: list[Record], value: Callable[[Record], float], form: str) -> str:
    values = [value(record) for record in records if record.get("memory_bytes", 0) or "MB" not in form]
    return form.format(statistics.median(values)) if values else "–"


def ratio_of_medians(loop: list[Record], native: list[Record]) -> str:
    if not loop or not native:
        return "–"
    slow, fast = (statistics.median(record["seconds"] for record in records) for records in (loop, native))
    return f"{slow / fast:.1f}×"


def objective_ratio(loop: list[Record], native: list[Record]) -> str:
    """The mean rise of the native objective over the identity's, as a share of the loop's.

    Over common seeds where these draw the networks; over all where they draw the loop's order for the same pair.
    """
    rises = {
        program: {r["seed"]: r["objective"] - r["first_objective"] for r in records}
        for program, records in ((LOOP, loop), (NATIVE, native))
    }
    if len({f"{record['first_objective']:.6g}" for record in loop + native}) > 1:
        common = rises[LOOP].keys() & rises[NATIVE].keys()
        rises = {program: {seed: found[seed] for seed in common} for program, found in rises.items()}
    if not rises[LOOP] or not rises[NATIVE]:
        return "–"
    return f"{statistics.mean(rises[NATIVE].values()) / statistics.mean(rises[LOOP].values()):.4f}"


if __name__ == "__main__":
    main()
