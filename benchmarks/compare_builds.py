"""Does a change of the source cost time? Weight matching by two builds, in turn.

    python benchmarks/compare_builds.py --old /path/to/another/checkout/python --jobs resnet20 mlp512-trained --rounds 5

Each build matches each pair in processes of its own, new and old in turn, the first of a round by turns. A row has the
medians of both and their ratio, new / old, and says whether both found one permutation. Assignments are compared in one
process by `bench_everybody.py --won --old`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from common.command import command_line
from common.environment import environment_line, markdown_table
from matching.jobs import JOBS

import rebasin_fast as rf

RUN = Path(__file__).with_name("matching") / "run.py"
NEW = Path(rf.__file__).resolve().parents[1]

Record = dict[str, Any]


def main() -> None:
    options = parse_options()
    rows = [row(job, measure_in_turn(job, options)) for job in options.jobs]
    header = ["job", "seed", "old (s)", "new (s)", "new / old", "least and most of the rounds", "permutation"]
    print(markdown_table(header, rows))
    print(
        f"\nProcessor seconds of one BLAS thread, medians of {options.rounds} rounds. {environment_line()}."
    )


def parse_options() -> argparse.Namespace:
    parser = command_line(__doc__, "--cache")
    parser.add_argument("--old", type=Path, required=True, help="folder that holds the other rebasin_fast")
    parser.add_argument("--jobs", nargs="+", choices=list(JOBS), default=["resnet20", "resnet50-related"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--options", default="{}", help="of rf.weight_matching, as JSON")
    return parser.parse_args()


def measure_in_turn(job: str, options: argparse.Namespace) -> dict[Path, list[Record]]:
    runs: dict[Path, list[Record]] = {options.old: [], NEW: []}
    for number in range(options.rounds):
        for build in sorted(runs, key=lambda build: (build == NEW) == bool(number % 2)):
            runs[build].append(measure(job, build, options))
    return runs


def measure(job: str, build: Path, options: argparse.Namespace) -> Record:
    command = [sys.executable, str(RUN), "--job", job, "--seed", str(options.seed), "--program", "native"]
    command += ["--threads", "1", "--cache", str(options.cache), "--options", options.options]
    paths = [str(build), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    record: Record = json.loads(done.stdout.splitlines()[-1])
    return record


def row(job: str, runs: dict[Path, list[Record]]) -> list[str]:
    old, new = ([record["seconds"] for record in records] for records in runs.values())
    ratios = [b / a for a, b in zip(old, new, strict=True)]
    permutations = {record["permutation"] for records in runs.values() for record in records}
    seed = str(next(iter(runs.values()))[0]["seed"])
    return [
        job,
        seed,
        f"{statistics.median(old):.4g}",
        f"{statistics.median(new):.4g}",
        f"{statistics.median(new) / statistics.median(old):.3f}",
        f"{min(ratios):.2f}, {max(ratios):.2f}",
        "one" if len(permutations) == 1 else f"**{len(permutations)}**",
    ]


if __name__ == "__main__":
    main()
