"""Tables of text: aligned for a terminal of any width, or Markdown for documents."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from io import StringIO
from typing import Literal

from rebasin_fast._terminal.legible import legible

_ALIGNMENTS: dict[str, Literal["left", "right"]] = {"l": "left", "r": "right"}
_UNLIMITED = 100_000


def table(
    rows: Iterable[Sequence[object]],
    header: Sequence[str] = (),
    *,
    align: str = "lr",
    style: Literal["text", "markdown"] = "text",
    width: int | None = None,
) -> str:
    """Rows as lines of text without colour and without trailing spaces.

    Parameters
    ----------
    rows : iterable of sequences
        Cells, all rows of one length. Control characters are spelled out.
    header : sequence of str
        Titles of the columns; none where empty.
    align : str
        One letter a column, "l" or "r"; the last one holds for all further columns.
    style : {"text", "markdown"}
        Columns padded with spaces, or the table syntax of GitHub's Markdown.
    width : int, optional
        Characters a line of text: cells are wrapped where a table is wider. By default the width of the terminal, and
        no limit where standard output is none.

    Examples
    --------
    >>> print(table([("loss", "0.25"), ("accuracy", "0.9")], ["metric", "A"]))
    metric       A
    loss      0.25
    accuracy   0.9
    """
    cells = [[legible(cell, keep="\n") for cell in row] for row in rows]
    columns = max(map(len, [header, *cells]))
    align = align[:columns] + align[-1] * (columns - len(align))
    if style == "markdown":
        rule = ["---:" if letter == "r" else "---" for letter in align]
        return "\n".join(f"| {' | '.join(line)} |" for line in [header, rule, *cells])
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=bool(header))
    vertical: Literal["top", "bottom"] = "bottom" if header else "top"
    for title, letter in zip(header or [""] * columns, align, strict=True):
        grid.add_column(Text(title), justify=_ALIGNMENTS[letter], vertical=vertical, overflow="fold")
    for row in cells:
        grid.add_row(*map(Text, row))
    output = StringIO()
    if width is None:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _UNLIMITED
    console = Console(file=output, width=width, color_system=None, force_terminal=False, force_jupyter=False)
    console.print(grid)
    return "\n".join(line.rstrip() for line in output.getvalue().splitlines())
