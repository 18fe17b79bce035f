"""How a build went, told to people: in a sentence, by mart, by answers; and what failed, with its log."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mart_platform.cli import terminal
from mart_platform.cli.session import Session
from mart_platform.planning.plan import Plan
from mart_platform.ports import Platform
from mart_platform.runs.deciding import Todo, chosen
from mart_platform.runs.inspecting import MartStatus, mart_statuses
from mart_platform.runs.reporting import TableReport, told_of
from mart_platform.spec.marts import Question

if TYPE_CHECKING:  # it imports Dagster; where nothing is to do, nobody needs it
    from mart_platform.orchestration.running import BuildOutcome

_QUESTIONS, _ROWS = 3, 5
_NUMBERS = (int, float, Decimal, type(None))


def show_outcome(session: Session, targets: tuple[str, ...], outcome: "BuildOutcome", seconds: float) -> None:
    """Print what was done; after a success also answered questions and what to do next."""
    console, platform = terminal.results(), session.platform()
    console.print(_in_a_sentence(outcome, seconds))
    for report in outcome.marts:
        if not report.published:
            console.print(Text(f"{report.mart} stays at publication {report.live.number}: {report.reason}."))
    for warning in _warnings(outcome.tables):
        console.print(Text(warning, style="yellow"))
    console.print()
    marts = show_marts(console, session, platform, targets)
    if not marts and outcome.tables:
        console.print(_tables(outcome.tables))
    elif marts and outcome.succeeded:
        _show_answers(console, session, platform, marts)
        _show_next(console, session, platform, marts)


def _warnings(reports: Sequence[TableReport]) -> Iterator[str]:
    """Yield what was noticed and stopped nothing: at landing, and by checks of severity warn."""
    for report in reports:
        yield from report.warnings
        for verdict in report.verdicts:
            if not verdict.passed:
                yield f"{report.table}: check {verdict.check} warns: {told_of(verdict)}"


def show_marts(
    console: Console,
    session: Session,
    platform: Platform,
    targets: tuple[str, ...],
    todo: Todo | None = None,
) -> list[MartStatus]:
    """Print the marts that the targets name as their readers see them, if they name any, and return them."""
    marts, _ = chosen(session.plan, targets)
    if not marts:
        return []
    statuses = mart_statuses(platform, session.plan, marts, todo)
    console.print(_marts(statuses))
    return statuses


def show_failures(session: Session, outcome: "BuildOutcome", marts: Iterable[str]) -> None:
    """Print which step failed, why and where its log is, and what readers have of the marts meanwhile."""
    console = terminal.messages()
    for failure in outcome.failures:
        message = failure.message.removeprefix(f"{failure.subject}: ")
        console.print(Text(f"{failure.subject} failed: {message}", style="red"), soft_wrap=True)
        console.print(Text(f"  log: {failure.log}"), soft_wrap=True)
    done = {report.mart for report in outcome.marts}
    for mart in marts if outcome.failures else ():
        if mart not in done:
            console.print(Text(f"{mart}: {_meanwhile(session, mart)}"))


def _meanwhile(session: Session, mart: str) -> str:
    live = session.platform().ledger.live(mart)
    if live is None:
        return "not published yet, and not now."
    return f"readers keep publication {live.number} of {terminal.moment(live.at)} UTC."


def _in_a_sentence(outcome: "BuildOutcome", seconds: float) -> str:
    done = Counter(report.outcome for report in outcome.tables)
    parts = [f"{terminal.counted(count, 'table')} {verb}" for verb, count in done.items()]
    published = sum(report.published for report in outcome.marts)
    if published:
        parts.append(f"{terminal.counted(published, 'mart')} published")
    if outcome.failures:
        parts.append(f"{terminal.counted(len(outcome.failures), 'step')} failed")
    if quarantined := sum(int(report.facts.get("quarantined_now", 0)) for report in outcome.tables):
        parts.append(f"{terminal.counted(quarantined, 'row')} in quarantine")
    return f"{', '.join(parts) or 'Nothing new to publish'}, in {terminal.took(seconds)}."


def _marts(statuses: Sequence[MartStatus]) -> Table:
    table = terminal.table_of(
        "mart",
        ("version", "right"),
        ("tables", "right"),
        ("rows", "right"),
        ("checks passed", "right"),
        "data up to (UTC)",
        ("built in", "right"),
        "",
    )
    for status in statuses:
        table.add_row(*_mart(status))
    return table


def _mart(status: MartStatus) -> tuple[Text, ...]:
    live = status.live
    if live is None:
        return (Text(status.mart, style="bold"), *[Text("-")] * 6, Text("not published yet", style="yellow"))
    all_passed = status.checks_passed == status.checks
    return (
        Text(status.mart, style="bold"),
        Text(str(live.number)),
        Text(str(status.tables)),
        Text(f"{status.rows:,}"),
        Text(f"{status.checks_passed} of {status.checks}", style="" if all_passed else "yellow"),
        Text(terminal.moment(live.watermark)),
        Text(terminal.took(status.seconds)),
        Text("held" if status.hold else "", style="yellow"),
    )


def _tables(reports: Sequence[TableReport]) -> Table:
    table = terminal.table_of(
        "table", "", ("rows", "right"), "data up to (UTC)", ("took", "right"), "because"
    )
    for report in reports:
        rows, took = f"{report.rows:,}", terminal.took(report.seconds)
        until = terminal.moment(report.watermark)
        table.add_row(report.table, report.outcome, rows, until, took, report.reason)
    return table


def _show_answers(
    console: Console, session: Session, platform: Platform, marts: Sequence[MartStatus]
) -> None:
    """Print some business questions, of different marts where there are some, each with its first rows."""
    from mart_platform.runs.answering import answer

    for mart, question in islice(_asked(session.plan, marts), _QUESTIONS):
        console.print(Text.assemble((f"{mart}: ", "bold cyan"), (question.ask, "bold")))
        _show_answer(console, answer(platform, mart, question.sql))
        console.print()


def _show_answer(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print the first rows of an answer, and how many more there are."""
    if not rows:
        console.print(terminal.indented(Text("no row", style="dim")))
        return
    names = list(rows[0])
    numeric = [name for name in names if all(isinstance(row[name], _NUMBERS) for row in rows)]
    shown = terminal.rows_of(names, [tuple(row.values()) for row in rows[:_ROWS]], numeric, console.width - 2)
    console.print(terminal.indented(shown))
    if len(rows) > _ROWS:
        rest = terminal.counted(len(rows) - _ROWS, "more row")
        console.print(terminal.indented(Text(f"and {rest}", style="dim")))


