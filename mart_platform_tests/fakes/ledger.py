"""A ledger in memory: as forgetful as the process, otherwise like the real one."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from mart_platform.ports import CommitConflict
from mart_platform.spec.records import (
    Batch,
    Build,
    Event,
    FreshnessState,
    Hold,
    Lease,
    Publication,
    Run,
    Verdict,
    Version,
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

    def runs(self, *, limit: int = 50) -> list[Run]:
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

    def record_build(self, build: Build, version: Version) -> None:
        self._versions.setdefault((build.table, build.fingerprint, version.id), version)
        self._builds.append(build)
        self._pins.setdefault(build.run, {})[build.table] = build

    def latest_build(self, table: str, fingerprint: str) -> Build | None:
        return self.latest_builds().get((table, fingerprint))

    def latest_builds(self) -> dict[tuple[str, str], Build]:
        return {(build.table, build.fingerprint): build for build in self._builds}

    def builds(self, table: str, *, limit: int = 20) -> list[Build]:
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
        newest = self.live(publication.mart)
        if newest is not None and newest.number >= publication.number:
            raise CommitConflict(f"{publication.mart} already has a publication {newest.number}")
        self._publications.append(publication)
        if release:
            self.release(publication.mart)
        if hold is not None:
            self._holds[hold.mart] = hold

    def live(self, mart: str) -> Publication | None:
        return next(iter(self.publications(mart)), None)

    def publications(self, mart: str) -> list[Publication]:
        return [publication for publication in reversed(self._publications) if publication.mart == mart]

    def hold_of(self, mart: str) -> Hold | None:
        return self._holds.get(mart)

    def release(self, mart: str) -> None:
        self._holds.pop(mart, None)

    def acquire(self, name: str, holder: str, now: datetime, seconds: float) -> Lease | None:
        held = self._leases.get(name)
        if held is None or held.holder != holder:
            if held is not None and held.expires > now:
                return None
            self._tokens[name] = self._tokens.get(name, 0) + 1
        self._leases[name] = Lease(
            name=name, holder=holder, token=self._tokens[name], expires=now + timedelta(seconds=seconds)
        )
        return self._leases[name]

    def lease(self, name: str) -> Lease | None:
        return self._leases.get(name)

    def give_back(self, lease: Lease) -> None:
        held = self._leases.get(lease.name)
        if held is not None and (held.holder, held.token) == (lease.holder, lease.token):
            del self._leases[lease.name]

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
