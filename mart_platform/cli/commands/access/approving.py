"""``mart access approve``: the declared rights in a mart hold from now on, without a publication."""

import click
from rich.text import Text

from mart_platform.cli import terminal
from mart_platform.cli.options import allow_wider_access, command
from mart_platform.cli.session import Session
from mart_platform.runs import rights
from mart_platform.runs.versions import known_mart


@command(json=True)
@click.argument("mart")
@allow_wider_access
@click.option("--dry-run", is_flag=True, help="Tell what would change, and change nothing.")
def approve(session: Session, mart: str, allow_wider_access: bool, dry_run: bool) -> None:
    """Let the declared rights in a mart hold from now on.

    A publication does so by itself; this is for access.yaml or principals.yaml alone. Refused where somebody
    would see more than before, unless that is allowed; it is told who and what.
    """
    platform, plan = session.platform(), session.plan
    if dry_run:
        known_mart(plan, mart)
        change = rights.change_of(platform, plan, mart)
    else:
        change = rights.approve(platform, plan, mart, terminal.whoami(), allow_wider=allow_wider_access)
    if session.as_json:
        terminal.print_json(change)
    elif not session.quiet:
        _tell(mart, change, dry_run=dry_run)


def _tell(mart: str, change: rights.RightsChange, *, dry_run: bool) -> None:
    console = terminal.results()
    for sentence in change.wider:
        console.print(Text(f"{mart}: {sentence}.", "yellow"))
    if not change.changed:
        console.print(Text(f"The rights in {mart} hold already as they are declared."))
    elif not dry_run:
        console.print(Text(f"The declared rights in {mart} hold from now on."))
    elif change.wider:
        console.print(Text("They would be refused without --allow-wider-access."))
    else:
        console.print(Text(f"The declared rights in {mart} show nobody more than before."))
