"""Bars on a terminal: the line is ended and the cursor shown again, even after errors."""

from __future__ import annotations

import io
import sys

import pytest

from rebasin_fast.cli.progress import MatchingProgress, StageProgress
from rebasin_fast.matching import Progress

SHOW_CURSOR, HIDE_CURSOR = "\033[?25h", "\033[?25l"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Not a fixture: pytest puts its own standard error back between a fixture and the test."""
    found = Terminal()
    monkeypatch.setattr(sys, "stderr", found)
    return found


def _half_of_the_stages() -> None:
    with StageProgress() as progress:
        progress("loss on the line", 0, 4)
        progress("loss on the line", 2, 4)
        raise KeyboardInterrupt


def _half_a_sweep() -> None:
    with MatchingProgress(label="b.pt: ") as progress:
        progress(Progress(1, 10, 1, 4, "P0", 1.5))
        progress(Progress(1, 10, 2, 4, "P1", 2.5))
        raise KeyboardInterrupt


@pytest.mark.parametrize("work", [_half_of_the_stages, _half_a_sweep])
def test_an_interrupted_bar_gives_the_cursor_back(work, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _terminal(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        work()
    written = terminal.getvalue()
    assert HIDE_CURSOR in written
    assert written.endswith(f"{SHOW_CURSOR}\n")


def test_a_whole_sweep_ends_its_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _terminal(monkeypatch)
    with MatchingProgress() as progress:
        for visit in range(1, 5):
            progress(Progress(1, 10, visit, 4, "P0", 1.5))
        assert terminal.getvalue().endswith(f"{SHOW_CURSOR}\n")
    assert terminal.getvalue().count(SHOW_CURSOR) == 1


def test_quiet_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _terminal(monkeypatch)
    with StageProgress(quiet=True) as progress:
        progress("stage", 0, 2)
    assert terminal.getvalue() == ""
