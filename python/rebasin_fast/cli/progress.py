"""Progress on standard error: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from rebasin_fast.matching import Progress

if TYPE_CHECKING:
    from typing_extensions import Self


@contextmanager
def telling_of_resume(path: Path | None) -> Iterator[None]:
    """Where Ctrl-C ends the block, says that ``path`` keeps the steps taken."""
    try:
        yield
    except KeyboardInterrupt:
        if path is not None and path.exists():
            click.echo(f"The steps taken are in {path}: the same command goes on from there.", err=True)
        raise


class _BarOwner:
    """A callback that may have a bar open, which hides the cursor; on leaving the block the bar is ended."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._bar: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end_bar()

    def _begin_bar(self, length: int, label: str = "") -> None:
        self._bar = click.progressbar(
            length=length,
            label=label,
            file=sys.stderr,
            show_eta=False,
            item_show_func=lambda shown: shown or "",
        )
        self._bar.__enter__()

    def _end_bar(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None


class StageProgress(_BarOwner):
    """A callback (stage, steps done, steps in all): a bar on a terminal, a line a stage in a log."""

    def __init__(self, *, quiet: bool = False) -> None:
        super().__init__(quiet=quiet)

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show the step that begins now; ``done == total`` ends the bar."""
        if self._quiet:
            return
        if not self._terminal:
            if done < total:
                click.echo(f"[{done + 1}/{total}] {stage}", err=True)
            return
        if self._bar is None:
            self._begin_bar(total)
        self._bar.update(done - self._bar.pos, stage)
        if done == total:
            self._end_bar()


class MatchingProgress(_BarOwner):
    """A callback for ``weight_matching(progress=)``; writes to standard error only."""

    def __init__(self, *, quiet: bool = False, label: str = "") -> None:
        super().__init__(quiet=quiet)
        self._label = label

    def __call__(self, progress: Progress) -> None:
        """Show one visit."""
        if self._quiet:
            return
        if not self._terminal:
            if progress.visit == progress.visits:
                click.echo(
                    f"{self._title(progress)}: objective {progress.objective:.6g}{_left(progress)}", err=True
                )
            return
        if progress.visit == 1:
            self._end_bar()
            self._begin_bar(progress.visits, self._title(progress))
        self._bar.update(1, _shown(progress))
        if progress.visit == progress.visits:
            self._end_bar()

    def _title(self, progress: Progress) -> str:
        run = f"run {progress.restart}/{progress.restarts}, " if progress.restarts > 1 else ""
        return f"{self._label}{run}sweep {progress.sweep}"


def _shown(progress: Progress) -> str:
    return f"{progress.permutation}  objective {progress.objective:.6g}{_left(progress)}"


def _left(progress: Progress) -> str:
    if progress.seconds_left is None or progress.seconds_left < 1.0:
        return ""
    minutes, seconds = divmod(round(progress.seconds_left), 60)
    return f", about {minutes} min {seconds:02d} s left" if minutes else f", about {seconds} s left"
