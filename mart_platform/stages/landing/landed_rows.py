"""The rows of one delivery on their way: judged piece by piece, written, or put into quarantine."""

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mart_platform.planning.plan import PlannedTable
from mart_platform.planning.quoting import literal, quoted
from mart_platform.ports import Delivered, EngineSession, Platform, Relation, Unreadable
from mart_platform.spec.checks import RowCount
from mart_platform.spec.layout import DataFolder
from mart_platform.spec.records import DataFile
from mart_platform.spec.sources import (
    BATCH_COLUMN,
    DELIVERED_COLUMN,
    EXTRA_COLUMN,
    HIDDEN_COLUMNS,
    ROW_COLUMN,
    SourceTable,
)
from mart_platform.stages.landing.arrivals import Origin
from mart_platform.stages.landing.delivered_schema import (
    refuse_other_columns,
    refuse_retyped,
    unknown_columns,
)
from mart_platform.stages.landing.event_times import EventTimes, event_times
from mart_platform.stages.landing.quarantine import BAD_ROWS, BadRows
from mart_platform.stages.landing.repeated_rows import count_repeated, repeated_rows, uniqueness_checks

if TYPE_CHECKING:  # polars takes 0.2 s, which a build that lands nothing need not pay
    import polars as pl

_ROWS_A_FILE = 2_500_000
"""The engine holds what it is given of a file until the file is closed, so that this bounds its memory."""

_CANDIDATE, _REPEATED = "landing.candidate", "landing.repeated"


@dataclass(frozen=True)
class Place:
    """Where a batch stands: its id, its position at the source, and ``delivered``, text that sorts by it."""

    batch: str
    position: str
    delivered: str


@dataclass(frozen=True)
class LandedRows:
    """The rows of one delivery, written but not committed; ``read == landed + quarantined``."""

    read: int
    landed: int
    quarantined: int
    columns: Mapping[str, str]
    new_columns: tuple[str, ...]
    times: EventTimes
    files: tuple[DataFile, ...]
    quarantine_file: str | None
    warnings: tuple[str, ...]

    def discard(self, data: DataFolder) -> None:
        """Remove what was written."""
        _remove(data, self.files)
        if self.quarantine_file:
            data.absolute(self.quarantine_file).unlink(missing_ok=True)


def land_rows(
    platform: Platform,
    origin: Origin,
    table: PlannedTable,
    place: Place,
    kept: Path,
    complete_before: datetime | None,
) -> LandedRows:
    """Write the good rows of a kept delivery as files of the lake, and the others into quarantine.

    ``complete_before`` is the table's watermark before them. Raises Unreadable when the delivery breaks its
    schema or a check on its number of rows; then nothing stays behind.
    """
    platform.data.temporary.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=platform.data.temporary, prefix="landing-") as scratch,
        platform.formats.open(kept, place.position, origin.options) as delivered,
        platform.engine.session([]) as session,
    ):
        refuse_other_columns(origin.contract, delivered, place.position, table.file)
        landing = _Landing(platform, origin.contract, table, place, complete_before, delivered, Path(scratch))
        return landing.run(session)


