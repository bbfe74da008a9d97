"""The environment of a measured number: machine, versions, command, time; and tables of numbers."""

import importlib.metadata
import json
import os
import platform
import shlex
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[1] / "results"
PACKAGES = (
    "rebasin-fast", "numpy", "scipy", "torch", "torchvision", "timm", "scikit-learn", "matplotlib"
)  # fmt: skip


def environment() -> dict[str, Any]:
    """Return machine, versions and command line as JSON values."""
    return {
        "machine": machine(),
        "python": platform.python_version(),
        "versions": {name: version for name in PACKAGES if (version := _version(name))},
        "command": command(),
        "date": datetime.now(timezone.utc).isoformat(timespec="minutes"),
    }


def machine() -> str:
    """Return the processor's name and the number of processors that this process may use."""
    return f"{_processor()}, {_usable_processors()} logical CPUs, {platform.system()} {platform.machine()}"


def command() -> str:
    """Return the command line that measures the same again."""
    script = Path(sys.argv[0]).resolve()
    try:
        shown = script.relative_to(RESULTS.parents[1])
    except ValueError:
        shown = script
    return shlex.join(["python", str(shown), *sys.argv[1:]])


def environment_line() -> str:
    """Return the environment as one line of Markdown."""
    found = environment()
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    return f"{found['machine']}; Python {found['python']}, {versions}; `{found['command']}`"


def write_results(name: str, results: dict[str, Any], markdown: str, folder: Path = RESULTS) -> None:
    """Write ``name.json`` and ``name.md``, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"environment": environment(), **results}, indent=1)
    for path, content in ((folder / f"{name}.json", text), (folder / f"{name}.md", markdown)):
        unfinished = path.with_name(f".{path.name}.tmp")
        unfinished.write_text(content + "\n", encoding="utf-8")
        unfinished.replace(path)


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table, its first column flush left and the others flush right."""
    from rebasin_fast._terminal.tables import table  # not of an older build that is measured

    return table(rows, header, style="markdown")


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown processor"


def _usable_processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
