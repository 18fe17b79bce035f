"""``mart diff``: two publications of a mart side by side."""

from collections.abc import Iterator

import click
from rich.console import Console
from rich.text import Text

from mart_platform.cli import terminal
from mart_platform.cli.options import command
from mart_platform.cli.session import Session
from mart_platform.runs.comparing import MartDifference, compare_publications
from mart_platform.spec.records import Publication
from mart_platform.stages.comparing import Budget, ColumnDifference, Example, TableDifference

_NULL = "null"
_SHOWN_COLUMNS = 8


@command(json=True)
@click.argument("mart")
@click.argument("one", metavar="A")
@click.argument("other", metavar="[B]", required=False)
@click.option("--limit", type=click.IntRange(min=1), help="Stop when so many rows that differ were found.")
@click.option("--seconds", type=click.FloatRange(min=0), help="Stop after so long.")
@click.option("--exit-code", is_flag=True, help="End with 1 unless both are found to be equal.")
def diff(
    session: Session,
    mart: str,
    one: str,
    other: str | None,
    limit: int | None,
    seconds: float | None,
    exit_code: bool,
) -> int:
    """Show what differs between two publications of a mart.

    A and B are numbers, 'live' or 'shadow' (the newest), and the differences lead from A to B. Without B that
    is the live one; only a shadow, which is what may come, is then compared from the live one to it. Rows are
    matched by the key of their table. Intervals with equal contents are not read. What --limit or --seconds
    leaves out is said.
    """
    budget = Budget(limit, seconds)
    found = compare_publications(session.platform(), session.plan, mart, one, other, budget)
    if session.as_json:
        terminal.print_json({"equal": found.equal, **vars(found)})
    else:
        _show(terminal.results(), found)
    return 1 if exit_code and not found.equal else 0


def _show(console: Console, found: MartDifference) -> None:
    console.print(Text(f"{found.mart}: from {_called(found.before)} to {_called(found.after)}"))
    if found.equal:
        console.print(Text("No difference.", style="green"))
        return
    console.print(_summary(found))
    for table in found.tables:
        for line in _details(table):
            console.print(line)
    if found.stopped:
        console.print(Text(f"Stopped when {found.stopped}. Not compared:", style="yellow"))
        for table in found.tables:
            if table.left:
                console.print(Text(f"  {table.table}: {_listed(table.left)}", style="yellow"))


def _called(publication: Publication) -> str:
    state = "shadow " if publication.state == "shadow" else "publication "
    return f"{state}{publication.number} of {terminal.moment(publication.at)}"


def _summary(found: MartDifference) -> object:
    shown = terminal.table_of(
        "table", ("added", "right"), ("removed", "right"), ("changed", "right"), "columns", "compared"
    )
    for table in found.tables:
        counts = [Text(f"{count:,}", style="" if count else "dim") for count in _counts(table)]
        columns = ", ".join(map(_column, table.columns[:_SHOWN_COLUMNS]))
        if more := table.columns[_SHOWN_COLUMNS:]:
            columns += f" and {len(more)} more"
        shown.add_row(Text(table.table), *counts, Text(columns), Text(_compared(table), style="dim"))
    return shown


def _counts(table: TableDifference) -> tuple[int, int, int]:
    return table.added, table.removed, table.changed


def _column(difference: ColumnDifference) -> str:
    if difference.before is None:
        return f"+{difference.column}"
    if difference.after is None:
        return f"-{difference.column}"
    retyped = f" {difference.before} -> {difference.after}" if difference.before != difference.after else ""
    changed = f" ({difference.changed:,})" if difference.changed else ""
    return f"{difference.column}{retyped}{changed}"


def _compared(table: TableDifference) -> str:
    """Return how much of a table was looked at, and how its rows were matched."""
    if table.only:
        return "only in the first" if table.only == "before" else "only in the second"
    if not (table.compared or table.left):
        return "equal by content"
    by = f"by {', '.join(table.key)}" if table.key else "as whole rows"
    of = f", {table.equal:,} equal" if table.equal else ""
    left = f", {len(table.left):,} left out" if table.left else ""
    return f"{by}: {terminal.counted(table.compared, 'interval')}{of}{left}"


def _details(table: TableDifference) -> Iterator[Text]:
    """Yield some rows that differ, each on a line."""
    if table.examples:
        yield Text(f"{table.table}, some rows:", style="bold")
    for example in table.examples:
        yield Text(f"  {example.what:8}{_example(example)}")


def _example(example: Example) -> str:
    row = ", ".join(f"{column} {_value(value)}" for column, value in example.row.items())
    values = ", ".join(
        f"{column} {_value(before)} -> {_value(after)}" for column, (before, after) in example.values.items()
    )
    return f"{row}: {values}" if values else row


def _value(text: str | None) -> str:
    return _NULL if text is None else text


def _listed(intervals: tuple[str, ...]) -> str:
    if len(intervals) == 1:
        return "all of it" if intervals == ("all",) else intervals[0]
    return f"{len(intervals):,} intervals from {intervals[0]} to {intervals[-1]}"
