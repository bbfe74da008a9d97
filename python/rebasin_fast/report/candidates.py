"""One self-contained HTML page about a merge: the table of its candidates."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rebasin_fast import __version__
from rebasin_fast.files import atomic_write, check_writable
from rebasin_fast.report.page import environment

if TYPE_CHECKING:
    from rebasin_fast.evaluation.merge.result import Merged


def write_candidates(
    path: str | os.PathLike[str], merged: Merged, names: Sequence[str], *, overwrite: bool = False
) -> None:
    """Write the page; ``names`` are those of the models."""
    check_writable(path, overwrite)
    columns = merged.columns()
    numbers = list(columns)[2:]  # the place and the metrics
    rows = list(zip(*columns.values(), strict=True))
    text = environment().get_template("candidates.html").render(
        merged=merged, names=names, header=list(columns), rows=rows, numbers=numbers, version=__version__
    )  # fmt: skip
    with atomic_write(path, overwrite=overwrite, text=True) as file:
        file.write(text)
