"""``mart rollback``: a mart taken back to an earlier publication, and held there."""

import click
from rich.text import Text

from mart_platform.cli import terminal
from mart_platform.cli.options import command
from mart_platform.cli.session import Session
from mart_platform.runs.publishing import rollback_mart


@command(json=True)
@click.argument("mart")
@click.option(
    "--to",
    "number",
    type=click.IntRange(min=1),
    help="The publication to go back to; else the last other one.",
)
@click.option("--reason", default="", help="Why, for those who find the mart held.")
def rollback(session: Session, mart: str, number: int | None, reason: str) -> None:
    """Take a mart back to an earlier publication, and hold it there.

    Readers see the earlier version at once, all tables of it together; no other mart moves. Builds go on, but
    publish this mart only after `mart publish MART --release`.
    """
    live = rollback_mart(
        session.platform(),
        session.plan,
        mart,
        to=number,
        by=terminal.whoami(),
        reason=reason or "no reason given",
    )
    if session.as_json:
        terminal.print_json(live)
    elif not session.quiet:
        console = terminal.results()
        console.print(Text(f"{mart} is live as publication {live.number}, {live.reason}; it is held there."))
        console.print(Text(f"`{session.spelled(f'publish {mart} --release')}` ends the hold."))