def _asked(plan: Plan, marts: Sequence[MartStatus]) -> Iterator[tuple[str, Question]]:
    """Yield the first question of each live mart, then the second ones, and so on."""
    live = [status.mart for status in marts if status.live]
    for questions in zip_longest(*(plan.marts[mart].spec.questions for mart in live)):
        yield from ((mart, asked) for mart, asked in zip(live, questions, strict=True) if asked)


def _show_next(console: Console, session: Session, platform: Platform, marts: Sequence[MartStatus]) -> None:
    """Print what can be done now, in commands that work when they are typed here."""
    live = [status.mart for status in marts if status.live]
    if not live:
        return
    tables = [session.plan.tables[name] for mart in live for name in session.plan.marts[mart].tables]
    table = min(tables, key=lambda table: len(table.columns))
    mart = table.schema_name
    current = _from_here(platform.data.published) / mart / "current"
    has_make = Path("Makefile").exists() and session.warehouse is None and session.data is None
    steps = {
        "make ui" if has_make else session.spelled("ui"): "assets, checks, freshness and schedules",
        session.spelled(f'query "SELECT * FROM {table.name} LIMIT 5"'): "SQL on what is live",
        f"{current}/{table.short_name}/*.parquet": "a table for any reader of Parquet",
        f"{current}/{mart}.duckdb": "all tables of the mart for DuckDB",
    }
    console.print(terminal.heading("What next"))
    for step, gives in steps.items():
        console.print(Text.assemble("  ", (step, "bold"), (f"\n      {gives}", "dim")), soft_wrap=True)


def _from_here(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
