"""``mart query``: SQL over what is live, or was once."""

import io
import json
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

import click
from rich.text import Text

from mart_platform.cli import terminal
from mart_platform.cli.moments import Moment
from mart_platform.cli.options import command
from mart_platform.cli.session import Session
from mart_platform.runs.querying import ONLY, Answer, TableRead, Wanted, ask
from mart_platform.spec.problems import UserError

if TYPE_CHECKING:
    import polars as pl

Format = Literal["table", "csv", "json", "parquet"]


@command(json=True)
@click.argument("sql", required=False)
@click.option(
    "-f", "--file", type=click.File(encoding="utf-8"), help="Read the SQL from a file; - is standard input."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json", "parquet"]),
    help="Else as --output ends, or a table.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to a file, at once and whole.",
)
@click.option(
    "--rows", type=click.IntRange(min=0), default=40, show_default=True, help="Rows of a table; 0 shows all."
)
@click.option(
    "--version",
    "versions",
    multiple=True,
    metavar="[MART=]N",
    help="Read this publication: a number, 'live' or 'shadow'; of several marts, once for each.",
)
@click.option(
    "--as-of",
    type=Moment(),
    metavar="MOMENT",
    help="Read what was live, and built, at this moment of the real clock.",
)
def query(
    session: Session,
    sql: str | None,
    file: IO[str] | None,
    form: Format | None,
    output: Path | None,
    rows: int,
    versions: tuple[str, ...],
    as_of: datetime | None,
) -> None:
    """Answer SQL over what is live, or was once.

    SQL is one SELECT in DuckDB's dialect over tables as schema.table; without it, standard input is read.
    Tables of marts are read as they are published, the others at their newest build. Which versions were read
    is said after the answer.
    """
    if session.as_json and (form or output):
        raise click.UsageError(
            "--json is a form of its own, for standard output; see --format json for rows."
        )
    form = form or _form_of(output)
    if form == "parquet" and output is None and sys.stdout.isatty():
        raise click.UsageError("Parquet is nothing to look at; say where with --output FILE.")
    wanted = Wanted(_by_mart(versions), as_of)
    answer = ask(session.platform(), session.plan, _text(sql, file), wanted)
    if session.as_json:
        frame = answer.frame
        terminal.print_json({"read": answer.read, "columns": frame.columns, "rows": frame.to_dicts()})
        return
    _give(answer, form, output, rows, quiet=session.quiet)
    if answer.read and not session.quiet:
        told = Text(f"read: {', '.join(_read(answer.read))}", style="dim")
        terminal.messages().print(told, soft_wrap=True)


def _give(answer: Answer, form: Format, output: Path | None, rows: int, *, quiet: bool) -> None:
    frame = answer.frame
    if form == "table" and output is None:
        _show(frame, rows, quiet=quiet)
    elif output is None:
        _print(frame, form)
    else:
        _replace(frame, form, output)
        if not quiet:
            click.echo(f"{terminal.counted(frame.height, 'row')} in {output}", err=True)


def _by_mart(versions: Sequence[str]) -> dict[str, str]:
    """Return what is wanted of each mart; without its name of the only one that the query reads."""
    wanted: dict[str, str] = {}
    for given in versions:
        mart, named, version = given.partition("=")
        mart, version = (mart, version) if named else (ONLY, mart)
        if mart in wanted:
            raise click.UsageError("Give one --version for each mart, as in --version sales=12.")
        wanted[mart] = version
    return wanted


def _read(tables: Sequence[TableRead]) -> Iterator[str]:
    """Yield what an answer was read from: each publication once, and every other table."""
    told = set()
    for table in tables:
        if table.publication is None:
            yield f"{table.table} as built {terminal.moment(table.at)}"
        elif (mart := table.table.partition(".")[0]) not in told:
            told.add(mart)
            state = "shadow" if table.state == "shadow" else "publication"
            yield f"{mart} {state} {table.publication} of {terminal.moment(table.at)}"


def _text(sql: str | None, file: IO[str] | None) -> str:
    if sql is not None and file is not None:
        raise click.UsageError("Give the SQL as an argument or by --file, not both.")
    if sql is None and file is None and sys.stdin.isatty():
        raise click.UsageError('Give a query, such as "SELECT 1", or a file with -f.')
    return sql if sql is not None else (file or sys.stdin).read()


def _form_of(output: Path | None) -> Format:
    endings: dict[str, Format] = {".csv": "csv", ".json": "json", ".parquet": "parquet"}
    if output is None:
        return "table"
    if output.suffix not in endings:
        raise click.UsageError(f"'{output.name}' ends in none of {', '.join(endings)}; say --format.")
    return endings[output.suffix]


def _show(frame: "pl.DataFrame", limit: int, *, quiet: bool) -> None:
    shown = frame.head(limit) if limit else frame
    numeric = [name for name, kind in frame.schema.items() if kind.is_numeric()]
    console = terminal.answers()
    console.print(terminal.rows_of(frame.columns, shown.iter_rows(), numeric, console.width))
    if not quiet:
        of = f"{shown.height} of " if shown.height < frame.height else ""
        terminal.messages().print(Text(f"{of}{terminal.counted(frame.height, 'row')}", style="dim"))


def _print(frame: "pl.DataFrame", form: Format) -> None:
    # Polars would write to the pipe itself, and its error when nobody reads is not the one that Python knows.
    answer = io.BytesIO()
    _write(frame, form, answer)
    sys.stdout.buffer.write(answer.getbuffer())
    sys.stdout.buffer.flush()


def _write(frame: "pl.DataFrame", form: Format, into: IO[bytes]) -> None:
    if form == "csv":
        frame.write_csv(into)
    elif form == "parquet":
        frame.write_parquet(into)
    elif form == "json":
        from pydantic_core import to_jsonable_python

        rows = to_jsonable_python(frame.to_dicts(), fallback=str)
        into.write((json.dumps(rows, ensure_ascii=False, indent=2) + "\n").encode())
    else:
        raise click.UsageError("A table is for the terminal; give --format csv, json or parquet.")


def _replace(frame: "pl.DataFrame", form: Format, output: Path) -> None:
    half_written = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        with half_written.open("wb") as file:
            _write(frame, form, file)
            file.flush()
            os.fsync(file.fileno())
        half_written.replace(output)
    except OSError as error:
        raise UserError(f"{output} cannot be written: {error.strerror}.") from error
    finally:
        half_written.unlink(missing_ok=True)
