"""``mart readme``: each mart's README.md, written from its declarations."""

import click

from mart_platform.cli.options import command
from mart_platform.cli.session import Session
from mart_platform.stages.documenting import stale_readmes, write_readmes


@command()
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 when a README is not current.")
def readme(session: Session, check: bool) -> int:
    """Write each mart's README.md from its declarations.

    Those that say already what is so are left alone.
    """
    root = session.places.warehouse
    files = stale_readmes(session.plan, root) if check else write_readmes(session.plan, root)
    verb = "is not current; write it with `mart readme`" if check else "written"
    for file in files:
        click.echo(f"{file} {verb}", err=check)
    if not files and not session.quiet:
        click.echo("Every README.md is current.")
    return 1 if check and files else 0
