"""``mart schema``: the JSON Schemas of the declarations."""

import json
import os
from pathlib import Path

import click

from mart_platform.cli import terminal
from mart_platform.cli.options import command
from mart_platform.cli.session import Session
from mart_platform.reading.json_schemas import KINDS, schemas


@command()
@click.argument("kind", required=False, metavar="[KIND]", type=click.Choice(list(KINDS)))
@click.option(
    "--write", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Write one file a kind."
)
def schema(session: Session, kind: str | None, write: Path | None) -> None:
    """Print the JSON Schemas of the declarations, for editors.

    Without KIND, all of them by their kind. With --write, each as DIR/KIND.schema.json.
    """
    wanted = {name: found for name, found in schemas().items() if kind in (None, name)}
    if write is None:
        terminal.print_json(wanted[kind] if kind else wanted)
        return
    write.mkdir(parents=True, exist_ok=True)
    for name, found in wanted.items():
        _replace(write / f"{name}.schema.json", json.dumps(found, ensure_ascii=False, indent=2) + "\n")
        if not session.quiet:
            click.echo(write / f"{name}.schema.json")


def _replace(file: Path, text: str) -> None:
    half_written = file.with_name(f".{file.name}.{os.getpid()}")
    half_written.write_text(text, encoding="utf-8")
    half_written.replace(file)
