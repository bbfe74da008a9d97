"""How long do the import and the command line take to start, and how large is a wheel?

    python benchmarks/import_time.py [--processes 21] [--old PYTHONPATH] [--wheel FILE]

Medians over processes that take turns, their bytecode written by a first round. ``-X importtime`` counts wall time,
here without NumPy and SciPy, which are imported before; processor time is that of whole processes, less those that
import NumPy and SciPy alone. ``--old`` measures another version beside this one, by the PYTHONPATH that finds it.
"""

import os
import re
import resource
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from common.command import command_line
from common.environment import environment_line, markdown_table

IMPORT = "import numpy, scipy, rebasin_fast"
OWN = re.compile(r"import time:\s*(\d+) \|\s*\d+ \| *\S+")


def run(arguments: list[str], bytecode: str, path: str | None) -> tuple[float, str]:
    """Processor milliseconds of a Python process, and its standard error."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPYCACHEPREFIX": bytecode, **({} if path is None else {"PYTHONPATH": path})}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1e3 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime), done.stderr


def import_milliseconds(importtime: str) -> float:
    """The modules that are imported after those of SciPy."""
    _, _, after = importtime.rpartition("| scipy\n")
    return 1e-3 * sum(map(int, OWN.findall(after)))


def measurements(bytecode: str, path: str | None) -> dict[str, float]:
    """One process for each question."""
    beneath, _ = run(["-c", "import numpy, scipy"], bytecode, path)
    whole, _ = run(["-c", IMPORT], bytecode, path)
    _, importtime = run(["-X", "importtime", "-c", IMPORT], bytecode, path)
    help_page, _ = run(["-m", "rebasin_fast.cli", "--help"], bytecode, path)
    return {
        "Python, NumPy and SciPy, processor": beneath,
        "rebasin_fast beyond them, processor": whole - beneath,
        "rebasin_fast beyond them, importtime": import_milliseconds(importtime),
        "rebasin-fast --help, processor": help_page,
    }


def main() -> None:
    parser = command_line(__doc__)
    parser.add_argument("--processes", type=int, default=21)
    parser.add_argument("--old", metavar="PYTHONPATH", help="finds another version of the package")
    parser.add_argument("--wheel", type=Path, nargs="+", default=[])
    options = parser.parse_args()
    paths = {"this version": None, **({"old version": options.old} if options.old else {})}
    with TemporaryDirectory() as bytecode:
        rounds = [
            {name: measurements(bytecode, path) for name, path in paths.items()}
            for _ in range(options.processes + 1)
        ][1:]
    rows = [
        [question, *(f"{median(found[name][question] for found in rounds):.0f}" for name in paths)]
        for question in rounds[0]["this version"]
    ]
    print(f"{environment_line()}\n\n{markdown_table(['milliseconds', *paths], rows)}")
    if options.wheel:
        sizes = [[wheel.name, f"{wheel.stat().st_size / 1e6:.2f}"] for wheel in options.wheel]
        print("\n" + markdown_table(["wheel", "MB"], sizes))


if __name__ == "__main__":
    main()
