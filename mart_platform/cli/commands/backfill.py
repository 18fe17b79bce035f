"""``mart backfill``: a range of intervals built in pieces, beside production, and published once."""

import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING

import click
from rich.console import Console

from mart_platform.cli import terminal
from mart_platform.cli.moments import Day
from mart_platform.cli.options import allow_wider_access, command
from mart_platform.cli.session import Session

if TYPE_CHECKING:
    from mart_platform.runs.backfilling import BackfillReport, Pace, TableRange

_NICENESS = 10
_LOOKS_AT_THE_CLOCK = 30.0
"""Seconds between two looks whether the allowed hours have come."""


@command(json=True)
@click.argument("target")
@click.option(
    "--from", "first", type=Day(), required=True, metavar="DAY", help="The first day, as 2017-01-01."
)
@click.option("--to", "last", type=Day(), required=True, metavar="DAY", help="The last day, included.")
@click.option("--batch", type=click.IntRange(min=1), default=32, show_default=True, help="Intervals a query.")
@click.option(
    "--memory", metavar="SIZE", help="What the engine may take, as 1GB; else what the settings say."
)
@click.option("--hours", metavar="HH-HH", help="Hours of the day in which it may work, as 22-06; else all.")
@click.option("--dry-run", is_flag=True, help="Tell what would be built, and do nothing.")
@allow_wider_access
def backfill(
    session: Session,
    target: str,
    first: date,
    last: date,
    batch: int,
    memory: str | None,
    hours: str | None,
    dry_run: bool,
    allow_wider_access: bool,
) -> None:
    """Build a range of intervals in pieces, and publish once.

    TARGET is a mart, or a table as schema.table. The range is told first, with what it takes. The work has
    low priority, beside builds and readers, and the mart is published when all is there. When it is
    interrupted or killed, the same command goes on where it stopped. An interval that a build has made newer
    meanwhile stays as that build made it.
    """
    from mart_platform.runs.backfilling import backfill as run
    from mart_platform.runs.backfilling import foresee_backfill

    if last < first:
        raise click.UsageError(f"--to {last} lies before --from {first}.")
    if memory is not None and not re.fullmatch("[1-9][0-9]*(MB|GB)", memory):
        raise click.UsageError(f"--memory: '{memory}' is no size; write it as 1GB or 500MB.")
    allowed = _hours(hours)
    platform, days = session.platform(memory=memory), (first.isoformat(), last.isoformat())
    ranges = foresee_backfill(platform, session.plan, target, *days)
    if not session.as_json or dry_run:
        _tell_plan(session, target, ranges)
    if dry_run:
        return
    os.nice(_NICENESS)
    console = terminal.messages()
    with _shown(console, quiet=session.quiet) as told:
        report = run(
            platform,
            session.plan,
            target,
            *days,
            batch=batch,
            wait=lambda: _wait_for(allowed, console),
            told=told,
            allow_wider=allow_wider_access,
        )
    _tell_end(session, report)


def _hours(text: str | None) -> frozenset[int] | None:
    """Return the hours of the day in ``22-06``, the last one excluded; None where all are allowed.

    >>> sorted(_hours("22-02"))
    [0, 1, 22, 23]
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,2})-(\d{1,2})", text)
    if not found or int(found[1]) > 23 or int(found[2]) > 24 or found[1] == found[2]:
        raise click.UsageError(f"--hours: '{text}' are no hours; write them as 22-06.")
    begin, end = int(found[1]), int(found[2])
    length = (end - begin) % 24 or 24
    return frozenset((begin + hour) % 24 for hour in range(length))


def _wait_for(allowed: frozenset[int] | None, console: Console) -> None:
    """Return when the clock of this machine stands in the allowed hours."""
    told = False
    while allowed is not None and datetime.now().astimezone().hour not in allowed:
        if not told:
            console.print("Waiting for the allowed hours.")
            told = True
        time.sleep(_LOOKS_AT_THE_CLOCK)


@contextmanager
def _shown(console: Console, *, quiet: bool) -> "Iterator[Callable[[Pace], None]]":
    """Show a bar with rate and remaining time; a line for each piece where nobody watches."""
    if quiet:
        yield lambda pace: None
        return
    if not console.is_terminal:
        yield lambda pace: console.print(f"{pace.table}: {pace.done} of {pace.of} intervals")
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    rate = TextColumn("{task.fields[rate]}")
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        rate,
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as display:
        tasks: dict[str, TaskID] = {}

        def show(pace: "Pace") -> None:
            if pace.table not in tasks:
                tasks[pace.table] = display.add_task(pace.table, total=pace.of, rate="")
            speed = f"{pace.done / pace.seconds:.1f}/s" if pace.seconds else ""
            display.update(tasks[pace.table], completed=pace.done, rate=speed)

        yield show


def _tell_plan(session: Session, target: str, ranges: "Sequence[TableRange]") -> None:
    if session.as_json:
        terminal.print_json({"target": target, "tables": ranges})
        return
    if session.quiet:
        return
    table = terminal.table_of(
        "table",
        "from",
        "to",
        ("intervals", "right"),
        ("rows read", "right"),
        ("bytes read", "right"),
        ("expected", "right"),
    )
    for found in ranges:
        if found.intervals is None:
            table.add_row(found.table, "", "", "known when its inputs are built", "", "", "")
            continue
        ends = (found.intervals[0], found.intervals[-1]) if found.intervals else ("", "")
        expected = "unknown" if found.seconds is None else terminal.took(found.seconds)
        cells = (f"{len(found.intervals):,}", f"{found.rows:,}", terminal.size(found.bytes), expected)
        table.add_row(found.table, *ends, *cells)
    terminal.results().print(table)
    mart = session.plan.marts.get(target) or session.plan.mart_of(target)
    if mart is not None:
        quota = mart.spec.quota
        terminal.results().print(f"Quota of {mart.spec.mart}: it may spend {quota.spend_per_day:g} a day.")


def _tell_end(session: Session, report: "BackfillReport") -> None:
    if session.as_json:
        terminal.print_json(report)
    elif not session.quiet:
        console = terminal.results()
        for table in report.tables:
            console.print(f"{table.table}: {table.outcome}, {table.rows:,} rows")
        for mart in report.marts:
            console.print(f"{mart.mart}: publication {mart.live.number}, {mart.reason}")
        for name, count in report.owing.items():
            console.print(f"{name} still lacks {terminal.counted(count, 'interval')}.")
        if report.owing:
            console.print(
                f"Nothing is published: `{session.spelled('build')}` makes the rest, and publishes."
            )
        console.print(f"Backfilled in {terminal.took(report.seconds)}.")
