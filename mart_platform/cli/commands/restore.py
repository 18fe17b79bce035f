"""``mart restore``: archived rows brought back."""

from datetime import date
from uuid import uuid4

import click
from rich.text import Text

from mart_platform.cli import terminal
from mart_platform.cli.moments import Day
from mart_platform.cli.options import command
from mart_platform.cli.session import Session
from mart_platform.runs.versions import known_mart
from mart_platform.spec.problems import UserError, nearest


@command(json=True)
@click.argument("mart")
@click.argument("table")
@click.option("--from", "first", type=Day(), metavar="DAY", help="The first day to bring back.")
@click.option("--to", "last", type=Day(), metavar="DAY", help="The last day to bring back.")
def restore(session: Session, mart: str, table: str, first: date | None, last: date | None) -> None:
    """Bring archived rows of a table back, and publish its mart.

    Every interval that holds one of the days comes back as it was archived, after its checksums were looked
    at. A legal hold keeps it from being archived again; `mart legal-hold release` ends that.
    """
    from mart_platform.runs import starting
    from mart_platform.runs.retaining import restore as bring_back

    name = _named(session, mart, table)
    platform, plan, run = session.platform(), session.plan, str(uuid4())
    starting.begin(platform, plan, run, "mart restore", [mart])
    succeeded = False
    try:
        restored = bring_back(platform, plan, run, name, first, last, terminal.whoami())
        succeeded = True
    finally:
        starting.end(platform, run, succeeded=succeeded)
    if session.as_json:
        terminal.print_json(restored)
    elif not session.quiet:
        console = terminal.results()
        intervals = terminal.counted(len(restored.intervals), "interval")
        console.print(Text(f"{name}: {intervals} restored, {terminal.counted(restored.rows, 'row')}."))
        release = session.spelled(f"legal-hold release '{restored.hold}'")
        console.print(Text(f"They stay until `{release}`."))


def _named(session: Session, mart: str, table: str) -> str:
    """Return the full name of a table, which may be given without its mart."""
    known_mart(session.plan, mart)
    name = table if "." in table else f"{mart}.{table}"
    if name not in session.plan.marts[mart].tables:
        raise UserError(f"{mart} has no table '{table}'. {nearest(name, session.plan.marts[mart].tables)}")
    return name
