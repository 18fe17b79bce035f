"""``mart access review``, ``who-can`` and ``what-can``: who may see what, and who makes use of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.text import Text

from mart_platform.cli import terminal
from mart_platform.cli.options import command
from mart_platform.cli.session import Session

if TYPE_CHECKING:
    from mart_platform.runs.access.reviewing import HeldRole, Reading, Review, ReviewedPrincipal

_NO_ROLE = (Text("no role", style="dim"), Text(), Text(), Text())


@command(json=True)
@click.option("--attention", is_flag=True, help="Show only what wants attention.")
def review(session: Session, attention: bool) -> None:
    """Show every principal with its roles, where it has them from, and when it last asked.

    And what wants somebody's attention: roles that nobody uses, that end soon, or that no mart has; tokens
    that end; what is left of principals that are gone.
    """
    from mart_platform.runs.access.reviewing import review as made

    found = made(session.platform(), session.plan)
    if session.as_json:
        terminal.print_json(found)
        return
    console = terminal.results()
    if not attention:
        _show_principals(console, found.principals)
    _show_attention(console, found)
    if attention and not (found.attention or any(each.attention for each in found.principals)):
        console.print("Nothing wants attention.")


@command(json=True)
@click.argument("table")
def who_can(session: Session, table: str) -> None:
    """Show who may read a table, by which role, which rows, and what of each column."""
    from mart_platform.runs.access.reviewing import who_can as found

    readings = found(session.platform(), session.plan, table)
    if session.as_json:
        terminal.print_json({"table": table, "readers": readings})
    elif not readings:
        terminal.results().print(Text(f"Nobody may read {table}."))
    else:
        _show_readings(terminal.results(), readings, "principal")


@command(json=True)
@click.argument("principal")
def what_can(session: Session, principal: str) -> None:
    """Show what a principal may read, by which role, which rows, and what of each column."""
    from mart_platform.runs.access.reviewing import what_can as found

    readings = found(session.platform(), session.plan, principal)
    if session.as_json:
        terminal.print_json({"principal": principal, "tables": readings})
    elif not readings:
        terminal.results().print(Text(f"{principal} may read nothing."))
    else:
        _show_readings(terminal.results(), readings, "table")


def _show_principals(console: Console, principals: "Sequence[ReviewedPrincipal]") -> None:
    if not principals:
        console.print("There is no principal: declare some in principals.yaml, or use `mart access add`.")
        return
    table = terminal.table_of("principal", "kind", "role", "from", "until (UTC)", "last asked (UTC)")
    for each in principals:
        name = Text(each.principal, style="bold") + Text(" (disabled)" if each.disabled else "", style="red")
        first, *others = [_cells(role) for role in each.roles if role.in_force] or [_NO_ROLE]
        table.add_row(name, Text(each.kind), *first)
        for cells in others:
            table.add_row(Text(), Text(), *cells)
    console.print(table)


def _cells(role: "HeldRole") -> tuple[Text, ...]:
    source = f"{role.source} by {role.by}" if role.by else role.source
    return Text(role.role), Text(source), Text(terminal.moment(role.until)), Text(terminal.moment(role.asked))


def _show_attention(console: Console, found: "Review") -> None:
    for principal in found.principals:
        for sentence in principal.attention:
            console.print(Text(f"{principal.principal}: {sentence}.", style="yellow"), soft_wrap=True)
    for sentence in found.attention:
        console.print(Text(f"{sentence}.".capitalize(), style="yellow"), soft_wrap=True)


def _show_readings(console: Console, readings: "Sequence[Reading]", first: str) -> None:
    table = terminal.table_of(first, "role", "rows", "columns")
    for reading in readings:
        shown = [name for name, how in reading.columns.items() if how == "shown"]
        masked = [f"{name}: {how}" for name, how in reading.columns.items() if how != "shown"]
        columns = "; ".join(filter(None, [", ".join(shown), *masked]))
        subject = reading.principal if first == "principal" else reading.table
        table.add_row(Text(subject, style="bold"), Text(reading.role), Text(reading.rows), Text(columns))
    console.print(table)
