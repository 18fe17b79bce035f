"""``mart legal-hold``: rows that nothing may remove until somebody releases them."""

from datetime import date

import click
from rich.text import Text

from mart_platform.cli import terminal
from mart_platform.cli.moments import Day
from mart_platform.cli.options import Group, command, shared_options
from mart_platform.cli.session import Session
from mart_platform.spec.records import LegalHold


@command(json=True)
@click.argument("name")
@click.argument("mart")
@click.option("--table", help="Of one table only, with or without the mart before its name.")
@click.option("--from", "since", type=Day(), metavar="DAY", help="From this day on; else from the first.")
@click.option("--to", "until", type=Day(), metavar="DAY", help="Up to this day; else to the last.")
@click.option("--reason", required=True, help="Why, for those who find it.")
def add(
    session: Session,
    name: str,
    mart: str,
    table: str | None,
    since: date | None,
    until: date | None,
    reason: str,
) -> None:
    """Let nothing remove these rows of MART, under a NAME by which the hold is released.

    Neither retention nor the vacuum does, not of the newest version and not of what is live now.
    """
    from mart_platform.runs.holding_rows import hold_rows

    hold = hold_rows(
        session.platform(),
        session.plan,
        name,
        mart,
        table=f"{mart}.{table}" if table and "." not in table else table,
        since=since,
        until=until,
        reason=reason,
        by=terminal.whoami(),
    )
    if session.as_json:
        terminal.print_json(hold)
    elif not session.quiet:
        terminal.results().print(Text(f"{hold.table or mart} is held as '{name}', {_span(hold)}."))


@command(json=True)
@click.argument("name")
def release(session: Session, name: str) -> None:
    """End the legal hold called NAME; its rows are kept as all others are from now on."""
    from mart_platform.runs.holding_rows import release_rows

    hold = release_rows(session.platform(), name, terminal.whoami())
    if session.as_json:
        terminal.print_json(hold)
    elif not session.quiet:
        terminal.results().print(Text(f"'{name}' is released."))


@command(json=True)
def list_holds(session: Session) -> None:
    """Show all legal holds."""
    holds = session.platform().ledger.legal_holds()
    if session.as_json:
        terminal.print_json({"holds": holds})
        return
    if not holds:
        terminal.results().print("There is no legal hold.")
        return
    table = terminal.table_of("name", "rows", "days", "since (UTC)", "by", "reason")
    for hold in holds:
        rows = hold.table or f"all of {hold.mart}"
        table.add_row(hold.name, rows, _span(hold), terminal.moment(hold.at), hold.by, hold.reason)
    terminal.results().print(table)


def _span(hold: LegalHold) -> str:
    if hold.since is None and hold.until is None:
        return "all days"
    return f"{hold.since or 'the first'} to {hold.until or 'the last day'}"


legal_hold = Group(
    "legal-hold",
    commands={"add": add, "release": release, "list": list_holds},
    params=shared_options(),
    help="Keep rows that nothing may remove until somebody releases them.",
)
