"""``mart maintain``: rows retired, small files joined, files removed that nobody needs."""

from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING
from uuid import uuid4

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mart_platform.cli import terminal
from mart_platform.cli.options import command
from mart_platform.cli.session import Session
from mart_platform.runs.worked import STEPS, Step, Worked

if TYPE_CHECKING:  # imported when there is something to do
    from mart_platform.runs.maintaining import Maintained
    from mart_platform.spec.records import Storage


@command(json=True)
@click.option(
    "--only", multiple=True, type=click.Choice(STEPS), help="Do this and nothing else; may be repeated."
)
@click.option("--dry-run", is_flag=True, help="Tell what would be done, and do nothing.")
@click.option("--growth", is_flag=True, help="Show what each mart and source took, day by day, and end.")
def maintain(session: Session, only: tuple[Step, ...], dry_run: bool, growth: bool) -> int:
    """Keep the lake small and quick: retire old rows, join small files, remove what nobody needs.

    Nobody sees a change of rows but those that a mart's retention names. What a table's readers, running
    queries and builds, kept publications or legal holds need stays. A table that somebody is writing is left
    for the next time.
    """
    if growth:
        _tell_growth(session)
        return 0
    maintained = _run(session, only or STEPS, dry_run=dry_run)
    if session.as_json:
        terminal.print_json({**vars(maintained), "succeeded": maintained.succeeded})
    elif not session.quiet:
        _show(terminal.results(), maintained)
    _show_problems(terminal.messages(), maintained.tables)
    return 0 if maintained.succeeded else 1


def _run(session: Session, only: tuple[Step, ...], *, dry_run: bool) -> "Maintained":
    from mart_platform.cli.progress import watched
    from mart_platform.runs.maintaining import maintain

    plan = session.plan
    with watched(terminal.messages(), 0, quiet=session.quiet or dry_run) as progress:
        return maintain(session.platform(progress), plan, str(uuid4()), only=only, dry_run=dry_run)


def _show(console: Console, maintained: "Maintained") -> None:
    if maintained.tables:
        console.print(_tables(maintained.tables))
    for report in maintained.marts:
        told = f"published as {report.live.number}" if report.published else f"not published: {report.reason}"
        console.print(Text(f"{report.mart}: {told}"))
    if not maintained.tables and not maintained.swept:
        console.print("Nothing to do.")
    console.print(Text(f"The lake held {_held(maintained, 0)}, and holds {_held(maintained, 1)}."))
    if maintained.swept:
        swept = terminal.size(maintained.swept)
        console.print(Text(f"Old logs and half-made work took {swept}."))
    console.print(Text(f"Done in {terminal.took(maintained.seconds)}."))


def _held(maintained: "Maintained", then: int) -> str:
    files = terminal.counted(maintained.files[then], "file")
    return f"{files}, {terminal.size(maintained.bytes[then])}"


def _tables(worked: Iterable[Worked]) -> Table:
    table = terminal.table_of("table", "what", ("files", "right"), ("bytes", "right"), ("seconds", "right"))
    for each in worked:
        (files, files_now), (size, size_now) = each.files, each.bytes
        table.add_row(
            Text(each.table, style="bold"),
            Text(each.told, style="red" if each.problem else "yellow" if each.busy else ""),
            _change(f"{files:,}", f"{files_now:,}"),
            _change(terminal.size(size), terminal.size(size_now)),
            f"{each.seconds:.1f}" if each.seconds else "",
        )
    return table


def _change(before: str, after: str) -> str:
    return before if before == after else f"{before} → {after}"


def _show_problems(console: Console, worked: Iterable[Worked]) -> None:
    for each in worked:
        if each.problem:
            console.print(Text(f"{each.table}: {each.problem}", style="red"))


def _tell_growth(session: Session) -> None:
    storage = session.platform().ledger.storage()
    if session.as_json:
        terminal.print_json({"storage": storage})
        return
    if not storage:
        terminal.results().print("Nothing was measured yet; each `mart maintain` does.")
        return
    table = terminal.table_of(
        "mart or source",
        "day",
        ("files", "right"),
        ("bytes", "right"),
        ("grown by", "right"),
        ("live", "right"),
    )
    in_order = sorted(storage, key=lambda each: (each.subject, each.day))
    for subject, days in groupby(in_order, key=lambda each: each.subject):
        before: Storage | None = None
        for each in days:
            grown = each.bytes - before.bytes if before else 0
            sign = "-" if grown < 0 else ""
            table.add_row(
                Text("" if before else subject, style="bold"),
                str(each.day),
                f"{each.files:,}",
                terminal.size(each.bytes),
                f"{sign}{terminal.size(abs(grown))}" if before else "",
                terminal.size(each.live_bytes),
            )
            before = each
    terminal.results().print(table)
