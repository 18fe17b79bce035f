"""``mart versions``: the publications of a mart, what is still there of each, and what was restated."""

from collections.abc import Sequence

import click
from rich.console import Console
from rich.text import Text

from mart_platform.cli import terminal
from mart_platform.cli.options import command
from mart_platform.cli.session import Session
from mart_platform.runs.versions import History, MartVersion, drop_shadow, history, restated
from mart_platform.spec.records import Restatement

_STYLES = {"live": "green", "shadow": "cyan", "dropped": "dim", "earlier": ""}


@command(json=True)
@click.argument("mart")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many to show.")
@click.option(
    "--restated", "restatements", is_flag=True, help="Show what the live one holds otherwise than before."
)
@click.option(
    "--drop", "dropped", type=click.IntRange(min=1), metavar="N", help="Give up a shadow, and its files."
)
def versions(session: Session, mart: str, limit: int, restatements: bool, dropped: int | None) -> None:
    """Show the publications of a mart, and what is kept of them.

    Newest first. Each says which tables hold other rows than in the one before it, and whether its files are
    still there: `mart query --version`, `mart diff` and `mart rollback` need them. A shadow was built beside
    the live one.
    """
    if restatements and dropped:
        raise click.UsageError("Give --restated or --drop, not both.")
    if dropped:
        _drop(session, mart, dropped)
    elif restatements:
        _tell_restated(session, mart)
    else:
        _tell_history(session, history(session.platform(), session.plan, mart, limit=limit))


def _drop(session: Session, mart: str, number: int) -> None:
    shadow = drop_shadow(session.platform(), session.plan, mart, number)
    if session.as_json:
        terminal.print_json(shadow)
    elif not session.quiet:
        terminal.results().print(Text(f"Shadow {number} of {mart} is dropped; the vacuum takes its files."))


def _tell_history(session: Session, told: History) -> None:
    if session.as_json:
        terminal.print_json(told)
        return
    console = terminal.results()
    if not told.versions:
        console.print(Text(f"{told.mart} is not published yet."))
        return
    shown = terminal.table_of(
        ("version", "right"),
        "",
        "published (UTC)",
        "data up to (UTC)",
        ("rows", "right"),
        "changed",
        "by",
        "because",
    )
    for version in told.versions:
        shown.add_row(*_line(told.mart, version))
    console.print(shown)
    if told.hold:
        hold = told.hold
        held = f"{told.mart} is held since {terminal.moment(hold.since)} by {hold.by}: {hold.reason}"
        console.print(Text(held, style="yellow"))


def _line(mart: str, version: MartVersion) -> tuple[Text, ...]:
    publication = version.publication
    changed = [name.removeprefix(f"{mart}.") for name in version.changed]
    return (
        Text(str(publication.number), style="bold"),
        Text(version.state, style=_STYLES[version.state]),
        Text(terminal.moment(publication.at)),
        Text(terminal.moment(publication.watermark)),
        Text(f"{version.rows:,}") if version.rows is not None else Text("removed", style="dim"),
        Text(", ".join(changed) if len(changed) < len(publication.tables) else "all tables"),
        Text(publication.by),
        Text(publication.reason),
    )


def _tell_restated(session: Session, mart: str) -> None:
    lines = restated(session.platform(), session.plan, mart)
    if session.as_json:
        terminal.print_json(lines)
    elif not lines:
        terminal.results().print(Text(f"Nothing that readers of {mart} had before holds other rows now."))
    else:
        _show_restated(terminal.results(), lines)


def _show_restated(console: Console, lines: Sequence[Restatement]) -> None:
    shown = terminal.table_of(
        "table", "interval", ("added", "right"), ("removed", "right"), ("changed", "right"), "because", "run"
    )
    for line in lines:
        counts = (f"{count:,}" for count in (line.added, line.removed, line.changed))
        shown.add_row(Text(line.table), Text(line.interval), *counts, Text(line.cause), Text(line.run[:8]))
    console.print(shown)
