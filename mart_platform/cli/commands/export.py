"""``mart export``: a mart in one file that can be copied anywhere."""

from pathlib import Path

import click

from mart_platform.cli import terminal
from mart_platform.cli.options import command
from mart_platform.cli.session import Session
from mart_platform.runs.exporting import export_mart


@command(json=True)
@click.argument("mart")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def export(session: Session, mart: str, file: Path) -> None:
    """Write a mart into one file that can be copied anywhere.

    FILE is a DuckDB database with a table for each table of the mart, as its readers see them now; columns
    with a label of sensitive data are left out.
    """
    rows = export_mart(session.platform(), session.plan, mart, file)
    if session.as_json:
        terminal.print_json({"file": file.absolute(), "rows": rows})
    elif not session.quiet:
        tables = [name for name in rows if not name.startswith("_")]
        told = terminal.counted(sum(rows[name] for name in tables), "row")
        told += f" of {terminal.counted(len(tables), 'table')}"
        click.echo(f"{told} in {file}, {terminal.size(file.stat().st_size)}.")
