"""The Ledger port over SQL: every method is one transaction."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    Table,
    case,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import IntegrityError

from mart_platform.adapters.ledger import schema
from mart_platform.adapters.ledger.failures import explained
from mart_platform.ports import CommitConflict
from mart_platform.spec.records import (
    Batch,
    Build,
    Event,
    FreshnessState,
    Hold,
    Lease,
    Publication,
    Record,
    Run,
    Verdict,
    Version,
)

R = TypeVar("R", bound=Record)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SqlLedger:
    """A ledger in SQLite or PostgreSQL; may be used by several threads, and by a process after a fork.

    Any method raises UserError, naming the ledger, when the database cannot be read or written.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._process = os.getpid()
        self._of_parent: object = None

    def close(self) -> None:
        """Close all connections."""
        self._engine_here().dispose()

    # Runs and what they read

    def begin_run(self, run: Run, pins: Mapping[str, Build]) -> None:
        with self._writing() as connection:
            new = self._insert(schema.runs).values(id=run.id, record=run.model_dump_json())
            is_new = connection.execute(new.on_conflict_do_nothing().returning(schema.runs.c.seq)).first()
            if is_new and pins:
                rows = [
                    {"run": run.id, "table_name": table, "record": build.model_dump_json()}
                    for table, build in pins.items()
                ]
                connection.execute(self._insert(schema.pins), rows)

    def end_run(self, run: str, outcome: str, at: datetime) -> None:
        ours = schema.runs.c.id == run
        with self._writing() as connection:
            record = connection.execute(select(schema.runs.c.record).where(ours).with_for_update()).scalar()
            if record is not None:
                begun = Run.model_validate_json(record).model_dump()
                ended = Run.model_validate({**begun, "outcome": outcome, "ended_at": at})
                connection.execute(update(schema.runs).where(ours).values(record=ended.model_dump_json()))

    def run(self, run: str) -> Run | None:
        return self._first(Run, select(schema.runs.c.record).where(schema.runs.c.id == run))

    def runs(self, *, limit: int = 50) -> list[Run]:
        return self._all(Run, select(schema.runs.c.record).order_by(schema.runs.c.seq.desc()).limit(limit))

    def pins(self, run: str, tables: Collection[str] | None = None) -> dict[str, Build]:
        pins = schema.pins.c
        query = select(pins.table_name, pins.record).where(pins.run == run)
        if tables is not None:
            query = query.where(pins.table_name.in_(tables))
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return {table: Build.model_validate_json(record) for table, record in rows}

    def pin(self, run: str, builds: Mapping[str, Build]) -> None:
        with self._writing() as connection:
            for table, build in builds.items():
                record = {"record": build.model_dump_json()}
                self._put(connection, schema.pins, record, run=run, table_name=table)

    # Batches, builds and versions

    def add_batch(self, batch: Batch) -> None:
        with self._writing() as connection:
            connection.execute(
                self._insert(schema.batches)
                .values(
                    id=batch.id,
                    table_name=batch.table,
                    fingerprint=batch.fingerprint,
                    record=batch.model_dump_json(),
                )
                .on_conflict_do_nothing()
            )

    def batches(self, table: str, fingerprint: str | None = None) -> list[Batch]:
        batches = schema.batches.c
        query = select(batches.record).where(batches.table_name == table).order_by(batches.seq)
        if fingerprint is not None:
            query = query.where(batches.fingerprint == fingerprint)
        return self._all(Batch, query)

    def record_build(self, build: Build, version: Version) -> None:
        physical = {"table_name": build.table, "fingerprint": build.fingerprint}
        record = {"record": build.model_dump_json()}
        with self._writing() as connection:
            connection.execute(
                self._insert(schema.versions)
                .values(**physical, id=version.id, record=version.model_dump_json())
                .on_conflict_do_nothing()
            )
            seq = connection.execute(
                self._insert(schema.builds).values(**physical, **record).returning(schema.builds.c.seq)
            ).scalar_one()
            self._put(connection, schema.newest_builds, {"build": seq}, **physical)
            self._put(connection, schema.pins, record, run=build.run, table_name=build.table)

    def latest_build(self, table: str, fingerprint: str) -> Build | None:
        newest = schema.newest_builds.c
        return self._first(
            Build, _newest_builds().where(newest.table_name == table, newest.fingerprint == fingerprint)
        )

    def latest_builds(self) -> dict[tuple[str, str], Build]:
        return {(build.table, build.fingerprint): build for build in self._all(Build, _newest_builds())}

    def builds(self, table: str, *, limit: int = 20) -> list[Build]:
        builds = schema.builds.c
        query = select(builds.record).where(builds.table_name == table)
        return self._all(Build, query.order_by(builds.seq.desc()).limit(limit))

    def version(self, table: str, fingerprint: str, version: str) -> Version:
        """Return a version. Raises LookupError when it was never recorded."""
        versions = schema.versions.c
        found = self._first(
            Version,
            select(versions.record).where(
                versions.table_name == table, versions.fingerprint == fingerprint, versions.id == version
            ),
        )
        if found is None:
            raise LookupError(f"the ledger knows no version {version} of {table} ({fingerprint})")
        return found

    # Verdicts

    def record_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        rows = [
            {
                "table_name": verdict.table,
                "content": verdict.content,
                "fingerprint": verdict.fingerprint,
                "record": verdict.model_dump_json(),
            }
            for verdict in verdicts
        ]
        if rows:
            with self._writing() as connection:
                connection.execute(self._insert(schema.verdicts), rows)

    def verdicts(self, table: str, content: str) -> dict[str, Verdict]:
        verdicts = schema.verdicts.c
        return self._newest_verdicts(verdicts.table_name == table, verdicts.content == content)

    def last_verdicts(self, table: str) -> dict[str, Verdict]:
        return self._newest_verdicts(schema.verdicts.c.table_name == table)

    def _newest_verdicts(self, *which: ColumnElement[bool]) -> dict[str, Verdict]:
        verdicts = schema.verdicts.c
        newest = select(func.max(verdicts.seq)).where(*which).group_by(verdicts.fingerprint)
        query = select(verdicts.record).where(verdicts.seq.in_(newest)).order_by(verdicts.seq)
        return {verdict.fingerprint: verdict for verdict in self._all(Verdict, query)}

    # Publications

    def publish(self, publication: Publication, *, release: bool = False, hold: Hold | None = None) -> None:
        mart, number = publication.mart, publication.number
        try:
            with self._writing() as connection:
                self._refuse_old_number(connection, mart, number)
                connection.execute(
                    self._insert(schema.publications).values(
                        mart=mart, number=number, record=publication.model_dump_json()
                    )
                )
                if release:
                    connection.execute(delete(schema.holds).where(schema.holds.c.mart == mart))
                if hold is not None:
                    self._put(connection, schema.holds, {"record": hold.model_dump_json()}, mart=hold.mart)
        except IntegrityError as error:  # PostgreSQL: somebody published between our look and our row
            raise CommitConflict(f"{mart} already has a publication {number}") from error

    @staticmethod
    def _refuse_old_number(connection: Connection, mart: str, number: int) -> None:
        """Refuse a number that would not be the newest, for the newest is what is live."""
        numbers = schema.publications.c
        newest = connection.execute(select(func.max(numbers.number)).where(numbers.mart == mart)).scalar()
        if newest is not None and newest >= number:
            raise CommitConflict(f"{mart} already has a publication {newest}")

    def live(self, mart: str) -> Publication | None:
        return self._first(Publication, _publications(mart).limit(1))

    def publications(self, mart: str) -> list[Publication]:
        return self._all(Publication, _publications(mart))

    def hold_of(self, mart: str) -> Hold | None:
        return self._first(Hold, select(schema.holds.c.record).where(schema.holds.c.mart == mart))

    def release(self, mart: str) -> None:
        with self._writing() as connection:
            connection.execute(delete(schema.holds).where(schema.holds.c.mart == mart))

    # Leases

    def acquire(self, name: str, holder: str, now: datetime, seconds: float) -> Lease | None:
        """Take a lease by one statement, so that two who ask at once cannot both have it."""
        leases = schema.leases.c
        expires = now + timedelta(seconds=seconds)
        taken = self._insert(schema.leases).values(
            name=name, holder=holder, token=1, expires=_microseconds(expires)
        )
        taken = taken.on_conflict_do_update(
            index_elements=["name"],
            set_={
                "token": case((leases.holder == holder, leases.token), else_=leases.token + 1),
                "holder": holder,
                "expires": taken.excluded.expires,
            },
            where=or_(leases.holder == holder, leases.holder.is_(None), leases.expires <= _microseconds(now)),
        )
        with self._writing() as connection:
            token = connection.execute(taken.returning(leases.token)).scalar()
        return None if token is None else Lease(name=name, holder=holder, token=token, expires=expires)

    def lease(self, name: str) -> Lease | None:
        leases = schema.leases.c
        query = select(leases.holder, leases.token, leases.expires).where(
            leases.name == name, leases.holder.is_not(None)
        )
        with self._reading() as connection:
            row = connection.execute(query).first()
        return row and Lease(name=name, holder=row.holder, token=row.token, expires=_moment(row.expires))

    def give_back(self, lease: Lease) -> None:
        leases = schema.leases.c
        ours = (leases.name == lease.name, leases.holder == lease.holder, leases.token == lease.token)
        with self._writing() as connection:
            connection.execute(update(schema.leases).where(*ours).values(holder=None))

    # Settings, freshness, events

    def setting(self, name: str) -> str | None:
        settings = schema.settings.c
        with self._reading() as connection:
            return connection.execute(select(settings.value).where(settings.name == name)).scalar()

    def set_setting(self, name: str, value: str | None) -> None:
        with self._writing() as connection:
            if value is None:
                connection.execute(delete(schema.settings).where(schema.settings.c.name == name))
            else:
                self._put(connection, schema.settings, {"value": value}, name=name)

    def freshness(self) -> list[FreshnessState]:
        freshness = schema.freshness.c
        query = select(freshness.record).order_by(freshness.mart, freshness.objective)
        return self._all(FreshnessState, query)

    def record_freshness(self, state: FreshnessState) -> None:
        record = {"record": state.model_dump_json()}
        with self._writing() as connection:
            self._put(connection, schema.freshness, record, mart=state.mart, objective=state.objective)

    def add_event(self, event: Event) -> None:
        row = {"subject": event.subject, "kind": event.kind, "record": event.model_dump_json()}
        with self._writing() as connection:
            connection.execute(self._insert(schema.events), row)

    def events(self, *, subject: str | None = None, kind: str | None = None, limit: int = 100) -> list[Event]:
        events = schema.events.c
        query = select(events.record).order_by(events.seq.desc()).limit(limit)
        if subject is not None:
            query = query.where(events.subject == subject)
        if kind is not None:
            query = query.where(events.kind == kind)
        return self._all(Event, query)

    # How it is done

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        engine = self._engine_here().execution_options(writes=True)
        with explained(engine.url), engine.begin() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        engine = self._engine_here()
        with explained(engine.url), engine.connect() as connection:
            yield connection

    def _engine_here(self) -> Engine:
        """Return the engine; after a fork without the connections of the parent, which are left to it."""
        if self._process != os.getpid():
            self._of_parent = self._engine.pool  # kept, for SQLite must not be closed here
            self._engine.dispose(close=False)
            self._process = os.getpid()
        return self._engine

    def _first(self, model: type[R], query: Select[str]) -> R | None:
        with self._reading() as connection:
            record = connection.execute(query).scalar()
        return None if record is None else model.model_validate_json(record)

    def _all(self, model: type[R], query: Select[str]) -> list[R]:
        with self._reading() as connection:
            records = connection.execute(query).scalars().all()
        return [model.model_validate_json(record) for record in records]

    def _insert(self, table: Table) -> sqlite.Insert:
        """Return an INSERT that can say what to do on conflict; both databases spell it alike."""
        if self._engine.dialect.name == "sqlite":
            return sqlite.insert(table)
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415 (20 ms that SQLite need not pay)

        return cast(sqlite.Insert, postgresql.insert(table))

    def _put(self, connection: Connection, table: Table, values: Mapping[str, Any], **key: str) -> None:
        """Write the row with this key, over the one that is there."""
        connection.execute(
            self._insert(table)
            .values(**key, **values)
            .on_conflict_do_update(index_elements=list(key), set_=dict(values))
        )


def _newest_builds() -> Select[str]:
    return select(schema.builds.c.record).join(
        schema.newest_builds, schema.newest_builds.c.build == schema.builds.c.seq
    )


def _publications(mart: str) -> Select[str]:
    publications = schema.publications.c
    return select(publications.record).where(publications.mart == mart).order_by(publications.number.desc())


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
