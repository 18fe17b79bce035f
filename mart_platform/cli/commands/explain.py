"""``mart explain``: everything about one table: what it is, why it is as it is, and how good."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import click
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from mart_platform.cli import terminal
from mart_platform.cli.options import command
from mart_platform.cli.session import Session
from mart_platform.planning.lints import unsteady
from mart_platform.planning.plan import Plan, PlannedCheck, PlannedTable
from mart_platform.runs.inspecting import TableStatus, table_status
from mart_platform.runs.reporting import told_of
from mart_platform.spec.problems import UserError
from mart_platform.spec.records import Batch, Build, Event, Verdict

_SHOWN = 8
"""How many builds and batches of the past are shown; --json has them all."""


@command(json=True)
@click.argument("table")
def explain(session: Session, table: str) -> None:
    """Tell everything about one table: why, from what, how good.

    Why it was built last and what a build would do now; its inputs with the contents that were read; columns
    with their origin; checks with the last verdicts and failing rows; its builds and where it is published.
    """
    if table in session.plan.marts:
        tables = ", ".join(session.plan.marts[table].tables)
        raise UserError(f"'{table}' is a mart: `mart status {table}` shows it. Its tables: {tables}.")
    platform = session.platform()
    status = table_status(platform, session.plan, table)
    inputs = {
        name: platform.ledger.latest_build(name, session.plan.tables[name].fingerprint)
        for name in status.table.inputs
    }
    if session.as_json:
        terminal.print_json({"status": status, "inputs": inputs})
        return
    _show(terminal.results(), _Page(session.plan, status, inputs))


@dataclass(frozen=True)
class _Page:
    """What is known of a table, and the newest build of each of its inputs."""

    plan: Plan
    status: TableStatus
    inputs: Mapping[str, Build | None]


def _show(console: Console, page: _Page) -> None:
    console.print(_head(page))
    sections = {
        "Why": _why(page),
        "Content": _content(page),
        "Inputs": _inputs(page),
        "When an input changes": _changes(page.status.table),
        "What may differ although no input did": _unsteady(page),
        "Columns": _columns(page),
        "Checks": _checks(page.status),
        "Deliveries": _deliveries(page.status),
        "Builds": _builds(page.status),
        "Downstream": _downstream(page.status),
    }
    for title, shown in sections.items():
        if shown is not None:
            console.print()
            console.print(terminal.heading(title))
            console.print(terminal.indented(shown))


def _head(page: _Page) -> RenderableType:
    table = page.status.table
    layer = {"landing": "landed table", "canonical": "canonical table", "mart": "table of a mart"}[
        table.layer
    ]
    facts = [layer, table.kind if table.model else "", f"owner {table.owner}"]
    if table.key:
        facts.append(f"key {', '.join(table.key)}")
    if table.partition:
        facts.append(f"by {table.partition.grain} of {table.partition.column}")
    return Group(
        Text(table.name, style="bold"),
        Text(" ".join(table.description.split())),
        Text(" · ".join(fact for fact in facts if fact), style="dim"),
        Text(table.file, style="dim"),
    )


def _why(page: _Page) -> RenderableType:
    build = page.status.build
    facts = _facts()
    if build is None:
        facts.add_row("built last", "never, with its present logic")
    else:
        facts.add_row(
            "built last", f"{terminal.moment(build.at)}, in {terminal.took(build.seconds)}: {build.reason}"
        )
        facts.add_row("by run", build.run)
    facts.add_row("a build now", page.status.decision)
    return facts


def _content(page: _Page) -> RenderableType | None:
    build, version = page.status.build, page.status.version
    if build is None or version is None:
        return None
    facts = _facts()
    facts.add_row("rows", f"{version.rows:,} in {terminal.counted(len(version.files), 'file')}")
    facts.add_row("size", terminal.size(version.bytes))
    if page.status.table.interval:
        retired = f", retired before {version.floor}" if version.floor else ""
        owed = f", {len(version.owed)} not built yet" if version.owed else ""
        facts.add_row("intervals", f"{len(version.intervals):,}{retired}{owed}")
    facts.add_row("complete up to", f"{terminal.moment(build.watermark)} UTC" if build.watermark else "-")
    facts.add_row("version", f"{version.id} (Delta version {version.number})")
    facts.add_row("content", version.content)
    facts.add_row("stored as", f"lake/{page.status.table.path}")
    if told := _published(page.status, build):
        facts.add_row("readers see", told)
    return facts


def _published(status: TableStatus, build: Build) -> str | None:
    """Return what readers of the mart have of this table, or None for a table that no mart owns."""
    if status.table.layer != "mart":
        return None
    if status.published is None or status.table.name not in status.published.tables:
        return "nothing yet"
    seen, number = status.published.tables[status.table.name].version, status.published.number
    same = "this version" if seen == build.version else f"another version, {seen}"
    return f"{same}, in publication {number} of {terminal.moment(status.published.at)}"


def _inputs(page: _Page) -> RenderableType | None:
    if not page.inputs:
        return None
    consumed = page.status.build.consumed if page.status.build else {}
    table = terminal.table_of("table", "content read", "content now", "version now", "data up to (UTC)")
    for name, build in page.inputs.items():
        read, now = consumed.get(name, "-"), build.content if build else "-"
        table.add_row(
            name,
            _short(read),
            Text(_short(now), style="yellow" if read != now else ""),
            _short(build.version if build else "-"),
            terminal.moment(build.watermark if build else None),
        )
    return table


def _changes(table: PlannedTable) -> RenderableType | None:
    """Return for each input what is built again when it changes; nothing for a table of one piece."""
    if table.interval is None:
        return None
    facts = _facts()
    for name in table.inputs:
        facts.add_row(name, _reach(table, name))
    return facts


def _unsteady(page: _Page) -> RenderableType | None:
    lints = unsteady(page.status.table, page.plan.tables)
    return Text("\n".join(lints), style="yellow") if lints else None


def _reach(table: PlannedTable, name: str) -> str:
    intervals = f"{table.partition.grain}s" if table.partition and table.kind == "incremental" else "buckets"
    if name in table.bindings:
        return f"the {intervals} to which its changed rows go"
    if name in table.lookups:
        return f"the {intervals} of the rows of {table.lookups[name].fact} that look up a changed row"
    return f"everything. {table.unbound.get(name, '')}".strip()


def _columns(page: _Page) -> RenderableType:
    table = terminal.table_of("column", "type", "meaning, and what it is made of")
    for column in page.status.table.columns:
        told = Text(" ".join(column.meaning.split()))
        if column.unit:
            told.append(f" [{column.unit}]")
        if column.labels:
            label = "labels" if len(column.labels) > 1 else "label"
            named = ", ".join(column.labels)
            told.append(f"{' ' if told.plain else ''}({label} {named})", style="magenta")
        for label, reason in column.dropped.items():
            line = "\n" if told.plain else ""
            told.append(f"{line}carries no label {label}: {reason}", style="magenta")
        if column.lineage:
            line = "\n" if told.plain else ""
            told.append(f"{line}from {', '.join(column.lineage)}", style="dim")
        table.add_row(column.name, column.type, told)
    return table


def _checks(status: TableStatus) -> RenderableType | None:
    if not status.table.checks:
        return None
    verdicts = {verdict.fingerprint: verdict for verdict in status.verdicts}
    table = terminal.table_of("", "check", "says", "last verdict")
    samples: list[RenderableType] = []
    for planned in status.table.checks:
        verdict = verdicts.get(planned.fingerprint)
        says = Text(" ".join(planned.check.says.split()))
        if status.table.interval and planned.measure and not planned.narrow:
            says.append("\nreads the whole table at each build", style="dim")
        if unsaid := [name for name in planned.reads if name not in says.plain]:
            says.append(f"\nreads {', '.join(unsaid)}", style="dim")
        table.add_row(_mark(planned, verdict), planned.check.name, says, _told(verdict))
        if verdict and not verdict.passed and verdict.sample:
            samples.append(_sample(planned, verdict))
    return Group(table, *samples)


def _told(verdict: Verdict | None) -> str:
    if verdict is None:
        return "none yet"
    return f"{verdict.tested:,} rows" if verdict.passed and not verdict.found else told_of(verdict)


def _mark(planned: PlannedCheck, verdict: Verdict | None) -> Text:
    if verdict is None:
        return Text("?", style="dim")
    if verdict.passed:
        return Text("✓", style="green")
    return Text("✗", style="red") if planned.check.blocks else Text("!", style="yellow")


def _sample(planned: PlannedCheck, verdict: Verdict) -> RenderableType:
    names = list(verdict.sample[0])
    rows = terminal.rows_of(names, ([row.get(name) for name in names] for row in verdict.sample))
    title = Text(f"\nRows that break {planned.check.name} ({terminal.moment(verdict.at)}, run {verdict.run})")
    return Group(title, rows)


def _deliveries(status: TableStatus) -> RenderableType | None:
    if not status.batches and status.refused is None:
        return None
    table = terminal.table_of(
        "delivery", "arrived (UTC)", ("read", "right"), ("landed", "right"), ("quarantined", "right")
    )
    for batch in status.batches[: -_SHOWN - 1 : -1]:
        told = Text(batch.position)
        for remark in _remarks(batch):
            told.append(f"\n{remark}", style="yellow")
        quarantined = Text(f"{batch.quarantined:,}", style="yellow" if batch.quarantined else "")
        arrived = terminal.moment(batch.arrived_at)
        table.add_row(told, arrived, f"{batch.rows_read:,}", f"{batch.landed:,}", quarantined)
    return Group(_refusal(status.refused), table) if status.refused else table


def _refusal(event: Event) -> Text:
    """Return why the delivery that was tried last has not landed."""
    return Text(
        f"{event.details['position']} was refused at {terminal.moment(event.at)} UTC:\n"
        f"{event.details['reason']}\n",
        style="red",
    )


def _remarks(batch: Batch) -> Iterator[str]:
    for warning in batch.warnings:
        yield warning.removeprefix(f"{batch.position}: ")


def _builds(status: TableStatus) -> RenderableType | None:
    if not status.history:
        return None
    table = terminal.table_of("at (UTC)", "version", ("took", "right"), "because")
    for build in status.history[:_SHOWN]:
        reason = Text(build.reason)
        if build.fingerprint != status.table.fingerprint:
            reason.append(" (earlier logic)", style="dim")
        table.add_row(terminal.moment(build.at), _short(build.version), terminal.took(build.seconds), reason)
    return table


def _downstream(status: TableStatus) -> RenderableType | None:
    return Text(", ".join(status.downstream)) if status.downstream else None


def _facts() -> Table:
    """Return a table of facts: what on the left, how it is on the right."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _short(digest: str) -> str:
    """Return the part of a version's or a content's name by which people tell them apart.

    >>> _short("duckdb-1.5.5:1d6943268077b5140:2")
    '1d694326'
    """
    engine, _, rest = digest.partition(":")
    return (rest or engine)[:8]
