"""``mart status``: each mart as its readers see it, and how their queries went."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mart_platform.cli import terminal
from mart_platform.cli.options import command
from mart_platform.cli.session import Session
from mart_platform.runs.delivering import DeliveredTable, delivered_tables
from mart_platform.runs.door.measuring import DoorFigures, QueryFigures, figures_of_last_day
from mart_platform.runs.inspecting import MartStatus, mart_statuses
from mart_platform.runs.watching import spoken
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import FreshnessState


@command(json=True)
@click.argument("names", nargs=-1, metavar="[MARTS or SOURCES]...")
def status(session: Session, names: tuple[str, ...]) -> None:
    """Show each mart as its readers see it.

    Its live publication, how far its data reaches, its checks, whether its promises are kept, and what a
    build would do now; and how its queries went that came through the door in the last 24 hours. Of a source:
    what it has delivered.
    """
    platform, plan = session.platform(), session.plan
    for name in names:
        if name in plan.tables:
            raise UserError(f"'{name}' is a table: `mart explain {name}` tells about it.")
    sources = [name for name in names if name in plan.sources]
    marts = [name for name in names if name not in plan.sources]
    statuses = mart_statuses(platform, plan, marts) if marts or not names else []
    delivered = delivered_tables(platform, plan, sources)
    door = _door(session, marts) if statuses else None
    if session.as_json:
        terminal.print_json({"marts": statuses, "sources": delivered, "door": door})
        return
    console = terminal.results()
    if statuses:
        console.print(_marts(statuses))
    for line in (line for status in statuses for line in _remarks(status)):
        console.print(line)
    if door:
        _show_door(console, door, plan.settings.currency)
    for source in sources:
        _show_source(console, source, [table for table in delivered if table.table.startswith(f"{source}.")])


def _door(session: Session, marts: Sequence[str]) -> DoorFigures | None:
    """Return how the door was used, of some marts or of all; None where its log cannot be read from here."""
    try:
        figures = figures_of_last_day(session.platform())
    except UserError as error:
        terminal.messages().print(f"The queries are not shown: {error}")
        return None
    kept = tuple(each for each in figures.queries if not marts or each.mart in marts)
    return replace(figures, queries=kept)


def _show_door(console: Console, door: DoorFigures, currency: str) -> None:
    console.print()
    console.print(terminal.heading("Queries of the last 24 hours"))
    if door.queries:
        console.print(_queries(door.queries, currency))
    for each in door.queries:
        if each.refused:
            codes = ", ".join(f"{code} {count:,}" for code, count in each.refused.items())
            whose = f"{each.mart}, {each.lane or 'no lane'}" if each.mart else "no mart"
            console.print(Text(f"{whose}: without an answer: {codes}", style="dim"))
    connects, times = door.connects, door.connects.milliseconds
    told = f"connected {terminal.counted(connects.tries - connects.failed, 'time')}"
    if times:
        told += f" in {times.p50:.1f} ms (P95 {times.p95:.1f}, P99 {times.p99:.1f})"
    noise = terminal.counted(connects.noise, "try", "tries")
    console.print(f"{told}, {connects.failed:,} failed; besides {noise} by nobody known")


def _queries(queries: Sequence[QueryFigures], currency: str) -> Table:
    headings = ("queries", "succeeded", "P50\nms", "P95\nms", "P99\nms", "cached", currency, "estimates\noff")
    # The lane stands behind its mart, so that a narrow screen folds between the two and not within them.
    table = terminal.table_of("mart and lane", *((heading, "right") for heading in headings))
    for each in queries:
        times = each.milliseconds
        table.add_row(
            Text.assemble((each.mart or "-", "bold" if each.mart else "dim"), f" {each.lane or ''}"),
            f"{each.queries:,}",
            Text(_percent(each.succeeded), style="" if each.succeeded in (None, 1) else "yellow"),
            *(map(_milliseconds, (times.p50, times.p95, times.p99)) if times else ["-"] * 3),
            _percent(each.cached),
            f"{each.price:.4f}",
            _percent(each.estimates_off),
        )
    return table


def _milliseconds(number: float) -> str:
    return f"{number:.1f}" if number < 100 else f"{number:,.0f}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _show_source(console: Console, source: str, tables: Sequence[DeliveredTable]) -> None:
    shown = terminal.table_of(
        source,
        ("batches", "right"),
        "newest (UTC)",
        "data up to (UTC)",
        ("landed", "right"),
        ("quarantined", "right"),
    )
    for table in tables:
        shown.add_row(
            Text(table.table.removeprefix(f"{source}."), style="bold"),
            str(table.batches),
            terminal.moment(table.newest),
            terminal.moment(table.watermark),
            f"{table.landed:,}",
            Text(f"{table.quarantined:,}", style="yellow" if table.quarantined else ""),
        )
    console.print(shown)
    for table in tables:
        if table.waiting:
            waiting = terminal.counted(table.waiting, "delivery", "deliveries")
            console.print(Text(f"{table.table}: {waiting} to be landed by the next build", style="yellow"))


def _marts(statuses: Sequence[MartStatus]) -> Table:
    table = terminal.table_of(
        "mart",
        ("live", "right"),
        "since (UTC)",
        "data up to (UTC)",
        ("rows", "right"),
        ("checks", "right"),
        "promise",
    )
    for status in statuses:
        live = status.live
        table.add_row(
            Text(status.mart, style="bold"),
            str(live.number) if live else "-",
            terminal.moment(live.at if live else None),
            terminal.moment(live.watermark if live else None),
            f"{status.rows:,}",
            _checks(status),
            _promise(status.freshness),
        )
    return table


def _checks(status: MartStatus) -> Text:
    all_passed = status.checks_passed == status.checks
    return Text(f"{status.checks_passed} of {status.checks}", style="" if all_passed else "yellow")


def _promise(states: Sequence[FreshnessState]) -> Text:
    found = {state.state for state in states}
    if "broken" in found:
        return Text("broken", style="red")
    return Text("kept", style="green") if found == {"kept"} else Text("-", style="dim")


def _remarks(status: MartStatus) -> Iterator[Text]:
    """Yield what does not fit into the table: holds, broken promises, what is to be done."""
    if status.hold:
        hold = status.hold
        told = f"held since {terminal.moment(hold.since)} by {hold.by}: {hold.reason}"
        yield Text(f"{status.mart}: {told}", style="yellow")
    for state in status.freshness:
        if state.state == "broken":
            told = f"{state.objective} is broken since {terminal.moment(state.since)}"
            late = f"late by {spoken(state.late_by)}, first {state.late_first or 'unknown'}"
            yield Text(f"{status.mart}: {told}, {late}; on call: {status.on_call}", style="red")
    if status.due:
        yield Text(f"{status.mart}: to be built, {status.due}", style="dim")
