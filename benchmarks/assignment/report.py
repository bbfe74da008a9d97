"""Rows of the comparison on matrices from other programs: ratios, counters, lines on the screen, the table."""

import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
from common.environment import environment_line, markdown_table
from common.timing import Timing

import rebasin_fast._core as core
from assignment.cases import Case
from assignment.rivals import OURS

Row = dict[str, Any]


def row_of(case: Case, cost: np.ndarray, timing: Timing) -> Row:
    """Return the table's row of one case."""
    return {
        "case": case.label,
        "family": case.family,
        "rows": case.rows,
        "columns": case.columns,
        "dtype": str(cost.dtype),
        "forbidden": case.forbidden,
        **measured(timing),
    }


def measured(timing: Timing, ours_too: tuple[str, ...] = OURS) -> Row:
    """Return our time and the ratios to it; a ratio is None where a solver is missing."""
    seconds = timing.seconds
    ours = seconds.get("rebasin_fast", seconds.get("new"))
    rivals = {k: s for k, s in seconds.items() if k not in ours_too and k not in timing.wrong}
    best = min(rivals, key=lambda name: rivals[name]) if rivals else None
    return {
        "ours_ms": 1e3 * ours if ours else None,
        "scipy": seconds["scipy"] / ours if ours and "scipy" in seconds else None,
        "best_rival": best,
        "rival": rivals[best] / ours if ours and best else None,
        "old": seconds["old"] / seconds["new"] if "old" in seconds and "new" in seconds else None,
        "wrong": timing.wrong,
        "left_out": timing.left_out,
        "seconds": seconds,
    }


def counters_of(costs: list[np.ndarray]) -> Row:
    """Return our solver's operations on the matrix that took the most reads."""
    found: list[Row] = []
    for cost in costs:
        try:
            counted = core.assignment_counters(cost, False)
            counters: Row = dict(zip(counted.__match_args__, counted, strict=True))
        except ValueError as error:
            return {"error": str(error)}
        counters["reads"] = counters["entries_read"] / cost.size
        found.append(counters)
    return max(found, key=lambda counters: counters["reads"])


def ratio(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}" if value < 10 else f"{value:.0f}"


def work_of(counters: Row) -> str:
    """Return the solver's operations, in reads of the matrix and in the other counters that are not zero."""
    others = {
        key: value for key, value in counters.items() if key not in ("reads", "entries_read", "list_bytes")
    }
    shown = [f"{key} {value}" for key, value in others.items() if value]
    return ", ".join(([f"reads {counters['reads']:.1f}"] if "reads" in counters else []) + shown)


def show(row: Row) -> str:
    wrong = {name: f"{surplus:.0e}" for name, surplus in row["wrong"].items()}
    work = work_of(row.get("counters", {}))
    return (
        f"{row['case']:<34} {row['dtype']:<8}{row['ours_ms'] or 0:10.4f} ms  scipy {ratio(row['scipy']):>6}"
        f"  rival {ratio(row['rival']):>6} {row['best_rival'] or '':<20}"
        + (f" old/new {ratio(row['old']):>5}" if row["old"] else "")
        + f"  {work}"
        + (f"  WRONG {wrong}" if "rebasin_fast" in wrong or "new" in wrong else "")
    )


def badness(row: Row) -> float:
    """Return how far the row is from its targets: 1 against SciPy, a half against the best rival."""
    return min(row["scipy"] or 99.0, 2 * (row["rival"] or 99.0), row["old"] or 99.0)


def summary(rows: list[Row]) -> list[str]:
    lines = []
    for name in ("scipy", "rival", "old"):
        values = sorted(row[name] for row in rows if row[name] is not None)
        if values:
            lost = sum(value < 1 for value in values)
            half = sum(value < 0.5 for value in values)
            lines.append(
                f"{name}/ours: median {statistics.median(values):.2f}, least {values[0]:.3g}, "
                f"{lost} of {len(values)} below 1, {half} below 0.5"
            )
    return lines


def _shape(row: Row) -> str:
    rows, columns = row["rows"], row["columns"]
    if rows == columns:
        return "square"
    return "nearly square" if abs(rows - columns) <= 1 else "wide" if rows < columns else "tall"


def _size(row: Row) -> str:
    least = min(row["rows"], row["columns"])
    bounds = (16, 64, 128, 512)
    return next((f"up to {bound}" for bound in bounds if least <= bound), f"beyond {bounds[-1]}")


def groups(rows: list[Row]) -> list[list[str]]:
    """Return medians and losses by shape, size, element type and forbidden edges: lines of a table."""
    keys: dict[str, Callable[[Row], str]] = {
        "shape": _shape,
        "rows or columns": _size,
        "type": lambda row: str(row["dtype"]),
        "forbidden": lambda row: "with" if row["forbidden"] else "without",
    }
    lines = []
    for kind, key in keys.items():
        for value in sorted({key(row) for row in rows}):
            chosen = [row for row in rows if key(row) == value and row["scipy"] and row["rival"]]
            if not chosen:
                continue
            scipy = sorted(row["scipy"] for row in chosen)
            rival = sorted(row["rival"] for row in chosen)
            lines.append(
                [
                    f"{kind} {value}",
                    str(len(chosen)),
                    ratio(statistics.median(scipy)),
                    ratio(scipy[0]),
                    str(sum(one < 1 for one in scipy)),
                    ratio(statistics.median(rival)),
                    ratio(rival[0]),
                    str(sum(one < 0.5 for one in rival)),
                ]
            )
    return lines


GROUPS = ["group", "rows", "SciPy / ours", "least", "below 1", "best rival / ours", "least", "below 0.5"]


def report(rows: list[Row], versions: dict[str, str], missing: list[str]) -> str:
    header = ["matrices", "type", "ours, ms", "SciPy / ours", "best rival / ours", "best rival"]
    old = any(row["old"] for row in rows)
    table = [
        [
            row["case"],
            row["dtype"],
            f"{row['ours_ms']:.3g}" if row["ours_ms"] else "–",
            ratio(row["scipy"]),
            ratio(row["rival"]),
            row["best_rival"] or "–",
            *([ratio(row["old"])] if old else []),
        ]
        for row in sorted(rows, key=badness)
    ]
    solvers = ", ".join(f"{name} {version}" for name, version in versions.items())
    text = [environment_line(), "", f"Solvers: {solvers}.", *missing, "", *summary(rows), ""]
    text += [markdown_table(GROUPS, groups(rows)), ""]
    return "\n".join([*text, markdown_table(header + ["old / new"] * old, table)])
