"""The one table printer: aligned, wrapped to a width, plain in a pipe, and Markdown."""

from __future__ import annotations

import io
import sys

import pytest

from rebasin_fast._terminal.tables import table

HEADER = ["metric", "as they are", "matched"]
ROWS = [("loss", "0.25", "10.5"), ("accuracy", "0.9", "0.98")]


def test_columns_are_aligned_without_trailing_spaces() -> None:
    assert table(ROWS, HEADER).splitlines() == [
        "metric    as they are  matched",
        "loss             0.25     10.5",
        "accuracy          0.9     0.98",
    ]
    assert table([("a", 1), ("long", 20)], align="l") == "a     1\nlong  20"


@pytest.mark.parametrize("width", [18, 24, 80])
def test_a_narrow_terminal_wraps_and_loses_nothing(width: int) -> None:
    text = table(ROWS, HEADER, width=width)
    assert max(map(len, text.splitlines())) <= width
    for word in ("0.25", "10.5", "0.98"):
        assert word in text
    assert "…" not in text


def test_the_width_is_that_of_the_terminal_and_unlimited_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    row = [("name", "word " * 40)]
    assert len(table(row, align="l").splitlines()) == 1
    monkeypatch.setenv("COLUMNS", "60")
    assert len(table(row, align="l").splitlines()) == 1
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stdout", terminal)
    assert max(map(len, table(row, align="l").splitlines())) <= 60


def test_markdown_has_alignments() -> None:
    assert table(ROWS[:1], HEADER, style="markdown") == (
        "| metric | as they are | matched |\n| --- | ---: | ---: |\n| loss | 0.25 | 10.5 |"
    )


def test_no_markup_and_no_control_characters() -> None:
    text = table([("[red]a[/red]", ":smile: \x1b[1m")], align="l")
    assert text == "[red]a[/red]  :smile: \\x1b[1m"
