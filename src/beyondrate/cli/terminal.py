"""What a person sees in the terminal: output, errors, and how far long work is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from beyondrate.progress import Progress

out_console = Console()
err_console = Console(stderr=True)
STOPPED = 130  # exit status after Ctrl-C
KEPT = "What is finished is kept; --resume goes on."
PLAIN_SECONDS = 10  # between two lines of progress where the output is no terminal


@contextmanager
def progress_shown(when_stopped: str = "Nothing was written.") -> Iterator[Progress]:
    """Show how far long work is and the time left: a bar in a terminal, else a line now and then.

    Ctrl-C inside ends the program, saying what is left of the work.
    """
    try:
        if err_console.is_terminal:
            with _bar() as show:
                yield show
        else:
            yield _PlainProgress()
    except KeyboardInterrupt:
        err_console.print("\nStopped. " + when_stopped)
        raise typer.Exit(STOPPED) from None


@contextmanager
def _bar() -> Iterator[Progress]:
    columns = [
        BarColumn(bar_width=28),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    ]
    with RichProgress(*columns, console=err_console, transient=True) as bars:
        task = bars.add_task("", total=None)
        seen_total = 0

        def show(done: int, total: int, what: str) -> None:
            nonlocal seen_total
            if total != seen_total:  # another piece of work has begun
                bars.reset(task)
                seen_total = total
            bars.update(task, completed=done, total=total, description=what[:60])

        yield show


class _PlainProgress:
    def __init__(self) -> None:
        self.started = self.last = time.monotonic()
        self.total = 0

    def __call__(self, done: int, total: int, what: str) -> None:
        now = time.monotonic()
        if total != self.total:
            self.started, self.last, self.total = now, now, total
        if done < total and now - self.last < PLAIN_SECONDS:
            return
        self.last = now
        left = (now - self.started) * (total - done) / max(done, 1)
        err_console.print(
            f"{100 * done // max(total, 1):3d} %  {left:.0f} s left  {what}", highlight=False, markup=False
        )
