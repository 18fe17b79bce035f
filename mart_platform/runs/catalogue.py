"""The catalogue: what somebody may know of marts, tables and columns, in the words of the declarations.

What may not be read is left out as if it did not exist: tables, columns, checks on them, lineage that names
them, and questions that would read them. Nothing here depends on rows: a count or a measured value would tell
of rows that a filter hides.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Literal

from sqlglot import exp

from mart_platform.planning.plan import Plan, PlannedCheck, PlannedMart, PlannedTable
from mart_platform.planning.queries import named_tables, parse_query
from mart_platform.ports import Platform
from mart_platform.runs.judged import verdicts_of
from mart_platform.spec.checks import Check
from mart_platform.spec.marts import Lifecycle, Pattern, Question
from mart_platform.spec.problems import Problem
from mart_platform.spec.records import Kept, Publication, Record
from mart_platform.spec.words import Severity

Seen = Mapping[str, Mapping[str, str]]
"""What somebody may read: of each table ``mart.table`` the columns, each with the name of its mask."""

_SHOWN_PUBLICATIONS = 10
_SHOWN_HITS = 8


class NotSeen(LookupError):
    """There is no such thing, or nothing of it may be read: nobody can tell which."""


class PublicationCard(Record):
    """One publication of a mart. ``earlier`` ones can be asked by their number as long as they are kept."""

    number: int
    state: Literal["live", "earlier", "shadow"]
    at: datetime
    watermark: datetime | None


class Promise(Record):
    """A service level objective. ``threshold`` and ``staleness`` are seconds where it is about freshness."""

    name: str
    title: str
    says: str
    indicator: str
    threshold: float
    target: float
    state: Kept = "unknown"
    staleness: float | None = None


class MartCard(Record):
    """A mart as it stands in the catalogue. ``staleness`` is how many seconds its watermark lies back."""

    mart: str
    title: str
    purpose: str
    lifecycle: Lifecycle
    pattern: Pattern
    team: str
    contact: str
    on_call: str
    tables: tuple[str, ...]
    live: PublicationCard | None
    staleness: float | None
    freshness: Kept


class TableCard(Record):
    """A table of a mart in one line."""

    name: str
    description: str
    kind: str
    columns: tuple[str, ...]


class MartPage(Record):
    """Everything about a mart that a reader may know."""

    card: MartCard
    cadence: str
    consumers: tuple[str, ...]
    tables: tuple[TableCard, ...]
    promises: tuple[Promise, ...]
    questions: tuple[Question, ...]
    publications: tuple[PublicationCard, ...]


class ColumnCard(Record):
    """A column. ``mask`` is how this reader sees its values; ``lineage`` are the columns it is made of."""

    name: str
    type: str
    meaning: str
    unit: str
    labels: tuple[str, ...]
    mask: str
    lineage: tuple[str, ...]


class CheckCard(Record):
    """A check, and how it went on what is live; it has no verdict where that was never tested."""

    name: str
    says: str
    severity: Severity
    verdict: Literal["passed", "failed", "none"]
    at: datetime | None


class TablePage(Record):
    """Everything about a table that a reader may know."""

    name: str
    mart: str
    title: str
    description: str
    kind: str
    key: tuple[str, ...]
    owner: str
    columns: tuple[ColumnCard, ...]
    checks: tuple[CheckCard, ...]
    made_from: tuple[str, ...]
    watermark: datetime | None
    staleness: float | None
    publications: tuple[PublicationCard, ...]
    questions: tuple[Question, ...]


class Hit(Record):
    """A table, or a column of it, in which something was found."""

    table: str
    column: str | None
    meaning: str


class Finding(Record):
    """A mart in which something was found, and where; no place where it is the mart itself."""

    card: MartCard
    hits: tuple[Hit, ...]


def search(platform: Platform, plan: Plan, seen: Seen, text: str) -> tuple[Finding, ...]:
    """Return the marts in which all words of a text occur: in what is said of them, a table or a column."""
    words = text.lower().split()
    found = (_finding(plan, seen, card, words) for card in marts(platform, plan, seen))
    return tuple(finding for finding in found if finding)


def marts(platform: Platform, plan: Plan, seen: Seen) -> tuple[MartCard, ...]:
    """Return the marts of which anything may be read."""
    return tuple(_card(platform, plan, seen, name) for name in plan.marts if _tables_seen(plan, seen, name))


def mart(platform: Platform, plan: Plan, seen: Seen, name: str) -> MartPage:
    """Return one mart. Raises NotSeen where there is none of which anything may be read."""
    tables = _tables_seen(plan, seen, name)
    if not tables:
        raise NotSeen(name)
    planned = plan.marts[name]
    return MartPage(
        card=_card(platform, plan, seen, name),
        cadence=planned.spec.cadence,
        consumers=planned.spec.consumers,
        tables=tuple(_line(table, seen) for table in tables),
        promises=tuple(_promises(platform, planned)),
        questions=tuple(_questions(plan, seen, planned)),
        publications=_publications(platform, name),
    )


def table(platform: Platform, plan: Plan, seen: Seen, name: str) -> TablePage:
    """Return one table ``mart.table``. Raises NotSeen where there is none that may be read."""
    if name not in seen or name not in plan.tables:
        raise NotSeen(name)
    planned, owner = plan.tables[name], plan.mart_of(name)
    if owner is None:
        raise NotSeen(name)
    live = platform.ledger.live(owner.spec.mart)
    questions = _questions(plan, seen, owner)
    return TablePage(
        name=name,
        mart=owner.spec.mart,
        title=owner.spec.title,
        description=planned.description,
        kind=planned.kind,
        key=planned.key if set(planned.key) <= seen[name].keys() else (),
        owner=owner.spec.owner.team,
        columns=tuple(_columns(plan, seen, planned)),
        checks=tuple(_checks(platform, plan, seen, planned, live)),
        made_from=tuple(other for other in planned.inputs if _may_be_named(plan, seen, other)),
        watermark=live.watermark if live else None,
        staleness=_staleness(platform, live),
        publications=_publications(platform, owner.spec.mart),
        questions=tuple(question for question in questions if name in _tables_of(question)),
    )


def _finding(plan: Plan, seen: Seen, card: MartCard, words: Sequence[str]) -> Finding | None:
    if _holds(words, card.mart, card.title, card.purpose, card.team):
        return Finding(card=card, hits=())
    hits = tuple(islice(_hits(plan, seen, card.mart, words), _SHOWN_HITS))
    return Finding(card=card, hits=hits) if hits else None


def _hits(plan: Plan, seen: Seen, mart: str, words: Sequence[str]) -> Iterator[Hit]:
    for table in _tables_seen(plan, seen, mart):
        if _holds(words, table.name, table.description):
            yield Hit(table=table.name, column=None, meaning=table.description)
        for column in table.columns:
            named = column.name in seen[table.name]
            if named and _holds(words, column.name, column.meaning, *column.labels):
                yield Hit(table=table.name, column=column.name, meaning=column.meaning)


def _holds(words: Sequence[str], *texts: str) -> bool:
    text = " ".join(texts).lower()
    return all(word in text or word in text.replace("_", " ") for word in words)


def _tables_seen(plan: Plan, seen: Seen, mart: str) -> list[PlannedTable]:
    known = plan.marts[mart].tables if mart in plan.marts else ()
    return [plan.tables[name] for name in known if name in seen]


def _card(platform: Platform, plan: Plan, seen: Seen, name: str) -> MartCard:
    planned, live = plan.marts[name], platform.ledger.live(name)
    spec, states = planned.spec, [promise.state for promise in _promises(platform, planned)]
    return MartCard(
        mart=name,
        title=spec.title,
        purpose=" ".join(spec.purpose.split()),
        lifecycle=spec.lifecycle,
        pattern=spec.pattern,
        team=spec.owner.team,
        contact=spec.owner.contact,
        on_call=spec.owner.on_call,
        tables=tuple(table.name for table in _tables_seen(plan, seen, name)),
        live=_published(live, live) if live else None,
        staleness=_staleness(platform, live),
        freshness="broken" if "broken" in states else "kept" if "kept" in states else "unknown",
    )


def _line(table: PlannedTable, seen: Seen) -> TableCard:
    columns = tuple(column.name for column in table.columns if column.name in seen[table.name])
    return TableCard(name=table.name, description=table.description, kind=table.kind, columns=columns)


def _promises(platform: Platform, planned: PlannedMart) -> Iterator[Promise]:
    mart = planned.spec.mart
    judged = {state.objective: state for state in platform.ledger.freshness() if state.mart == mart}
    for slo in planned.slos:
        state, objective = judged.get(slo.metadata.name), slo.spec.objectives[0]
        yield Promise(
            name=slo.metadata.name,
            title=slo.metadata.displayName or slo.metadata.name,
            says=slo.spec.description,
            indicator=slo.sli,
            threshold=objective.value,
            target=objective.target,
            state=state.state if state else "unknown",
            staleness=state.staleness if state else None,
        )


def _publications(platform: Platform, mart: str) -> tuple[PublicationCard, ...]:
    live = platform.ledger.live(mart)
    there = platform.ledger.publications(mart, limit=_SHOWN_PUBLICATIONS)
    return tuple(_published(each, live) for each in there if each.state != "dropped")


def _published(publication: Publication, live: Publication | None) -> PublicationCard:
    is_live = live is not None and publication.number == live.number
    state: Literal["live", "earlier", "shadow"] = "shadow" if publication.state == "shadow" else "earlier"
    return PublicationCard(
        number=publication.number,
        state="live" if is_live else state,
        at=publication.at,
        watermark=publication.watermark,
    )


def _staleness(platform: Platform, live: Publication | None) -> float | None:
    if live is None or live.watermark is None:
        return None
    return max(0.0, (platform.clock.now() - live.watermark).total_seconds())


def _columns(plan: Plan, seen: Seen, table: PlannedTable) -> Iterator[ColumnCard]:
    masks = seen[table.name]
    for column in table.columns:
        if column.name in masks:
            yield ColumnCard(
                name=column.name,
                type=column.type,
                meaning=column.meaning,
                unit=column.unit,
                labels=column.labels,
                mask=masks[column.name],
                lineage=tuple(
                    origin for origin in column.lineage if _origin_may_be_named(plan, seen, origin)
                ),
            )


def _checks(
    platform: Platform, plan: Plan, seen: Seen, table: PlannedTable, live: Publication | None
) -> Iterator[CheckCard]:
    """Yield the checks that tell of nothing else than of what is seen."""
    judged = verdicts_of(platform, plan, live, {table.name}) if live else {}
    verdicts = judged.get(table.name, {})
    for planned in table.checks:
        if not _is_about_seen(plan, seen, table, planned):
            continue
        verdict = verdicts.get(planned.check.name)
        yield CheckCard(
            name=planned.check.name,
            says=planned.check.says,
            severity=planned.check.severity,
            verdict="none" if verdict is None else "passed" if verdict.passed else "failed",
            at=verdict.at if verdict else None,
        )


def _is_about_seen(plan: Plan, seen: Seen, table: PlannedTable, planned: PlannedCheck) -> bool:
    others = (plan.tables[name] for name in planned.reads if plan.mart_of(name))
    whole = all(other.types.keys() <= seen.get(other.name, {}).keys() for other in others)
    return whole and _tested(table, planned.check) <= seen[table.name].keys()


def _tested(table: PlannedTable, check: Check) -> set[str]:
    """Return the columns of which a check may tell: all, where it says so in SQL or of many."""
    match check.kind:
        case "row_count":
            return set()
        case "unique":
            return set(check.columns)
        case "no_row" | "holds_sums":
            return set(table.types)
        case _:
            return {check.column}


def _may_be_named(plan: Plan, seen: Seen, table: str) -> bool:
    """Return whether a table may be named as an origin: nobody queries sources and canonical tables."""
    return table in seen or plan.mart_of(table) is None


def _origin_may_be_named(plan: Plan, seen: Seen, column: str) -> bool:
    table, _, name = column.rpartition(".")
    return name in seen[table] if table in seen else plan.mart_of(table) is None


def _questions(plan: Plan, seen: Seen, planned: PlannedMart) -> Iterator[Question]:
    """Yield the questions that read nothing but what is seen."""
    for question in planned.spec.questions:
        tables = _tables_of(question)
        hidden = {name for table in tables if table in plan.tables for name in plan.tables[table].types}
        hidden -= {name for table in tables for name in seen.get(table, ())}
        if tables <= seen.keys() and hidden.isdisjoint(_words_of(question)):
            yield question


def _tables_of(question: Question) -> set[str]:
    query = parse_query("the question", question.sql)
    return set() if isinstance(query, Problem) else {table.name for table in named_tables(query)}


def _words_of(question: Question) -> set[str]:
    """Return all names in a question's query, whatever they name."""
    query = parse_query("the question", question.sql)
    if isinstance(query, Problem):
        return set()
    return {name.name.lower() for name in query.tree.find_all(exp.Identifier)}
