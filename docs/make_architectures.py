"""Writes docs/architectures.md from ``benchmarks/trace_models.py``: ``python docs/make_architectures.py``."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
RESULTS = DOCS.parent / "benchmarks" / "results" / "trace_models.json"

INTRODUCTION = """# Architectures

What `rf.trace_spec(model, example_inputs)` finds in known models. Every row was traced from the program of the model,
compared with what a formula gives from the architecture's configuration (`tests/helpers/models/`), and verified: random
permutations change no output of a float64 copy with random parameters by more than 1e-9 of its magnitude. Models that
are "verified on a narrow copy" were traced on the meta device, without weights, and a copy of the same depth was
verified.

*Symmetries* is log10 of the number of networks that equal a given one, exactly. *In place* counts the axes of
parameters that never move, by the operation that holds them: `conv2d` its kernel taps, the input its colours, the
output its classes.

This page is generated: `python benchmarks/trace_models.py && python docs/make_architectures.py`.
"""
HEADER = """| model | parameters | permutations | log10 symmetries | in place | verified |
| --- | ---: | ---: | ---: | --- | --- |"""


def main() -> None:
    """Write the page."""
    found = json.loads(RESULTS.read_text(encoding="utf-8"))
    sections = [INTRODUCTION]
    for title, rows in sorted(_by_source(found["models"]).items()):
        lines = [_line(name.partition("/")[2] or name, row) for name, row in rows]
        sections.append(f"## {title}\n\n{HEADER}\n" + "\n".join(lines) + "\n")
    machine = found["environment"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    sections.append(f"Found with {versions}, on {machine['machine']}.\n")
    (DOCS / "architectures.md").write_text("\n".join(sections), encoding="utf-8")


def _by_source(models: dict[str, Any]) -> dict[str, list[tuple[str, Any]]]:
    sources: dict[str, list[tuple[str, Any]]] = {}
    for name, row in models.items():
        source, slash, _ = name.partition("/")
        sources.setdefault(source if slash else "others", []).append((name, row))
    return sources


def _line(name: str, row: dict[str, Any]) -> str:
    if row["permutations"] is None:
        return f"| {name} | | | | | {row['outcome']} |"
    held = ", ".join(f"{times} by {reason}" for reason, times in Counter(row["frozen"]).most_common(4))
    cells = [
        name,
        f"{row['parameters']:,}",
        str(row["permutations"]),
        f"{row['log10_symmetries']:,.1f}",
        held,
    ]
    return f"| {' | '.join(cells)} | {row['outcome']} |"


if __name__ == "__main__":
    main()
