"""The pieces of HTML that sections are made of. Arguments are HTML already, but for names in lists."""

from __future__ import annotations

from rebasin_fast.report.text import label

# Rows of a table that are shown without unfolding it.
OPEN_ROWS = 40
_LISTED = 200
KEY = '<p class="key"><span><i class="before"></i>before</span><span><i class="after"></i>after</span></p>'


def tile(title: str, big: str, small: str) -> str:
    """A number that matters, and what it says."""
    return f'<div class="tile"><h3>{title}</h3><div class="big">{big}</div><div class="small">{small}</div></div>'


def section(title: str, words: str, body: str) -> str:
    """A card of the page."""
    return f"<section><h2>{title}</h2>{f'<p>{words}</p>' if words else ''}{body}</section>"


def table(head: str, rows: list[str]) -> str:
    """A table that scrolls by itself where the page is narrow."""
    return f'<div class="wide"><table><tr>{head}</tr>{"".join(rows)}</table></div>'


def long_table(head: str, rows: list[str]) -> str:
    """A table whose rows beyond the first are folded away."""
    if len(rows) <= OPEN_ROWS:
        return table(head, rows)
    rest = f"<details><summary>{len(rows) - OPEN_ROWS:,} more</summary>"
    return table(head, rows[:OPEN_ROWS]) + rest + table(head, rows[OPEN_ROWS:]) + "</details>"


def folded_list(summary: str, why: str, names: list[str]) -> str:
    """Names that are there for whoever asks."""
    more = f", and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    listed = ", ".join(map(label, names[:_LISTED]))
    return f"<details><summary>{summary}</summary><p>{why}</p><p><code>{listed}{more}</code></p></details>"
