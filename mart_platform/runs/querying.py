"""SQL on what is live, or was once, for whoever owns the files; the governed door has its own path."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from mart_platform.planning.plan import Plan
from mart_platform.planning.queries import named_tables, parse_query
from mart_platform.planning.resolving import unknown_table
from mart_platform.ports import Platform
from mart_platform.runs.relations import relation_of
from mart_platform.runs.versions import (
    GONE,
    keeping,
    live_at,
    publication_called,
    version_if_whole,
    versions_in,
)
from mart_platform.spec.problems import Place, Problem, UserError
from mart_platform.spec.records import Build, Publication, Version

if TYPE_CHECKING:
    import polars as pl

ONLY = ""
"""Stands in ``Wanted.versions`` for the only mart of which a query names tables."""


@dataclass(frozen=True)
class Wanted:
    """Which versions a query reads: what is live, and the newest builds, unless it says otherwise.

    ``versions`` maps marts to publications, each called by its number, ``live`` or ``shadow``. Everything
    else is read as it was at ``as_of``, a moment of the wall's clock: a mart as its readers saw it then,
    another table at its newest build of then.
    """

    versions: Mapping[str, str] = field(default_factory=dict)
    as_of: datetime | None = None


NOW = Wanted()


@dataclass(frozen=True)
class TableRead:
    """Which version of a table a query has read.

    ``publication`` and its ``state`` are None for a table of no mart. ``at`` is when it was published, or
    built.
    """

    table: str
    version: str
    at: datetime
    publication: int | None = None
    state: str | None = None


@dataclass(frozen=True)
class Answer:
    """The rows, and what they were read from."""

    frame: "pl.DataFrame"
    read: tuple[TableRead, ...]


def query(platform: Platform, plan: Plan, sql: str, wanted: Wanted = NOW) -> "pl.DataFrame":
    """Return the rows that ``ask`` answers."""
    return ask(platform, plan, sql, wanted).frame


def ask(platform: Platform, plan: Plan, sql: str, wanted: Wanted = NOW) -> Answer:
    """Return the answer of one SELECT over tables as ``schema.table``, and which versions it has read.

    The vacuum leaves their files alone meanwhile. Raises UserError when the SQL does not parse, names a table
    that does not exist or has no data yet, or when a version that is wanted is not there any more.
    """
    found = list(_found(platform, plan, _names_in(sql), wanted))
    landed = {table.name for table in plan.landed()}
    with keeping(platform, [version for _, version in found]):
        relations = [relation_of(platform, v, hidden=v.table in landed) for _, v in found]
        with platform.engine.session(relations) as session:
            return Answer(session.frame(sql.strip().rstrip(";")), tuple(read for read, _ in found))


def _names_in(sql: str) -> list[str]:
    parsed = parse_query("the query", sql)
    if isinstance(parsed, Problem):
        raise UserError(f"{parsed.found} {parsed.remedy}".strip())
    return sorted({table.name for table in named_tables(parsed)})


def _found(
    platform: Platform, plan: Plan, names: Collection[str], wanted: Wanted
) -> Iterator[tuple[TableRead, Version]]:
    """Yield the wanted version of each table. Raises UserError when there is no such table, or no data."""
    schemas = [name.partition(".")[0] for name in names]
    called = _called(wanted, [mart for mart in plan.marts if mart in schemas])
    published: dict[str, Publication | None] = {}
    for name, mart in zip(names, schemas, strict=True):
        if mart not in plan.marts:
            yield _built(platform, plan, name, wanted.as_of)
            continue
        if mart not in published:
            published[mart] = _publication(platform, plan, mart, called.get(mart), wanted.as_of)
        yield _published(platform, plan, mart, published[mart], name)


def _called(wanted: Wanted, named: list[str]) -> dict[str, str]:
    """Return what the publications are called that are wanted of the marts that a query names."""
    called = {mart: version for mart, version in wanted.versions.items() if mart != ONLY}
    if stray := next((mart for mart in called if mart not in named), None):
        raise UserError(f"the query reads no table of {stray}, so there is no version of it to choose.")
    if ONLY in wanted.versions:
        if len(named) != 1:
            of = f"of {', '.join(named)}" if named else "of no mart"
            raise UserError(f"the query reads tables {of}: say of which mart the version is, as in sales=12.")
        called[named[0]] = wanted.versions[ONLY]
    return called


def _publication(
    platform: Platform, plan: Plan, mart: str, called: str | None, as_of: datetime | None
) -> Publication | None:
    """Return the publication of a mart that is wanted; None when nothing special is, and none is live."""
    if called:
        return publication_called(platform, plan, mart, called)
    if as_of:
        return live_at(platform, plan, mart, as_of)
    return platform.ledger.live(mart)


def _published(
    platform: Platform, plan: Plan, mart: str, publication: Publication | None, name: str
) -> tuple[TableRead, Version]:
    if publication is None or name not in publication.tables:
        _refuse_unknown(name, plan.tables if publication is None else {*plan.tables, *publication.tables})
        if publication is None or publication == platform.ledger.live(mart):
            raise UserError(f"{name} is not published yet; run `mart build {mart}` first.")
        raise UserError(f"{name} is not in publication {publication.number} of {mart}.")
    version = versions_in(platform, plan, publication, [name])[name]
    return TableRead(name, version.id, publication.at, publication.number, publication.state), version


def _built(platform: Platform, plan: Plan, name: str, as_of: datetime | None) -> tuple[TableRead, Version]:
    _refuse_unknown(name, plan.tables)
    if as_of is None:
        build = platform.ledger.latest_build(name, plan.tables[name].fingerprint)
        missing = f"{name} has no data yet; run `mart build` first."
    else:
        build = _newest(platform.ledger.builds_at(as_of).values(), name)
        missing = f"{name} had no data yet at {as_of:%Y-%m-%d %H:%M:%S} UTC."
    if build is None:
        raise UserError(missing)
    version = version_if_whole(platform, name, build.version_name)
    if version is None:
        raise UserError(f"{name} as it was built at {build.at:%Y-%m-%d %H:%M:%S} UTC {GONE}.")
    return TableRead(name, version.id, build.at), version


def _newest(builds: Iterable[Build], table: str) -> Build | None:
    """Return the newest build of a table, whatever its logic was."""
    return max((build for build in builds if build.table == table), key=lambda build: build.at, default=None)


def _refuse_unknown(name: str, known: Iterable[str]) -> None:
    for problem in unknown_table(name, Place("the query"), known):
        raise UserError(f"{problem.found} {problem.remedy}".strip())
