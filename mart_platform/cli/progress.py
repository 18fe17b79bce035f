"""How a build goes, for whoever watches: one live display on a terminal, one line a step elsewhere."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Display

from mart_platform.cli import terminal
from mart_platform.ports import Progress

_log = logging.getLogger(__name__)


@contextmanager
def watched(console: Console, total: int, *, quiet: bool) -> Iterator[Progress]:
    """Give the progress of a run of ``total`` steps: live, as lines, or told to the log only."""
    if quiet:
        yield Steps(total)
    elif not console.is_terminal:
        yield Lines(console, total)
    else:
        with _display(console) as display:
            yield Live(display, total)


class Steps:
    """Counts the steps, times them and tells the log; what is shown is up to the classes below.

    Steps may run in several threads.
    """

    def __init__(self, total: int) -> None:
        self.total, self.done = total, 0
        self._began: dict[str, float] = {}
        self._rows: dict[str, int] = {}
        self._lock = threading.Lock()

    def begins(self, subject: str, verb: str) -> None:
        with self._lock:
            self._began.setdefault(subject, time.monotonic())
            self.show_begin(subject, verb)

    def advances(self, subject: str, rows: int) -> None:
        with self._lock:
            self._rows[subject] = self._rows.get(subject, 0) + rows
            self.show_rows(subject, self._rows[subject])

    def ends(self, subject: str, outcome: str) -> None:
        with self._lock:
            self.done += 1
            self.total = max(self.total, self.done)
            began = self._began.pop(subject, None)
            seconds = time.monotonic() - began if began is not None else 0.0
            rows = self._rows.pop(subject, None)
            facts = {"subject": subject, "outcome": outcome, "seconds": round(seconds, 3), "rows": rows}
            _log.info("%s %s", subject, outcome, extra=facts)
            self.show_end(subject, outcome, seconds, rows)

    def show_begin(self, subject: str, verb: str) -> None:
        """Show that a step began."""

    def show_rows(self, subject: str, rows: int) -> None:
        """Show how many rows a step has seen so far."""

    def show_end(self, subject: str, outcome: str, seconds: float, rows: int | None) -> None:
        """Show that a step ended."""


class Lines(Steps):
    """Prints one line for each step that ended: for logs, and for whoever reads them later."""

    def __init__(self, console: Console, total: int) -> None:
        super().__init__(total)
        self._console = console

    def show_end(self, subject: str, outcome: str, seconds: float, rows: int | None) -> None:
        told = f"{rows:,} rows read, " if rows is not None else ""
        line = f"[{self.done}/{self.total}] {subject} {outcome} ({told}{terminal.took(seconds)})"
        with suppress(BrokenPipeError):  # whoever listened is gone; the build goes on
            self._console.print(line, soft_wrap=True)


class Live(Steps):
    """Shows the whole run as one bar, and below it each step that is under way with its rows."""

    def __init__(self, display: Display, total: int) -> None:
        super().__init__(total)
        self._display = display
        self._all = display.add_task("build", total=total, told="", count=f"0/{total}")
        self._under_way: dict[str, TaskID] = {}

    def show_begin(self, subject: str, verb: str) -> None:
        if subject not in self._under_way:
            self._under_way[subject] = self._display.add_task(subject, total=None, told=verb, count="")

    def show_rows(self, subject: str, rows: int) -> None:
        if subject in self._under_way:
            self._display.update(self._under_way[subject], told=f"{rows:,} rows")

    def show_end(self, subject: str, outcome: str, seconds: float, rows: int | None) -> None:
        if subject in self._under_way:
            self._display.remove_task(self._under_way.pop(subject))
        self._display.update(
            self._all,
            completed=self.done,
            total=self.total,
            count=f"{self.done}/{self.total}",
            told=f"{subject} {outcome}",
        )


def _display(console: Console) -> Display:
    return Display(
        TextColumn("{task.description}", style="bold"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[count]}"),
        TextColumn("{task.fields[told]}", style="dim"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
