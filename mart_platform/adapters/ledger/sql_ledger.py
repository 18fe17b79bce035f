"""The Ledger port over SQL: every method but ``forget`` is one transaction."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    and_,
    case,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from mart_platform.adapters.ledger import forgetting, packing, schema
from mart_platform.adapters.ledger.database import Database, microseconds, moment_of
from mart_platform.adapters.ledger.directory import SqlDirectory
from mart_platform.ports import CommitConflict
from mart_platform.spec.records import (
    Backfill,
    BackfillPiece,
    Batch,
    Build,
    BuiltInterval,
    Event,
    FreshnessState,
    Hold,
    Lease,
    LegalHold,
    Publication,
    Reading,
    Restatement,
    Run,
    Storage,
    Verdict,
    Version,
    VersionName,
    built_intervals,
)

_VERSIONS_HELD = 32
"""A version never changes, and one step asks for the same few of them several times: that of a year by days
takes 3 ms to read, and 0.7 MB."""


class SqlLedger:
    """A ledger in SQLite or PostgreSQL; may be used by several threads, and by a process after a fork.

    Any method raises UserError, naming the ledger, when the database cannot be read or written. The
    ``directory`` is kept in the same database.
    """

    def __init__(self, engine: Engine) -> None:
        self._database = Database(engine)
        self.directory = SqlDirectory(self._database)
        self._version = lru_cache(_VERSIONS_HELD)(self._read_version)

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    # Runs and what they read

    def begin_run(self, run: Run, pins: Mapping[str, Build]) -> None:
        new = self._database.insert(schema.runs).values(**_run_row(run)).on_conflict_do_nothing()
        with self._database.writing() as connection:
            if connection.execute(new.returning(schema.runs.c.seq)).first():
                self._pin(connection, run.id, pins)

    def end_run(self, run: str, outcome: str, at: datetime) -> None:
        ours = schema.runs.c.id == run
        with self._database.writing() as connection:
            record = connection.execute(select(schema.runs.c.record).where(ours).with_for_update()).scalar()
            if record is not None:
                begun = Run.model_validate_json(record).model_dump()
                ended = Run.model_validate({**begun, "outcome": outcome, "ended_at": at})
                connection.execute(update(schema.runs).where(ours).values(**_run_row(ended)))

    def run(self, run: str) -> Run | None:
        return self._database.first(Run, select(schema.runs.c.record).where(schema.runs.c.id == run))

    def runs(self, *, limit: int | None = 50) -> list[Run]:
        runs = schema.runs.c
        return self._database.all(Run, select(runs.record).order_by(runs.seq.desc()).limit(limit))

    def pins(self, run: str, tables: Collection[str] | None = None) -> dict[str, Build]:
        pins = schema.pins.c
        query = select(pins.table_name, pins.record).where(pins.run == run)
        if tables is not None:
            query = query.where(pins.table_name.in_(tables))
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return {table: Build.model_validate_json(record) for table, record in rows}

    def pin(self, run: str, builds: Mapping[str, Build]) -> None:
        with self._database.writing() as connection:
            self._pin(connection, run, builds)

    def _pin(self, connection: Connection, run: str, builds: Mapping[str, Build]) -> None:
        rows = [
            {
                "run": run,
                "table_name": table,
                "fingerprint": build.fingerprint,
                "version": build.version,
                "record": build.model_dump_json(),
            }
            for table, build in builds.items()
        ]
        self._database.put(connection, schema.pins, ["run", "table_name"], rows)

    def begin_reading(self, reading: Reading) -> None:
        row = {"id": reading.id, "record": reading.model_dump_json()}
        with self._database.writing() as connection:
            self._database.put(connection, schema.readings, ["id"], [row])

    def end_reading(self, reading: str) -> None:
        with self._database.writing() as connection:
            connection.execute(delete(schema.readings).where(schema.readings.c.id == reading))

    def readings(self) -> list[Reading]:
        readings = schema.readings.c
        return self._database.all(Reading, select(readings.record).order_by(readings.id))

    # Batches, builds and versions

    def add_batch(self, batch: Batch) -> None:
        row = {
            "id": batch.id,
            "table_name": batch.table,
            "fingerprint": batch.fingerprint,
            "record": batch.model_dump_json(),
        }
        with self._database.writing() as connection:
            connection.execute(self._database.insert(schema.batches).on_conflict_do_nothing(), row)

    def batches(self, table: str, fingerprint: str | None = None) -> list[Batch]:
        batches = schema.batches.c
        query = select(batches.record).where(batches.table_name == table).order_by(batches.seq)
        if fingerprint is not None:
            query = query.where(batches.fingerprint == fingerprint)
        return self._database.all(Batch, query)

    def record_build(self, build: Build, version: Version, restatements: Sequence[Restatement] = ()) -> None:
        with self._database.writing() as connection:
            self._add_version(connection, version)
            self._add_build(connection, build)
            self._pin(connection, build.run, {build.table: build})
            self._note_intervals(connection, build, version)
            if restatements:
                rows = [{"table_name": each.table, "record": each.model_dump_json()} for each in restatements]
                connection.execute(self._database.insert(schema.restatements), rows)

    def _add_version(self, connection: Connection, version: Version) -> None:
        versions = schema.versions.c
        physical = and_(versions.table_name == version.table, versions.fingerprint == version.fingerprint)
        if connection.execute(select(versions.seq).where(physical, versions.id == version.id)).first():
            return
        base, difference = self._packed(connection, physical, packing.lines_of(version))
        row = {
            "table_name": version.table,
            "fingerprint": version.fingerprint,
            "id": version.id,
            "is_view": version.view is not None,
            "record": packing.record_of(version),
            "base": base,
            "difference": difference,
        }
        connection.execute(self._database.insert(schema.versions).on_conflict_do_nothing(), row)

    def _packed(
        self, connection: Connection, physical: ColumnElement[bool], lines: packing.Lines
    ) -> tuple[int, bytes]:
        """Return a base for the lines of a new version, and their difference to it.

        It is the base of the version before, locked so that nobody forgets it now, or else a new one.
        """
        bases = schema.version_bases
        newest = select(bases.c.seq, bases.c.packed).join(schema.versions).where(physical)
        newest = newest.order_by(schema.versions.c.seq.desc()).limit(1)
        if found := connection.execute(newest.with_for_update(read=True, key_share=True, of=bases)).first():
            difference = packing.difference(lines, packing.unpacked(found.packed))
            if not packing.outgrown(found.packed, difference):
                return found.seq, difference
        new = self._database.insert(bases).values(packed=packing.packed(lines)).returning(bases.c.seq)
        return connection.execute(new).scalar_one(), packing.difference(lines, lines)

    def _add_build(self, connection: Connection, build: Build) -> None:
        physical = {"table_name": build.table, "fingerprint": build.fingerprint}
        row = {
            **physical,
            "version": build.version,
            "content": build.content,
            "at": microseconds(build.at),
            "record": build.model_dump_json(),
        }
        new = self._database.insert(schema.builds).values(**row).returning(schema.builds.c.seq)
        newest = {**physical, "build": connection.execute(new).scalar_one()}
        self._database.put(connection, schema.newest_builds, list(physical), [newest])

    def _note_intervals(self, connection: Connection, build: Build, version: Version) -> None:
        rows = [
            {
                "table_name": each.table,
                "fingerprint": each.fingerprint,
                "interval": each.interval,
                "record": each.model_dump_json(),
            }
            for each in built_intervals(build, version)
        ]
        self._database.put(connection, schema.intervals, ["table_name", "fingerprint", "interval"], rows)

    def intervals(self, table: str, fingerprint: str) -> dict[str, BuiltInterval]:
        intervals = schema.intervals.c
        query = select(intervals.record).where(
            intervals.table_name == table, intervals.fingerprint == fingerprint
        )
        built = self._database.all(BuiltInterval, query.order_by(intervals.interval))
        return {each.interval: each for each in built}

    def interval_keys(self, table: str, fingerprint: str) -> frozenset[str]:
        intervals = schema.intervals.c
        query = select(intervals.interval).where(
            intervals.table_name == table, intervals.fingerprint == fingerprint
        )
        with self._database.reading() as connection:
            return frozenset(connection.execute(query).scalars())

    def restatements(self, table: str, *, limit: int | None = 100) -> list[Restatement]:
        restatements = schema.restatements.c
        query = select(restatements.record).where(restatements.table_name == table)
        return self._database.all(Restatement, query.order_by(restatements.seq.desc()).limit(limit))

    def latest_build(self, table: str, fingerprint: str) -> Build | None:
        newest = schema.newest_builds.c
        return self._database.first(
            Build, _newest_builds().where(newest.table_name == table, newest.fingerprint == fingerprint)
        )

    def latest_builds(self) -> dict[tuple[str, str], Build]:
        return _by_physical_table(self._database.all(Build, _newest_builds()))

    def builds_at(self, moment: datetime) -> dict[tuple[str, str], Build]:
        builds = schema.builds.c
        newest = select(func.max(builds.seq)).where(builds.at <= microseconds(moment))
        newest = newest.group_by(builds.table_name, builds.fingerprint)
        return _by_physical_table(
            self._database.all(Build, select(builds.record).where(builds.seq.in_(newest)))
        )

    def builds(self, table: str, *, limit: int | None = 20) -> list[Build]:
        builds = schema.builds.c
        query = select(builds.record).where(builds.table_name == table)
        return self._database.all(Build, query.order_by(builds.seq.desc()).limit(limit))

    def version(self, table: str, fingerprint: str, version: str) -> Version:
        """Return a version. Raises LookupError when it was never recorded, or is forgotten here."""
        return self._version(table, fingerprint, version)

    def _read_version(self, table: str, fingerprint: str, version: str) -> Version:
        versions, bases = schema.versions.c, schema.version_bases
        query = select(versions.record, versions.difference, bases.c.packed).join(bases)
        query = query.where(
            versions.table_name == table, versions.fingerprint == fingerprint, versions.id == version
        )
        with self._database.reading() as connection:
            found = connection.execute(query).first()
        if found is None:
            raise LookupError(f"the ledger knows no version {version} of {table} ({fingerprint})")
        lines = packing.applied(found.difference, packing.unpacked(found.packed))
        return packing.Reader().version_of(found.record, lines)

    def versions(self, table: str) -> list[Version]:
        versions, bases = schema.versions.c, schema.version_bases.c
        of_table = versions.table_name == table
        query = select(versions.record, versions.base, versions.difference).where(of_table)
        used = select(bases.seq, bases.packed).where(bases.seq.in_(select(versions.base).where(of_table)))
        with self._database.reading() as connection:
            found = connection.execute(query.order_by(versions.seq)).all()
            lines = {seq: packing.unpacked(packed) for seq, packed in connection.execute(used)}
        reader = packing.Reader()
        return [
            reader.version_of(record, packing.applied(difference, lines[base]))
            for record, base, difference in found
        ]

    # Verdicts

    def record_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        rows = [
            {
                "table_name": verdict.table,
                "content": verdict.content,
                "fingerprint": verdict.fingerprint,
                "at": microseconds(verdict.at),
                "record": verdict.model_dump_json(),
            }
            for verdict in verdicts
        ]
        if rows:
            with self._database.writing() as connection:
                connection.execute(self._database.insert(schema.verdicts), rows)

    def verdicts(self, table: str, content: str) -> dict[str, Verdict]:
        verdicts = schema.verdicts.c
        return self._newest_verdicts(verdicts.table_name == table, verdicts.content == content)

    def last_verdicts(self, table: str) -> dict[str, Verdict]:
        return self._newest_verdicts(schema.verdicts.c.table_name == table)

    def _newest_verdicts(self, *which: ColumnElement[bool]) -> dict[str, Verdict]:
        verdicts = schema.verdicts.c
        newest = select(func.max(verdicts.seq)).where(*which).group_by(verdicts.fingerprint)
        query = select(verdicts.record).where(verdicts.seq.in_(newest)).order_by(verdicts.seq)
        return {verdict.fingerprint: verdict for verdict in self._database.all(Verdict, query)}

    # Backfills

    def record_backfill(self, backfill: Backfill) -> None:
        row = {"id": backfill.id, "record": backfill.model_dump_json()}
        with self._database.writing() as connection:
            self._database.put(connection, schema.backfills, ["id"], [row])

    def backfills(self, *, limit: int | None = 20) -> list[Backfill]:
        backfills = schema.backfills.c
        query = select(backfills.record).order_by(backfills.seq.desc()).limit(limit)
        return self._database.all(Backfill, query)

    def add_piece(self, piece: BackfillPiece) -> None:
        row = {
            "backfill": piece.backfill,
            "table_name": piece.table,
            "record": piece.model_dump_json(exclude_defaults=True),
        }
        with self._database.writing() as connection:
            connection.execute(self._database.insert(schema.pieces), row)

    def pieces(self, backfill: str, table: str | None = None) -> list[BackfillPiece]:
        pieces = schema.pieces.c
        query = select(pieces.record).where(pieces.backfill == backfill).order_by(pieces.seq)
        if table is not None:
            query = query.where(pieces.table_name == table)
        return self._database.all(BackfillPiece, query)

    # Publications

    def publish(self, publication: Publication, *, release: bool = False, hold: Hold | None = None) -> None:
        mart, number = publication.mart, publication.number
        try:
            with self._database.writing() as connection:
                self._refuse_old_number(connection, mart, number)
                connection.execute(
                    self._database.insert(schema.publications),
                    {"mart": mart, "number": number, **_publication_values(publication)},
                )
                if release:
                    connection.execute(delete(schema.holds).where(schema.holds.c.mart == mart))
                if hold is not None:
                    row = {"mart": hold.mart, "record": hold.model_dump_json()}
                    self._database.put(connection, schema.holds, ["mart"], [row])
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
        live = _publications(mart).where(schema.publications.c.state == "live")
        return self._database.first(Publication, live.limit(1))

    def set_state(self, mart: str, number: int, state: Literal["shadow", "dropped"]) -> None:
        numbers = schema.publications.c
        this = and_(numbers.mart == mart, numbers.number == number)
        live = select(func.max(numbers.number)).where(numbers.mart == mart, numbers.state == "live")
        with self._database.writing() as connection:
            if connection.execute(live).scalar() == number:
                raise LookupError(f"publication {number} of {mart} is live, and stays so until the next one")
            record = connection.execute(select(numbers.record).where(this).with_for_update()).scalar()
            if record is None:
                raise LookupError(f"{mart} has no publication {number}")
            changed = Publication.model_validate_json(record).model_copy(update={"state": state})
            connection.execute(update(schema.publications).where(this).values(**_publication_values(changed)))

    def publications(self, mart: str, *, limit: int | None = None) -> list[Publication]:
        return self._database.all(Publication, _publications(mart).limit(limit))

    def hold_of(self, mart: str) -> Hold | None:
        return self._database.first(Hold, select(schema.holds.c.record).where(schema.holds.c.mart == mart))

    def release(self, mart: str) -> None:
        with self._database.writing() as connection:
            connection.execute(delete(schema.holds).where(schema.holds.c.mart == mart))

    def add_legal_hold(self, hold: LegalHold) -> None:
        new = self._database.insert(schema.legal_holds)
        new = new.values(name=hold.name, record=hold.model_dump_json()).on_conflict_do_nothing()
        with self._database.writing() as connection:
            if connection.execute(new.returning(schema.legal_holds.c.name)).first() is None:
                raise ValueError(f"there is a legal hold {hold.name} already")

    def release_legal_hold(self, name: str) -> None:
        with self._database.writing() as connection:
            gone = connection.execute(delete(schema.legal_holds).where(schema.legal_holds.c.name == name))
            if gone.rowcount == 0:
                raise LookupError(f"there is no legal hold {name}")

    def legal_holds(self) -> list[LegalHold]:
        holds = schema.legal_holds.c
        return self._database.all(LegalHold, select(holds.record).order_by(holds.name))

    # Leases

    def acquire(self, name: str, holder: str, now: datetime, seconds: float) -> Lease | None:
        """Take a lease by one statement, so that two who ask at once cannot both have it.

        A clock that was stepped back takes nothing from anybody: by an earlier ``now`` a lease that runs has
        not expired, and its holder's renewal never shortens it. It only keeps the lease of somebody who died
        for as much longer as the clock went back, unless ``give_back`` ends it; who asks is told None.
        """
        leases = schema.leases.c
        new = self._database.insert(schema.leases).values(
            name=name, holder=holder, token=1, expires=microseconds(now + timedelta(seconds=seconds))
        )
        ours, asked = leases.holder == holder, new.excluded.expires
        taken = new.on_conflict_do_update(
            index_elements=["name"],
            set_={
                "token": case((ours, leases.token), else_=leases.token + 1),
                "holder": holder,
                "expires": case((and_(ours, leases.expires > asked), leases.expires), else_=asked),
            },
            where=or_(ours, leases.holder.is_(None), leases.expires <= microseconds(now)),
        )
        with self._database.writing() as connection:
            row = connection.execute(taken.returning(leases.token, leases.expires)).first()
        if row is None:
            return None
        return Lease(name=name, holder=holder, token=row.token, expires=moment_of(row.expires))

    def lease(self, name: str) -> Lease | None:
        return next(iter(self._leases(schema.leases.c.name == name)), None)

    def leases(self, now: datetime) -> list[Lease]:
        return self._leases(schema.leases.c.expires > microseconds(now))

    def _leases(self, which: ColumnElement[bool]) -> list[Lease]:
        leases = schema.leases.c
        query = select(leases.name, leases.holder, leases.token, leases.expires)
        query = query.where(which, leases.holder.is_not(None)).order_by(leases.name)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return [
            Lease(name=row.name, holder=row.holder, token=row.token, expires=moment_of(row.expires))
            for row in rows
        ]

    def give_back(self, lease: Lease) -> None:
        leases = schema.leases.c
        ours = (leases.name == lease.name, leases.holder == lease.holder, leases.token == lease.token)
        with self._database.writing() as connection:
            connection.execute(update(schema.leases).where(*ours).values(holder=None))

    # Settings, freshness, storage, events

    def setting(self, name: str) -> str | None:
        settings = schema.settings.c
        with self._database.reading() as connection:
            return connection.execute(select(settings.value).where(settings.name == name)).scalar()

    def set_setting(self, name: str, value: str | None) -> None:
        with self._database.writing() as connection:
            if value is None:
                connection.execute(delete(schema.settings).where(schema.settings.c.name == name))
            else:
                self._database.put(connection, schema.settings, ["name"], [{"name": name, "value": value}])

    def freshness(self) -> list[FreshnessState]:
        freshness = schema.freshness.c
        query = select(freshness.record).order_by(freshness.mart, freshness.objective)
        return self._database.all(FreshnessState, query)

    def record_freshness(self, state: FreshnessState) -> None:
        row = {"mart": state.mart, "objective": state.objective, "record": state.model_dump_json()}
        with self._database.writing() as connection:
            self._database.put(connection, schema.freshness, ["mart", "objective"], [row])

    def record_storage(self, storage: Storage) -> None:
        row = {
            "day": storage.day.isoformat(),
            "subject": storage.subject,
            "record": storage.model_dump_json(),
        }
        with self._database.writing() as connection:
            self._database.put(connection, schema.storage, ["day", "subject"], [row])

    def storage(self, subject: str | None = None) -> list[Storage]:
        storage = schema.storage.c
        query = select(storage.record).order_by(storage.day, storage.subject)
        if subject is not None:
            query = query.where(storage.subject == subject)
        return self._database.all(Storage, query)

    def add_event(self, event: Event) -> None:
        row = {
            "subject": event.subject,
            "kind": event.kind,
            "at": microseconds(event.at),
            "record": event.model_dump_json(),
        }
        with self._database.writing() as connection:
            connection.execute(self._database.insert(schema.events), row)

    def events(self, *, subject: str | None = None, kind: str | None = None, limit: int = 100) -> list[Event]:
        events = schema.events.c
        query = select(events.record).order_by(events.seq.desc()).limit(limit)
        if subject is not None:
            query = query.where(events.subject == subject)
        if kind is not None:
            query = query.where(events.kind == kind)
        return self._database.all(Event, query)

    def forget(self, before: datetime, kept: Collection[VersionName]) -> int:
        gone = forgetting.forget(self._database, before, kept)
        self._version.cache_clear()
        return gone

    def forget_table(self, table: str, fingerprint: str) -> None:
        forgetting.forget_table(self._database, table, fingerprint)
        self._version.cache_clear()


def _run_row(run: Run) -> dict[str, Any]:
    ended_at = None if run.ended_at is None else microseconds(run.ended_at)
    return {"id": run.id, "ended_at": ended_at, "record": run.model_dump_json()}


def _newest_builds() -> Select[str]:
    return select(schema.builds.c.record).join(
        schema.newest_builds, schema.newest_builds.c.build == schema.builds.c.seq
    )


def _by_physical_table(builds: Sequence[Build]) -> dict[tuple[str, str], Build]:
    return {(build.table, build.fingerprint): build for build in builds}


def _publications(mart: str) -> Select[str]:
    publications = schema.publications.c
    return select(publications.record).where(publications.mart == mart).order_by(publications.number.desc())


def _publication_values(publication: Publication) -> dict[str, str]:
    return {"state": publication.state, "record": publication.model_dump_json()}
