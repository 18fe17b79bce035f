"""``mart clock``: the business clock, shown or set."""

from datetime import datetime

import click
from rich.text import Text

from mart_platform.cli import terminal
from mart_platform.cli.moments import Moment
from mart_platform.cli.options import command
from mart_platform.cli.session import Session


@command(json=True)
@click.option(
    "--set", "moment", type=Moment(), metavar="MOMENT", help="Show this moment, and tick on from it."
)
@click.option("--real", is_flag=True, help="Show the real time.")
def clock(session: Session, moment: datetime | None, real: bool) -> None:
    """Show or set the business clock.

    Watermarks and freshness are judged on it, by all processes that share this data folder; leases, timeouts
    and records keep the real time.
    """
    if moment and real:
        raise click.UsageError("Give --set MOMENT or --real, not both.")
    shown = session.platform().clock
    if moment or real:
        shown.set(moment)
    if session.as_json:
        terminal.print_json({"business": shown.now(), "real": shown.wall()})
    elif not session.quiet:
        console = terminal.results()
        console.print(Text(f"business clock  {shown.now():%Y-%m-%d %H:%M:%S} UTC"))
        console.print(Text(f"real time       {shown.wall():%Y-%m-%d %H:%M:%S} UTC"))
