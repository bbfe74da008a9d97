"""Progress of long work: the events that callbacks get, and a bar that takes all of them.

On a terminal and in a notebook the bar is tqdm's, which is imported when the first event arrives. Elsewhere, as in a
log, every sweep or step is one plain line. All of it goes to standard error.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import numpy as np

from rebasin_fast._terminal.legible import legible


@dataclass(frozen=True, slots=True)
class Progress:
    """One visit of a permutation during the descent.

    ``sweep`` counts from 1 to at most ``max_sweeps``; ``visit`` from 1 to ``visits`` within the sweep;
    ``restart`` from 1 to ``restarts``. ``objective`` is the float64 objective after the visit. ``seconds_left`` is
    an estimate for this run: the products known to be outstanding, at the pace so far; units that
    move add to them. None before a twentieth of these products is done.
    """

    sweep: int
    max_sweeps: int
    visit: int
    visits: int
    permutation: str
    objective: float
    restart: int = 1
    restarts: int = 1
    seconds_left: float | None = None


ProgressCallback: TypeAlias = Callable[[Progress], object]
Callback = TypeVar("Callback", bound=Callable[..., object])


class ProgressBar:
    """A callback for every ``progress`` argument of the package; one bar from the first event to ``close``.

    Called with a :class:`Progress`, with (steps done, steps in all or None) after a step, or with (stage, steps done,
    steps in all) before one. Not for several threads at once.
    """

    def __init__(self, label: str = "") -> None:
        self._label = legible(label)
        self._bar: Any = None
        self._is_drawn = sys.stderr.isatty() or "ipykernel" in sys.modules

    def __call__(self, *event: Any) -> None:
        """Show one event."""
        match event:
            case (Progress() as visit,):
                run = f"run {visit.restart}/{visit.restarts}, " if visit.restarts > 1 else ""
                title = f"{self._label}{': ' * bool(self._label)}{run}sweep {visit.sweep}"
                state = f"objective {visit.objective:.6g}{_time_left(visit.seconds_left)}"
                line = f"{title}: {state}" if visit.visit == visit.visits else ""
                place = f"{legible(visit.permutation)}  {state}".lstrip()
                sweep, step = (visit.sweep, visit.max_sweeps), (visit.visit, visit.visits)
                self._show(title, *(step if visit.visits > 1 else sweep), line, place)
            case (str() as stage, int() as done, int() as total):
                self._show(stage, done, total, f"[{done + 1}/{total}] {stage}" if done < total else "")
            case (int() as done, total):
                line = f"[{done}/{total or '?'}] {self._label}".rstrip() if done else ""
                self._show(self._label, done, total, line)

    def close(self) -> None:
        """End the line of the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _show(self, title: str, done: int, total: int | None, line: str, state: str = "") -> None:
        """Move the bar, or write ``line`` where there is none."""
        if not self._is_drawn:
            if line:
                sys.stderr.write(f"{line}\n")
                sys.stderr.flush()
            return
        if self._bar is None:
            self._bar = _new_bar(title, total)
        if self._bar.total != total or self._bar.n > done:
            self._bar.reset(total)
        self._bar.set_postfix_str(state, refresh=False)
        self._bar.update(done - self._bar.n)
        # A step may take long: its title is shown at once, not with the next drawing of the bar.
        self._bar.set_description_str(title, refresh=title != self._bar.desc)


@contextmanager
def listener(progress: Callback | bool | None, label: str = "") -> Iterator[Callback | ProgressBar | None]:
    """The callback for a ``progress`` argument: a bar for True, none for False and None, else the argument itself.

    Parameters
    ----------
    progress : callable, bool or None
    label : str
        The subject of the bar, such as the name of a file.

    Yields
    ------
    callable or None
        The bar is closed when the block ends, and when an exception leaves it.

    Examples
    --------
    >>> with listener(None) as notify:
    ...     print(notify)
    None
    """
    if isinstance(progress, int | np.bool_) and progress in (0, 1):
        progress = bool(progress)
    if progress is None or progress is False:
        yield None
        return
    if progress is not True:
        if not callable(progress) or isinstance(progress, type):
            raise TypeError(f"progress is a function, True or False; got {type(progress).__qualname__}")
        yield progress
        return
    bar = ProgressBar(label)
    try:
        yield bar
    finally:
        bar.close()


def _new_bar(title: str, total: int | None) -> Any:
    if "ipykernel" in sys.modules:
        from tqdm.auto import tqdm
    else:  # tqdm.auto imports asyncio
        from tqdm import tqdm

    class Bar(tqdm):  # type: ignore[misc]
        monitor_interval = 0  # no thread of tqdm's own

    form = "{desc} |{bar}| {n_fmt}/{total_fmt}{postfix}"
    return Bar(desc=title, total=total, file=sys.stderr, dynamic_ncols=True, bar_format=form)


def _time_left(seconds: float | None) -> str:
    if seconds is None or seconds < 1.0:
        return ""
    minutes, seconds = divmod(round(seconds), 60)
    return f", about {minutes} min {seconds:02d} s left" if minutes else f", about {seconds} s left"
