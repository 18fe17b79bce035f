"""A ledger in memory: as forgetful as the process, otherwise like the real one."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Literal, cast

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

Outcome = Literal["running", "succeeded", "failed", "abandoned"]


@dataclass
class MemoryLedger:
    """Keeps everything in dictionaries and lists; newest is last."""

    _runs: dict[str, Run] = field(default_factory=dict)
    _pins: dict[str, dict[str, Build]] = field(default_factory=dict)
    _batches: dict[tuple[str, str, str], Batch] = field(default_factory=dict)
    _builds: list[Build] = field(default_factory=list)
    _versions: dict[tuple[str, str, str], Version] = field(default_factory=dict)
    _verdicts: list[Verdict] = field(default_factory=list)
    _publications: list[Publication] = field(default_factory=list)
    _holds: dict[str, Hold] = field(default_factory=dict)
    _leases: dict[str, Lease] = field(default_factory=dict)
    _tokens: dict[str, int] = field(default_factory=dict)
    _settings: dict[str, str] = field(default_factory=dict)
    _freshness: dict[tuple[str, str], FreshnessState] = field(default_factory=dict)
    _events: list[Event] = field(default_factory=list)
    _intervals: dict[tuple[str, str], dict[str, BuiltInterval]] = field(default_factory=dict)
    _restatements: list[Restatement] = field(default_factory=list)
    _readings: dict[str, Reading] = field(default_factory=dict)
    _legal_holds: dict[str, LegalHold] = field(default_factory=dict)
    _storage: dict[tuple[date, str], Storage] = field(default_factory=dict)
    _backfills: dict[str, Backfill] = field(default_factory=dict)
    _pieces: list[BackfillPiece] = field(default_factory=list)

    def close(self) -> None:
        """Nothing is open."""

    def begin_run(self, run: Run, pins: Mapping[str, Build]) -> None:
        if run.id not in self._runs:
            self._runs[run.id] = run
            self._pins[run.id] = dict(pins)

    def end_run(self, run: str, outcome: str, at: datetime) -> None:
        if run in self._runs:
            ended: dict[str, Any] = {"outcome": cast(Outcome, outcome), "ended_at": at}
            self._runs[run] = self._runs[run].model_copy(update=ended)

    def run(self, run: str) -> Run | None:
        return self._runs.get(run)

    def runs(self, *, limit: int | None = 50) -> list[Run]:
        return list(reversed(self._runs.values()))[:limit]

    def pins(self, run: str, tables: Collection[str] | None = None) -> dict[str, Build]:
        pins = self._pins.get(run, {})
        return {table: build for table, build in pins.items() if tables is None or table in tables}

    def pin(self, run: str, builds: Mapping[str, Build]) -> None:
        self._pins.setdefault(run, {}).update(builds)

    def add_batch(self, batch: Batch) -> None:
        self._batches.setdefault((batch.table, batch.fingerprint, batch.id), batch)

    def batches(self, table: str, fingerprint: str | None = None) -> list[Batch]:
        return [
            batch
            for batch in self._batches.values()
            if batch.table == table and fingerprint in (None, batch.fingerprint)
        ]

    def record_build(self, build: Build, version: Version, restatements: Sequence[Restatement] = ()) -> None:
        self._versions.setdefault((build.table, build.fingerprint, version.id), version)
        self._builds.append(build)
        self._pins.setdefault(build.run, {})[build.table] = build
        self._restatements += restatements
        built = self._intervals.setdefault((build.table, build.fingerprint), {})
        built |= {each.interval: each for each in built_intervals(build, version)}

    def intervals(self, table: str, fingerprint: str) -> dict[str, BuiltInterval]:
        return dict(sorted(self._intervals.get((table, fingerprint), {}).items()))

    def interval_keys(self, table: str, fingerprint: str) -> frozenset[str]:
        return frozenset(self._intervals.get((table, fingerprint), {}))

    def restatements(self, table: str, *, limit: int | None = 100) -> list[Restatement]:
        return [each for each in reversed(self._restatements) if each.table == table][:limit]

    def builds_at(self, moment: datetime) -> dict[tuple[str, str], Build]:
        return {(build.table, build.fingerprint): build for build in self._builds if build.at <= moment}

    def latest_build(self, table: str, fingerprint: str) -> Build | None:
        return self.latest_builds().get((table, fingerprint))

    def latest_builds(self) -> dict[tuple[str, str], Build]:
        return {(build.table, build.fingerprint): build for build in self._builds}

    def builds(self, table: str, *, limit: int | None = 20) -> list[Build]:
        return [build for build in reversed(self._builds) if build.table == table][:limit]

    def version(self, table: str, fingerprint: str, version: str) -> Version:
        try:
            return self._versions[table, fingerprint, version]
        except KeyError:
            raise LookupError(f"the ledger knows no version {version} of {table} ({fingerprint})") from None

    def record_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        self._verdicts.extend(verdicts)

    def verdicts(self, table: str, content: str) -> dict[str, Verdict]:
        return {v.fingerprint: v for v in self._verdicts if (v.table, v.content) == (table, content)}

    def last_verdicts(self, table: str) -> dict[str, Verdict]:
        return {v.fingerprint: v for v in self._verdicts if v.table == table}

    def publish(self, publication: Publication, *, release: bool = False, hold: Hold | None = None) -> None:
        for newest in self.publications(publication.mart, limit=1):
            if newest.number >= publication.number:
                raise CommitConflict(f"{publication.mart} already has a publication {newest.number}")
        self._publications.append(publication)
        if release:
            self.release(publication.mart)
        if hold is not None:
            self._holds[hold.mart] = hold

    def live(self, mart: str) -> Publication | None:
        return next((each for each in self.publications(mart) if each.state == "live"), None)

    def set_state(self, mart: str, number: int, state: Literal["shadow", "dropped"]) -> None:
        live = self.live(mart)
        if live is not None and live.number == number:
            raise LookupError(f"publication {number} of {mart} is live, and stays so until the next one")
        for place, each in enumerate(self._publications):
            if (each.mart, each.number) == (mart, number):
                self._publications[place] = each.model_copy(update={"state": state})
                return
        raise LookupError(f"{mart} has no publication {number}")

    def publications(self, mart: str, *, limit: int | None = None) -> list[Publication]:
        return [each for each in reversed(self._publications) if each.mart == mart][:limit]

    def hold_of(self, mart: str) -> Hold | None:
        return self._holds.get(mart)

    def release(self, mart: str) -> None:
        self._holds.pop(mart, None)

    def acquire(self, name: str, holder: str, now: datetime, seconds: float) -> Lease | None:
        held, expires = self._leases.get(name), now + timedelta(seconds=seconds)
        if held is not None and held.holder == holder:
            expires = max(expires, held.expires)
        elif held is not None and held.expires > now:
            return None
        else:
            self._tokens[name] = self._tokens.get(name, 0) + 1
        self._leases[name] = Lease(name=name, holder=holder, token=self._tokens[name], expires=expires)
        return self._leases[name]

    def lease(self, name: str) -> Lease | None:
        return self._leases.get(name)

    def give_back(self, lease: Lease) -> None:
        held = self._leases.get(lease.name)
        if held is not None and (held.holder, held.token) == (lease.holder, lease.token):
            del self._leases[lease.name]

    def leases(self, now: datetime) -> list[Lease]:
        return [lease for _, lease in sorted(self._leases.items()) if lease.expires > now]

    def begin_reading(self, reading: Reading) -> None:
        self._readings[reading.id] = reading

    def end_reading(self, reading: str) -> None:
        self._readings.pop(reading, None)

    def readings(self) -> list[Reading]:
        return [reading for _, reading in sorted(self._readings.items())]

    def add_legal_hold(self, hold: LegalHold) -> None:
        if hold.name in self._legal_holds:
            raise ValueError(f"there is a legal hold {hold.name} already")
        self._legal_holds[hold.name] = hold

    def release_legal_hold(self, name: str) -> None:
        if name not in self._legal_holds:
            raise LookupError(f"there is no legal hold {name}")
        del self._legal_holds[name]

    def legal_holds(self) -> list[LegalHold]:
        return [hold for _, hold in sorted(self._legal_holds.items())]

    def record_storage(self, storage: Storage) -> None:
        self._storage[storage.day, storage.subject] = storage

    def storage(self, subject: str | None = None) -> list[Storage]:
        taken = sorted(self._storage.items())
        return [storage for (_, of), storage in taken if subject in (None, of)]

    def record_backfill(self, backfill: Backfill) -> None:
        self._backfills[backfill.id] = backfill

    def backfills(self, *, limit: int | None = 20) -> list[Backfill]:
        return list(reversed(self._backfills.values()))[:limit]

    def add_piece(self, piece: BackfillPiece) -> None:
        self._pieces.append(piece)

    def pieces(self, backfill: str, table: str | None = None) -> list[BackfillPiece]:
        return [
            piece for piece in self._pieces if piece.backfill == backfill and table in (None, piece.table)
        ]

    def versions(self, table: str) -> list[Version]:
        return [version for (of, _, _), version in self._versions.items() if of == table]

    def setting(self, name: str) -> str | None:
        return self._settings.get(name)

    def set_setting(self, name: str, value: str | None) -> None:
        if value is None:
            self._settings.pop(name, None)
        else:
            self._settings[name] = value

    def freshness(self) -> list[FreshnessState]:
        return [state for _, state in sorted(self._freshness.items(), key=lambda item: item[0])]

    def record_freshness(self, state: FreshnessState) -> None:
        self._freshness[state.mart, state.objective] = state

    def add_event(self, event: Event) -> None:
        self._events.append(event)

    def events(self, *, subject: str | None = None, kind: str | None = None, limit: int = 100) -> list[Event]:
        return [
            event
            for event in reversed(self._events)
            if subject in (None, event.subject) and kind in (None, event.kind)
        ][:limit]

    def forget(self, before: datetime, kept: Collection[VersionName]) -> int:
        count = self._count()
        published = [each for each in self._publications if each.state != "dropped"]
        unfinished = [each for each in self._backfills.values() if each.state in ("running", "failed")]
        self._forget_runs(before, {each.run for each in published} | {each.pins for each in unfinished})
        self._forget_versions(before, self._referred(before, published) | set(kept))
        held = {(build.table, build.content) for build in self._builds}
        newest = {(verdict.table, verdict.fingerprint): verdict for verdict in self._verdicts}
        self._verdicts = [
            verdict
            for verdict in self._verdicts
            if verdict.at >= before
            or (verdict.table, verdict.content) in held
            or newest[verdict.table, verdict.fingerprint] is verdict
        ]
        self._events = [event for event in self._events if event.at >= before]
        return count - self._count()

    def forget_table(self, table: str, fingerprint: str) -> None:
        physical = (table, fingerprint)
        self._builds = [each for each in self._builds if (each.table, each.fingerprint) != physical]
        self._versions = {name: each for name, each in self._versions.items() if name[:2] != physical}
        self._batches = {name: each for name, each in self._batches.items() if name[:2] != physical}
        self._intervals.pop(physical, None)

    def _count(self) -> int:
        pins = sum(len(pins) for pins in self._pins.values())
        lists = (self._runs, self._builds, self._versions, self._verdicts, self._events)
        return pins + sum(len(each) for each in lists)

    def _forget_runs(self, before: datetime, referred: Collection[str]) -> None:
        for run in list(self._runs.values()):
            if run.ended_at is not None and run.ended_at < before and run.id not in referred:
                del self._runs[run.id]
                self._pins.pop(run.id, None)

    def _referred(self, before: datetime, published: Iterable[Publication]) -> set[VersionName]:
        """Return the versions that pins, publications, readings and the newest builds refer to."""
        newest = self.latest_builds().values()
        builds = [build for pins in self._pins.values() for build in pins.values()]
        builds += [*newest, *self.builds_at(before).values()]
        read = [*(reading.tables for reading in self._readings.values()), *(build.read for build in newest)]
        return {
            *(build.version_name for build in builds),
            *(table.version_name for publication in published for table in publication.tables.values()),
            *(name for names in read for name in names.values()),
        }

    def _forget_versions(self, before: datetime, stays: set[VersionName]) -> None:
        for (_, fingerprint, name), version in self._versions.items():
            if version.view and VersionName(fingerprint=fingerprint, version=name) in stays:
                stays = stays | set(version.view.reads.values())
        self._builds = [build for build in self._builds if build.at >= before or build.version_name in stays]
        built = {(build.table, build.fingerprint, build.version) for build in self._builds}
        self._versions = {
            name: version
            for name, version in self._versions.items()
            if name in built or VersionName(fingerprint=name[1], version=name[2]) in stays
        }
