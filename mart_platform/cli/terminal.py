"""What is printed: tables, moments, amounts; and the one JSON document that a script asked for."""

import getpass
import json
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic_core import to_jsonable_python
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

_COMFORTABLE = 100
"""Columns at which text is still pleasant to read, where no screen says how many there are."""
_UNBOUNDED = 100_000
_FOLDED = 40
"""Columns at which a long text of an answer is folded where there is no room for more."""
_GAP = 3


def results() -> Console:
    """Return the console of what a command was asked for."""
    return _console(sys.stdout.isatty(), _COMFORTABLE)


def answers() -> Console:
    """Return the console of rows of data, of which nothing is cut where no screen demands it."""
    return _console(sys.stdout.isatty(), _UNBOUNDED)


def messages() -> Console:
    """Return the console of progress and messages, which never mix with results."""
    return _console(sys.stderr.isatty(), _COMFORTABLE, stderr=True)


def _console(watched: bool, width: int, *, stderr: bool = False) -> Console:
    known = watched or "COLUMNS" in os.environ
    # What is printed comes from declarations and data: '[red]' or ':smile:' in it are just text.
    return Console(stderr=stderr, width=None if known else width, markup=False, highlight=False, emoji=False)


def table_of(*columns: tuple[str, Literal["left", "right"]] | str) -> Table:
    """Return an empty table; a column is its heading, or heading and side."""
    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False, show_edge=False)
    for column in columns:
        heading, side = (column, "left") if isinstance(column, str) else column
        table.add_column(heading, justify=side, overflow="fold", no_wrap=side == "right")  # type: ignore[arg-type]
    return table


def indented(shown: Any) -> Padding:
    """Return something to print, set in by two columns."""
    return Padding(shown, (0, 0, 0, 2), expand=False)


def heading(text: str) -> Text:
    """Return a heading."""
    return Text(text, style="bold cyan")


def print_json(document: Any) -> None:
    """Print one JSON document on standard output: records, dataclasses and moments as JSON knows them."""
    plain = to_jsonable_python(document, fallback=str)
    sys.stdout.write(json.dumps(plain, ensure_ascii=False, indent=2) + "\n")
    sys.stdout.flush()


def rows_of(
    names: Sequence[str], rows: Iterable[Sequence[Any]], numeric: Iterable[str] = (), width: int = _UNBOUNDED
) -> Group:
    """Return an answer as a table, its figures on the right.

    A figure is never cut: columns that do not fit into ``width`` are left out, and a line says how many.
    """
    right = set(numeric)
    cells = [[value(cell) for cell in row] for row in rows]
    shown = _fitting([_width_of(name, [row[n] for row in cells]) for n, name in enumerate(names)], width)
    table = table_of(*((name, "right" if name in right else "left") for name in names[:shown]))
    for row in cells:
        table.add_row(*row[:shown])
    hidden = len(names) - shown
    return Group(table, *([Text(f"and {counted(hidden, 'more column')}", style="dim")] if hidden else []))


def _width_of(name: str, cells: Iterable[Text]) -> int:
    """Return how many columns of the terminal a column takes; a long text may be folded, a figure is not."""
    return max(len(name), *(min(cell.cell_len, _FOLDED) for cell in cells), 0)


def _fitting(widths: Sequence[int], width: int) -> int:
    """Return how many of the columns fit, with the gaps between them; at least one is shown."""
    taken = 0
    for count, column in enumerate(widths):
        taken += column + _GAP
        if taken - _GAP > width and count:
            return count
    return len(widths)


def value(cell: Any) -> Text:
    """Return one value of an answer as text; nothing is told apart from an empty text."""
    if cell is None:
        return Text("null", style="dim")
    if isinstance(cell, datetime):
        return Text(cell.isoformat(sep=" "))
    return Text(str(cell))


def moment(when: datetime | None) -> str:
    """Return a moment in UTC to the minute.

    >>> moment(datetime(2017, 12, 31, 23, 59, 59, tzinfo=UTC))
    '2017-12-31 23:59'
    """
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M}" if when else "-"


def took(seconds: float) -> str:
    """Return how long something took, in seconds.

    >>> took(0.2), took(75)
    ('0.2 s', '75 s')
    """
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def size(count: int) -> str:
    """Return a number of bytes as people say it.

    >>> size(34_200_000)
    '34 MB'
    """
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}" if count < 10 * unit else f"{count / unit:.0f} {name}"
    return f"{count} bytes"


def counted(count: int, thing: str, things: str = "") -> str:
    """Return a count with its noun.

    >>> counted(1, "table"), counted(1200, "delivery", "deliveries")
    ('1 table', '1,200 deliveries')
    """
    return f"{count:,} {thing if count == 1 else things or thing + 's'}"


def whoami() -> str:
    """Return the name under which somebody's acts are recorded."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such user on this machine, as in some containers
        return f"user {os.getuid()}"
