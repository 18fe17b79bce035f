"""``mart init``: a first warehouse folder."""

from pathlib import Path

import click
from rich.text import Text

from mart_platform.cli import terminal
from mart_platform.cli.options import command
from mart_platform.cli.session import Session
from mart_platform.stages.documenting import write_readmes
from mart_platform.stages.founding import found_warehouse


@command()
@click.argument("folder", type=click.Path(path_type=Path))
def init(session: Session, folder: Path) -> None:
    """Write a first warehouse folder that builds as it stands.

    FOLDER is new or empty. It gets one source with a delivery, one canonical table and one mart, each of them
    small enough to read and complete enough to copy from.
    """
    found_warehouse(folder)
    session.warehouse = folder
    write_readmes(session.plan, session.places.warehouse)
    if session.quiet:
        return
    console = terminal.results()
    console.print(
        Text(f"{folder} is written and valid; {folder / 'README.md'} says what is what. What next:")
    )
    for step, gives in {"build": "land, build, check and publish it", "new NAME": "one more mart"}.items():
        console.print(
            Text.assemble("  ", (session.spelled(step), "bold"), (f"   {gives}", "dim")), soft_wrap=True
        )
