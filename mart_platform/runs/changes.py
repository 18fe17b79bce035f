"""What changed in the inputs of a table since it was built, and which of its intervals that reaches."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from mart_platform.planning.plan import Plan, PlannedTable
from mart_platform.ports import EngineSession, Platform
from mart_platform.runs.relations import (
    Pins,
    gone,
    input_of,
    is_landed,
    named,
    of_files,
    rows_of,
    version_of,
)
from mart_platform.spec.records import Build, Version, same_rows
from mart_platform.spec.types import duckdb_type
from mart_platform.stages import narrowing
from mart_platform.stages.narrowing import FACT, NEW, NOWHERE, OLD


@dataclass(frozen=True)
class Work:
    """Which intervals of a table have to be built, and why: ``None`` for all, empty for none."""

    intervals: frozenset[str] | None
    reason: str

    @property
    def is_nothing(self) -> bool:
        return self.intervals is not None and not self.intervals


def changed_inputs(table: PlannedTable, present: Build, pins: Pins) -> list[str]:
    """Return the inputs of which another content is read than the present build consumed."""
    return [name for name in table.inputs if present.consumed.get(name) != pins[name].content]


def work_of(
    platform: Platform,
    session: EngineSession,
    plan: Plan,
    table: PlannedTable,
    present: Build,
    pins: Pins,
) -> Work:
    """Return which intervals of a table what changed in its inputs reaches, its own gaps among them."""
    version, reasons = version_of(platform, present), list[str]()
    reached: set[str] | None = set(gaps(platform, table, version))
    if reached:
        reasons.append(f"{_counted(reached)} had a gap")
    for name in changed_inputs(table, present, pins):
        found = _reached(platform, session, plan, table, name, present, pins)
        reasons.append(_told(table, name, found))
        reached = None if reached is None or found is None else reached | found
    reason = "; ".join(reasons) or "nothing that it reads has changed"
    if reached is None or NOWHERE in reached or (reached and table.interval is None):
        return Work(None, reason)
    return Work(frozenset(key for key in reached if key >= version.floor), reason)


def gaps(platform: Platform, table: PlannedTable, version: Version) -> frozenset[str]:
    """Return the intervals of a version whose rows are not there, or that the interval ledger lacks."""
    lost = {key for file in gone(platform, version) for key in file.intervals}
    if table.interval is not None:
        built = platform.ledger.interval_keys(table.name, table.fingerprint)
        lost |= (version.intervals.keys() | set(version.owed)) - built
    return frozenset(key for key in lost if key >= version.floor)


def owed(platform: Platform, table: PlannedTable, version: Version) -> frozenset[str]:
    """Return the intervals that a backfill of a part left to be built, and that nobody has built since.

    One that was built and came out without a row is in the interval ledger alone.
    """
    if not version.owed:
        return frozenset()
    return frozenset(version.owed) - platform.ledger.interval_keys(table.name, table.fingerprint)


def has_gaps(platform: Platform, table: PlannedTable, present: Build) -> bool:
    """Return whether the present build of a table lacks rows that it once had."""
    return bool(gaps(platform, table, version_of(platform, present)))


def changed_intervals(old: Version, new: Version) -> frozenset[str]:
    """Return the intervals of which two versions hold other rows; what was retired is no change."""
    floor = max(old.floor, new.floor)
    return frozenset(
        key
        for key in old.intervals.keys() | new.intervals.keys()
        if not same_rows(old.intervals.get(key), new.intervals.get(key)) and (key >= floor or is_landed(new))
    )


def _reached(
    platform: Platform,
    session: EngineSession,
    plan: Plan,
    table: PlannedTable,
    name: str,
    present: Build,
    pins: Pins,
) -> frozenset[str] | None:
    """Return the intervals of a table that the change of one input reaches; None for all of them."""
    try:
        old = named(platform, name, present.read[name])
    except LookupError:
        return None  # what it was is not known any more
    return _Change(platform, session, plan, table, name, old, pins).reaches()


def _told(table: PlannedTable, name: str, reached: frozenset[str] | None) -> str:
    """Return what a change of an input leads to in words."""
    if reached is None:
        return (table.interval and table.unbound.get(name)) or f"{name} changed"
    return f"{name} changed in {_counted(reached)}" if reached else f"{name} holds the same in what is read"


class _Change:
    """What changed in one input of a table: ``old`` is the version that was read before."""

    def __init__(
        self,
        platform: Platform,
        session: EngineSession,
        plan: Plan,
        table: PlannedTable,
        name: str,
        old: Version,
        pins: Pins,
    ) -> None:
        self.platform, self.session, self.plan, self.table = platform, session, plan, table
        self.name, self.pins, self.input = name, pins, plan.tables[name]
        self.old, self.new = old, version_of(platform, pins[name])

    def reaches(self) -> frozenset[str] | None:
        """Return the intervals of the table that the change reaches; None for all of them."""
        keys = changed_intervals(self.old, self.new)
        readable = not self._gone(keys)
        if keys and readable and self._reads_less_than_all():
            keys = self._that_differ_in_what_is_read(keys)
        if not keys:
            return frozenset()
        if self.table.interval is None:
            return None
        if self._goes_by_key():
            return self._by_key(keys)
        if self.name in self.table.bindings and readable:
            return self._by_rows(keys)
        if self.name in self.table.lookups and not self._gone(self.old.intervals):
            return self._by_lookup()
        return None

    def _reads_less_than_all(self) -> bool:
        read = self.table.reads.get(self.name)
        if read is None or is_landed(self.new):
            return False
        return self._other_logic() or set(read) < set(self.new.columns)

    def _other_logic(self) -> bool:
        return self.old.fingerprint != self.new.fingerprint

    def _that_differ_in_what_is_read(self, keys: frozenset[str]) -> frozenset[str]:
        self._define_changed_rows(keys)
        interval = None if self._other_logic() else self.input.interval
        found = narrowing.differing(self.session, interval, self.table.reads[self.name])
        return keys if found is None else keys & found if interval else found

    def _gone(self, keys: Collection[str]) -> bool:
        """Return whether the rows that these intervals held cannot be read any more."""
        return any(not self.platform.data.absolute(file.path).exists() for file in self.old.files_of(keys))

    def _goes_by_key(self) -> bool:
        binding = self.table.bindings.get(self.name)
        return binding is not None and binding.from_key and not self._other_logic()

    def _by_key(self, keys: frozenset[str]) -> frozenset[str]:
        binding = self.table.bindings[self.name]
        kind = duckdb_type(self.input.types[binding.columns[0]])
        return frozenset(narrowing.reached_by_key(self.session, binding, kind, keys).values())

    def _by_rows(self, keys: frozenset[str]) -> frozenset[str]:
        self._define_changed_rows(keys)
        return narrowing.reached(self.session, self.table.bindings[self.name], (OLD, NEW))

    def _by_lookup(self) -> frozenset[str] | None:
        lookup = self.table.lookups[self.name]
        self.session.define(of_files(self.platform, OLD, self.old.columns, self.old.files))
        self.session.define(of_files(self.platform, NEW, self.new.columns, self.new.files))
        fact = input_of(self.platform, self.plan, self.table, lookup.fact, self.pins)
        self.session.define(replace(fact, name=FACT))
        columns = dict.fromkeys([*self.table.reads[self.name], *(key for _, key in lookup.on)])
        binding = self.table.bindings[lookup.fact]
        return narrowing.reached_by_lookup(self.session, lookup, binding, tuple(columns))

    def _define_changed_rows(self, keys: Collection[str]) -> None:
        self.session.define(
            rows_of(self.platform, OLD, self.old, [k for k in keys if k in self.old.intervals])
        )
        self.session.define(
            rows_of(self.platform, NEW, self.new, [k for k in keys if k in self.new.intervals])
        )


def _counted(intervals: Collection[str]) -> str:
    named_ones = ", ".join(sorted(intervals)[:3])
    if len(intervals) <= 3:
        return f"{'interval' if len(intervals) == 1 else 'intervals'} {named_ones}"
    return f"{len(intervals)} intervals ({named_ones}, …)"
