"""Forgetting: what nothing refers to any more is looked up first, then deleted a thousand rows at a time.

Candidates are read before what refers to them, so that nothing is lost that others record meanwhile; and
whatever refers to a row goes before that row, so that one who was killed leaves a ledger that is whole.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import ColumnElement, Table, delete, exists, func, or_, select

from mart_platform.adapters.ledger import packing, schema
from mart_platform.adapters.ledger.database import Database, microseconds
from mart_platform.spec.records import Backfill, Build, Publication, Reading, VersionName

T = TypeVar("T")
_ROWS_AT_ONCE = 1000
_RUNS_AT_ONCE = 20  # with their pins, one for each table


def forget(database: Database, before: datetime, kept: Collection[VersionName]) -> int:
    """Delete what the port says, and return how many rows.

    The builds that were the newest at ``before`` stay too, with their versions, so that ``builds_at`` of any
    moment since then answers; so do the versions that the newest builds and kept views have read.
    """
    moment = microseconds(before)
    publications = _publications(database)
    return (
        _forget_runs(database, moment, publications)
        + _forget_versions(database, moment, publications, kept)
        + _forget_verdicts(database, moment)
        + _delete(database, schema.events, _seqs(database, schema.events, schema.events.c.at < moment))
    )


def forget_table(database: Database, table: str, fingerprint: str) -> None:
    """Delete all that is known of a physical table; what refers to a row goes before that row."""
    with database.writing() as connection:
        for of in (schema.newest_builds, schema.builds, schema.versions, schema.intervals, schema.batches):
            gone = delete(of).where(of.c.table_name == table, of.c.fingerprint == fingerprint)
            connection.execute(gone)


def _publications(database: Database) -> list[Publication]:
    """Return the publications that were not dropped."""
    publications = schema.publications.c
    return database.all(Publication, select(publications.record).where(publications.state != "dropped"))


def _forget_runs(database: Database, moment: int, publications: Iterable[Publication]) -> int:
    """Forget ended runs with their pins, but for those that publications and unfinished backfills read by."""
    runs, pins = schema.runs.c, schema.pins.c
    with database.reading() as connection:
        ended = connection.execute(select(runs.id).where(runs.ended_at < moment)).scalars().all()
    backfills = database.all(Backfill, select(schema.backfills.c.record))
    referred = {publication.run for publication in publications}
    referred |= {backfill.pins for backfill in backfills if backfill.state in ("running", "failed")}
    gone = 0
    for few in _parts([run for run in ended if run not in referred], _RUNS_AT_ONCE):
        with database.writing() as connection:
            gone += connection.execute(delete(schema.pins).where(pins.run.in_(few))).rowcount
            gone += connection.execute(delete(schema.runs).where(runs.id.in_(few))).rowcount
    return gone


def _forget_versions(
    database: Database, moment: int, publications: Iterable[Publication], kept: Collection[VersionName]
) -> int:
    """Forget builds of versions that nothing refers to, then versions without a build, then their bases."""
    builds, versions, bases = schema.builds.c, schema.versions.c, schema.version_bases.c
    has_build = exists().where(
        builds.table_name == versions.table_name,
        builds.fingerprint == versions.fingerprint,
        builds.version == versions.id,
    )
    old = select(builds.seq, builds.fingerprint, builds.version).where(builds.at < moment)
    without = select(versions.seq, versions.fingerprint, versions.id).where(~has_build)
    in_use = exists().where(versions.base == bases.seq)

    with database.reading() as connection:
        candidates = connection.execute(old).all()
    stays = _referred(database, moment, publications, kept)
    gone = _delete(database, schema.builds, [seq for seq, *name in candidates if tuple(name) not in stays])
    with database.reading() as connection:
        candidates = connection.execute(without).all()
    lost = [seq for seq, *name in candidates if tuple(name) not in stays]
    gone += _delete(database, schema.versions, lost, ~has_build)
    _delete(database, schema.version_bases, _seqs(database, schema.version_bases, ~in_use), ~in_use)
    return gone


def _referred(
    database: Database, moment: int, publications: Iterable[Publication], kept: Collection[VersionName]
) -> set[tuple[str, str]]:
    """Return the versions, by fingerprint and id, that something refers to."""
    newest = select(schema.builds.c.record).join(schema.newest_builds)
    named = _pinned_or_newest(database, moment) | _named(kept)
    for publication in publications:
        named |= {(table.fingerprint, table.version) for table in publication.tables.values()}
    for reading in database.all(Reading, select(schema.readings.c.record)):
        named |= _named(reading.tables.values())
    for build in database.all(Build, newest):
        named |= _named(build.read.values())
    return named | _read_by_views(database, named)


def _pinned_or_newest(database: Database, moment: int) -> set[tuple[str, str]]:
    """Return the versions that runs read, and those of the builds that are the newest now or were it then."""
    builds, pins = schema.builds.c, schema.pins.c
    newest = builds.seq.in_(select(schema.newest_builds.c.build))
    then = select(func.max(builds.seq)).where(builds.at <= moment)
    then = then.group_by(builds.table_name, builds.fingerprint)
    built = select(builds.fingerprint, builds.version).where(or_(newest, builds.seq.in_(then)))
    with database.reading() as connection:
        found = connection.execute(select(pins.fingerprint, pins.version).union(built)).all()
    return {(fingerprint, version) for fingerprint, version in found}


def _read_by_views(database: Database, views: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the versions that any of these versions, if it is a view's, is made of."""
    versions = schema.versions.c
    query = select(versions.fingerprint, versions.id, versions.record).where(versions.is_view)
    with database.reading() as connection:
        rows = connection.execute(query).all()
    read: set[tuple[str, str]] = set()
    for fingerprint, version, record in rows:
        if (fingerprint, version) in views and (view := packing.Reader().version_of(record, []).view):
            read |= _named(view.reads.values())
    return read


def _named(names: Iterable[VersionName]) -> set[tuple[str, str]]:
    return {(name.fingerprint, name.version) for name in names}


def _forget_verdicts(database: Database, moment: int) -> int:
    """Forget verdicts on contents that no build holds any more; the newest of each check stays."""
    builds, verdicts = schema.builds.c, schema.verdicts.c
    newest = select(func.max(verdicts.seq)).group_by(verdicts.table_name, verdicts.fingerprint)
    old = select(verdicts.seq, verdicts.table_name, verdicts.content)
    old = old.where(verdicts.at < moment, verdicts.seq.not_in(newest))
    with database.reading() as connection:
        candidates = connection.execute(old).all()
        built = connection.execute(select(builds.table_name, builds.content).distinct()).all()
    held = {(table, content) for table, content in built}
    lost = [seq for seq, *content in candidates if tuple(content) not in held]
    return _delete(database, schema.verdicts, lost)


def _seqs(database: Database, table: Table, which: ColumnElement[bool]) -> Sequence[int]:
    with database.reading() as connection:
        return connection.execute(select(table.c.seq).where(which)).scalars().all()


def _delete(database: Database, table: Table, seqs: Sequence[int], *which: ColumnElement[bool]) -> int:
    """Delete rows, of those that still are ``which``, in transactions so short that nobody waits for long."""
    gone = 0
    for few in _parts(seqs, _ROWS_AT_ONCE):
        with database.writing() as connection:
            gone += connection.execute(delete(table).where(table.c.seq.in_(few), *which)).rowcount
    return gone


def _parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