@dataclass
class _Landing:
    """One delivery while it is landed: what was counted so far."""

    platform: Platform
    contract: SourceTable
    table: PlannedTable
    place: Place
    complete_before: datetime | None
    delivered: Delivered
    scratch: Path
    read: int = 0
    warned: Counter[str] = field(default_factory=Counter)
    new_columns: dict[str, None] = field(default_factory=dict)
    bad: BadRows = field(init=False)

    def __post_init__(self) -> None:
        self.bad = BadRows(self.scratch)

    def run(self, session: EngineSession) -> LandedRows:
        files: tuple[DataFile, ...] = ()
        try:
            for part in _parts(self._good_rows()):
                files += session.write_frames(part, self._columns(), self._folder())
            broken = self.delivered.broken()
            self.read += broken.height
            self.bad.add_broken(broken)
            files = self._without_repeated(session, files)
            return self._finished(session, files)
        except BaseException:
            _remove(self.platform.data, files)
            raise

    def _columns(self) -> dict[str, str]:
        return {**{name: column.type for name, column in self.contract.columns.items()}, **HIDDEN_COLUMNS}

    def _folder(self) -> Path:
        return self.platform.data.lake / self.table.path

    def _good_rows(self) -> "Iterator[pl.DataFrame]":
        """Judge the pieces of the delivery, and yield what may be landed."""
        for frame in self.delivered.frames:
            judged = self.platform.contracts.judge(self.contract, frame, as_text=self.delivered.as_text)
            if self.read == 0:
                refuse_retyped(self.contract, judged.retyped, self.place.position, self.table.file)
            self.read += frame.height
            self.warned.update(judged.warned)
            self.new_columns.update(dict.fromkeys(unknown_columns(self.contract, _delivered_only(frame))))
            self.bad.add(judged.bad)
            self.platform.progress.advances(self.table.name, frame.height)
            yield judged.good.sql(f"SELECT *, {self._marks()} FROM self").select(*self._columns())

    def _marks(self) -> str:
        return (
            f"{literal(self.place.batch)} AS {BATCH_COLUMN}, "
            f"{literal(self.place.delivered)} AS {DELIVERED_COLUMN}"
        )

    def _without_repeated(self, session: EngineSession, files: tuple[DataFile, ...]) -> tuple[DataFile, ...]:
        """Move rows that repeat what must be unique from the candidate into quarantine."""
        self._define_candidate(session, files)
        for check in uniqueness_checks(self.contract, blocking=False):
            self.warned[check.name] += session.rows(count_repeated(check, _CANDIDATE))[0]["rows"]
        checks = uniqueness_checks(self.contract, blocking=True)
        if not checks:
            return files
        (repeated,) = session.write(
            repeated_rows(checks, _CANDIDATE),
            {ROW_COLUMN: "bigint", "reasons": "list(string)"},
            self.scratch,
        )
        if not repeated.rows:
            return files
        self._put_aside(session, repeated)
        kept = session.write(
            f"SELECT {self._listed()} FROM {_CANDIDATE} ANTI JOIN {_REPEATED} USING ({ROW_COLUMN})"
            f" ORDER BY {ROW_COLUMN}",
            self._columns(),
            self._folder(),
        )
        self._define_candidate(session, kept)
        _remove(self.platform.data, files)
        return kept

    def _put_aside(self, session: EngineSession, repeated: DataFile) -> None:
        file = self.platform.data.absolute(repeated.path)
        session.define(Relation(_REPEATED, {ROW_COLUMN: "bigint", "reasons": "list(string)"}, (file,)))
        (bad,) = session.write(
            f"SELECT {ROW_COLUMN}, reasons, {self._record()} AS record"
            f" FROM {_CANDIDATE} JOIN {_REPEATED} USING ({ROW_COLUMN})",
            BAD_ROWS,
            self.scratch,
        )
        self.bad.keep(self.platform.data.absolute(bad.path), bad.rows)

    def _define_candidate(self, session: EngineSession, files: Sequence[DataFile]) -> None:
        paths = tuple(self.platform.data.absolute(file.path) for file in files)
        session.define(Relation(_CANDIDATE, self._columns(), paths))

    def _listed(self) -> str:
        return ", ".join(quoted(name) for name in self._columns())

    def _record(self) -> str:
        """Return the expression of a landed row as JSON, by delivered names, values as exact text."""
        pairs = [
            f"{literal(column.delivered_as or name)}, {quoted(name)}::VARCHAR"
            for name, column in self.contract.columns.items()
        ]
        pairs.append(f"'{EXTRA_COLUMN}', {EXTRA_COLUMN}")
        return f"json_object({', '.join(pairs)})::VARCHAR"

    def _finished(self, session: EngineSession, files: tuple[DataFile, ...]) -> LandedRows:
        landed = sum(file.rows for file in files)
        if self.read != landed + self.bad.count:
            raise AssertionError(
                f"{self.place.position}: {self.read} rows read, {landed} landed,"
                f" {self.bad.count} in quarantine"
            )
        if self.read and not landed:
            raise Unreadable(
                f"{self.place.position}: none of its {self.read:,} rows keeps the contract; the first: "
                f"{self.bad.first_reasons(session)}. Have it delivered again, or correct {self.table.file}."
            )
        times = event_times(session, self.contract, _CANDIDATE, self.complete_before)
        warnings = (*self._row_count_warnings(landed), *self._warnings(), *self._late(times))
        return LandedRows(
            read=self.read,
            landed=landed,
            quarantined=self.bad.count,
            columns=self.delivered.columns,
            new_columns=tuple(self.new_columns),
            times=times,
            files=files,
            quarantine_file=self._quarantined(session),
            warnings=warnings,
        )

    def _quarantined(self, session: EngineSession) -> str | None:
        source, table = self.table.schema_name, self.table.short_name
        name = f"{self.place.batch}-{self.table.fingerprint[:8]}.parquet"
        return self.bad.write(
            session,
            {"source": source, "table": table, "batch": self.place.batch, "position": self.place.position},
            self.platform.data.quarantine / source / table / name,
            self.platform.data,
        )

    def _row_count_warnings(self, landed: int) -> Iterator[str]:
        for check in self.contract.all_checks():
            if isinstance(check, RowCount) and not _holds(check, landed):
                problem = f"{self.place.position}: {landed} rows break the check '{check.name}': {check.says}"
                if check.blocks:
                    raise Unreadable(f"{problem} Have it delivered again, or correct the check.")
                yield problem

    def _warnings(self) -> Iterator[str]:
        says = {check.name: check.says for check in self.contract.all_checks()}
        for name, rows in self.warned.items():
            if rows:
                yield f"{self.place.position}: {rows} rows break the check '{name}': {says[name]}"
        if self.new_columns:
            listed = ", ".join(self.new_columns)
            yield (
                f"{self.place.position}: new columns, landed in {EXTRA_COLUMN}: {listed}. Declare them in "
                f"{self.table.file} to use them, with 'optional: true' since earlier files lack them."
            )
        if self.bad.count:
            yield f"{self.place.position}: {self.bad.count} of {self.read} rows are in quarantine."

    def _late(self, times: EventTimes) -> Iterator[str]:
        if self.complete_before is not None and times.earliest is not None:
            yield (
                f"{self.place.position}: {times.late} of {self.read} rows came later than allowed: they "
                f"happened before {self.complete_before:%Y-%m-%d %H:%M} UTC, the first of them at "
                f"{times.earliest:%Y-%m-%d %H:%M}. They are landed, and correct what was built without them."
            )


def _parts(frames: "Iterator[pl.DataFrame]") -> "Iterator[Iterator[pl.DataFrame]]":
    """Cut a stream into streams of about ``_ROWS_A_FILE`` rows each; there is at least one."""
    first = next(frames, None)
    yield iter(()) if first is None else _part(first, frames)
    while (first := next(frames, None)) is not None:
        yield _part(first, frames)


def _part(first: "pl.DataFrame", others: "Iterator[pl.DataFrame]") -> "Iterator[pl.DataFrame]":
    yield first
    rows = first.height
    while rows < _ROWS_A_FILE and (frame := next(others, None)) is not None:
        yield frame
        rows += frame.height


def _delivered_only(frame: "pl.DataFrame") -> dict[str, object]:
    return {name: kind for name, kind in frame.schema.items() if name != ROW_COLUMN}


def _holds(check: RowCount, rows: int) -> bool:
    return (check.at_least is None or rows >= check.at_least) and (
        check.at_most is None or rows <= check.at_most
    )


def _remove(data: DataFolder, files: Sequence[DataFile]) -> None:
    for file in files:
        data.absolute(file.path).unlink(missing_ok=True)
