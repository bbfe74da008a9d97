"""One bar for every event; its line is ended whatever happens within; a log gets plain lines."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import rebasin_fast as rf
from rebasin_fast._terminal.progress import ProgressBar, listener
from rebasin_fast.matching import Progress

STAGES = [("loading", 0, 2), ("drawing", 1, 2), ("done", 2, 2)]
COUNTS = [(1, 2), (2, 2)]
VISITS = [
    (Progress(sweep, 10, visit, 2, f"P{visit}", 1.5 * visit, restart, 2, 90.4),)
    for restart in (1, 2)
    for sweep in (1, 2)
    for visit in (1, 2)
]


# Methods whose sweeps are single steps.
STEPS = [(Progress(step, 10, 1, 1, "", 1.0),) for step in range(1, 8)]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def written(monkeypatch: pytest.MonkeyPatch, events: list[tuple[Any, ...]], stream: io.StringIO) -> str:
    """Not a fixture: pytest puts its own standard error back between a fixture and the test."""
    monkeypatch.setattr(sys, "stderr", stream)
    with listener(True, "b.pt") as notify:
        assert notify is not None
        for event in events:
            notify(*event)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("events", "words"),
    [
        (STAGES, ["done", "2/2"]),
        (COUNTS, ["b.pt", "2/2"]),
        (VISITS, ["b.pt: run 2/2, sweep 2", "objective 3"]),
    ],
)
def test_a_terminal_gets_one_bar_that_ends_its_line(
    events: list[tuple[Any, ...]], words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = written(monkeypatch, events, Terminal())
    assert text.endswith("\n")
    last = text.rstrip("\n").split("\r")[-1]
    assert all(word in last for word in words)
    assert "\x1b[?25l" not in text  # a hidden cursor


def test_the_title_of_a_step_is_shown_when_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with listener(True) as notify:
        assert notify is not None
        for event in STAGES:
            notify(*event)
            assert event[0] in terminal.getvalue().split("\r")[-1]


def test_a_log_gets_a_line_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    assert written(monkeypatch, STAGES, io.StringIO()) == "[1/2] loading\n[2/2] drawing\n"
    assert written(monkeypatch, [(0, 2), *COUNTS, (3, None)], io.StringIO()) == (
        "[1/2] b.pt\n[2/2] b.pt\n[3/?] b.pt\n"
    )
    lines = written(monkeypatch, VISITS, io.StringIO()).splitlines()
    assert lines[0] == "b.pt: run 1/2, sweep 1: objective 3, about 1 min 30 s left"
    assert len(lines) == 4


@pytest.mark.parametrize("event", [STAGES[0], COUNTS[0], VISITS[0]])
def test_an_interrupted_bar_ends_its_line(event: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    def work() -> None:
        with listener(True) as notify:
            assert notify is not None
            notify(*event)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert terminal.getvalue().endswith("\n")


def test_names_steer_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    text = written(monkeypatch, [(Progress(1, 1, 1, 1, "P\x1b[2J", 1.0),)], Terminal())
    assert "\\x1b[2J" in text
    assert "\x1b[2J" not in text


def test_other_values_than_true_are_their_own_listeners() -> None:
    calls: list[Any] = []
    for value, expected in ((None, None), (False, None), (calls.append, calls.append)):
        with listener(value) as notify:
            assert notify == expected
    with listener(True) as notify:
        assert isinstance(notify, ProgressBar)


def test_tqdm_is_imported_with_the_first_bar_alone() -> None:
    code = (
        "import sys\nfrom rebasin_fast._terminal.progress import listener\n"
        "with listener(True) as notify: notify(1, 2)\n"
        "print('tqdm' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("False\n", "[1/2]\n")


def test_a_bar_for_a_curve_by_true(capsys: pytest.CaptureFixture[str]) -> None:
    ends = {"w": np.zeros(1)}, {"w": np.ones(1)}
    rf.loss_curve(lambda params: float(params["w"][0]), *ends, ts=3, progress=True)
    assert capsys.readouterr().err == "[1/3] points\n[2/3] points\n[3/3] points\n"
