"""A benchmark as a command: the options that several of them take, its table and its results.

The one place that makes the reference implementations and models of `tests/` importable.
"""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

from networks.storage import DEFAULT_CACHE

from common.environment import RESULTS, environment_line, write_results

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))

COMMON: dict[str, dict[str, Any]] = {
    "--results": {"type": Path, "default": RESULTS, "help": "folder of tables and raw numbers"},
    "--cache": {"type": Path, "default": DEFAULT_CACHE, "help": "folder of trained networks and images"},
    "--threads": {"type": int, "default": 1},
    "--seconds": {"type": float, "default": math.inf, "help": "begin nothing new after these"},
}


def command_line(description: str | None, *common: str) -> argparse.ArgumentParser:
    """Return a parser with the options of `COMMON` that are named; the description keeps its lines."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for option in common:
        parser.add_argument(option, **COMMON[option])
    return parser


def finish(name: str, results: dict[str, Any], text: str, folder: Path) -> None:
    """Print the text with its environment, and write it and the raw results to ``folder``."""
    markdown = f"{text}\n\nMeasured on {environment_line()}."
    print(markdown, end="\n\n", flush=True)
    write_results(name, results, markdown, folder)


def earlier_results(name: str, folder: Path) -> dict[str, Any]:
    """Return what an earlier run of a benchmark has written; an empty mapping if there was none."""
    path = folder / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
